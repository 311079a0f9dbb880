import { RE2JS } from "re2js";
import type { RelabelAction, RelabelConfig } from "../model/config.ts";
import { integer, labelNameProblem, oneOf, scalar, string } from "./schema/scalars.ts";
import { defaulted, list, object, optional, type ReadKeys, type Schema } from "./schema/schema.ts";

const ACTIONS: readonly RelabelAction[] = [
  "replace",
  "keep",
  "drop",
  "keepequal",
  "dropequal",
  "hashmod",
  "labelmap",
  "labeldrop",
  "labelkeep",
  "lowercase",
  "uppercase",
];
const NEEDS_TARGET: readonly RelabelAction[] = [
  "replace",
  "hashmod",
  "lowercase",
  "uppercase",
  "keepequal",
  "dropequal",
];
export const DEFAULT_RELABEL_REGEX = "(.*)";
export const DEFAULT_REPLACEMENT = "$1";

const regex: Schema<string> = scalar("regular expression", (text) => {
  try {
    RE2JS.compile(text);
  } catch (error) {
    throw new Error(`${JSON.stringify(text)} is no RE2 regular expression: ${(error as Error).message}`);
  }
  return text;
});

const relabelKeys = {
  source_labels: defaulted(list(string), [], "Labels whose values, joined by the separator, are matched."),
  separator: defaulted(string, ";", "Stands between the joined values.", '";"'),
  regex: optional(regex, "RE2 regular expression, anchored at both ends.", "`(.*)`"),
  modulus: defaulted(integer(0), 0, "Modulus of `hashmod`."),
  target_label: defaulted(
    string,
    "",
    "Label to write; `replace` may use groups of the regular expression in it. Needed by `replace`, `hashmod`, `lowercase`, `uppercase`, `keepequal` and `dropequal`.",
    "",
  ),
  replacement: optional(string, "What `replace` and `labelmap` write; `$1` or `${1}` is a group.", "`$1`"),
  action: defaulted(
    oneOf(...ACTIONS),
    "replace",
    "What to do. `labeldrop` and `labelkeep` use nothing but `regex`, `keepequal` and `dropequal` nothing but `source_labels` and `target_label`.",
  ),
};

type Read = ReadKeys<typeof relabelKeys>;
type Report = (key: keyof Read & string, message: string) => void;

export const relabelSchema = object("relabel rule", relabelKeys, checkRule);

function checkRule(rule: Read, report: Report): void {
  const { action } = rule;
  if (action === "hashmod" && rule.modulus === 0) report("modulus", "hashmod needs a modulus above 0");
  if (NEEDS_TARGET.includes(action) && rule.target_label === "") {
    report("target_label", `${action} needs a target_label`);
  } else if (NEEDS_TARGET.includes(action) && !(action === "replace" && rule.target_label.includes("$"))) {
    const wrong = labelNameProblem(rule.target_label);
    if (wrong !== undefined) report("target_label", wrong);
  }
  const given: readonly (keyof Read & string)[] = (
    [
      ["source_labels", rule.source_labels.length > 0],
      ["separator", rule.separator !== ";"],
      ["regex", rule.regex !== undefined && rule.regex !== DEFAULT_RELABEL_REGEX],
      ["modulus", rule.modulus !== 0],
      ["target_label", rule.target_label !== ""],
      ["replacement", rule.replacement !== undefined && rule.replacement !== DEFAULT_REPLACEMENT],
    ] as const
  ).flatMap(([key, isGiven]) => (isGiven ? [key] : []));
  const only = (...allowed: readonly string[]): void => {
    for (const key of given) if (!allowed.includes(key)) report(key, `${action} takes no ${key}`);
  };
  if (action === "labeldrop" || action === "labelkeep") only("regex");
  if (action === "keepequal" || action === "dropequal") only("source_labels", "target_label", "separator");
  if (action === "lowercase" || action === "uppercase") only("source_labels", "target_label", "separator", "regex");
}

export function toRelabelConfig(rule: Read): RelabelConfig {
  return {
    sourceLabels: rule.source_labels,
    separator: rule.separator,
    targetLabel: rule.target_label,
    regex: rule.regex ?? DEFAULT_RELABEL_REGEX,
    modulus: rule.modulus,
    replacement: rule.replacement ?? DEFAULT_REPLACEMENT,
    action: rule.action,
  };
}
