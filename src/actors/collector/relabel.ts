import { createHash } from "node:crypto";
import { RE2JS } from "re2js";
import { compileMatcherRegex } from "../../lib/regex.ts";
import type { RelabelConfig } from "../../model/config.ts";
import { type Labels, labelsFromEntries } from "../../model/labels.ts";
import { compileTemplate, type Groups, type Template } from "./group-template.ts";

/** Relabel rules, made ready to run. */
export interface Relabeler {
  readonly rules: readonly Rule[];
}

/** Changes the labels in place; false drops them. */
type Rule = (labels: Map<string, string>) => boolean;

/** Compiles the rules of one `relabel_configs` list, which the configuration loader has checked. */
export function compileRelabel(configs: readonly RelabelConfig[]): Relabeler {
  return { rules: configs.map(compileRule) };
}

/** Runs the rules on labels in any order, in place; false when the target or sample is dropped. */
export function relabel(relabeler: Relabeler, labels: Map<string, string>): boolean {
  for (const rule of relabeler.rules) if (!rule(labels)) return false;
  return true;
}

/** Runs the rules on a label set; undefined when it is dropped. */
export function relabelLabels(relabeler: Relabeler, labels: Labels): Labels | undefined {
  if (relabeler.rules.length === 0) return labels;
  const map = new Map<string, string>();
  for (let i = 0; i < labels.length; i += 2) map.set(labels[i] as string, labels[i + 1] as string);
  return relabel(relabeler, map) ? labelsFromEntries(map) : undefined;
}

function compileRule(config: RelabelConfig): Rule {
  const { sourceLabels, separator, targetLabel } = config;
  const source = (labels: Map<string, string>): string => {
    if (sourceLabels.length === 1) return labels.get(sourceLabels[0] as string) ?? "";
    return sourceLabels.map((name) => labels.get(name) ?? "").join(separator);
  };
  switch (config.action) {
    case "replace":
      return compileReplace(config, source);
    case "keep": {
      const matches = compileMatcherRegex(config.regex);
      return (labels) => matches(source(labels));
    }
    case "drop": {
      const matches = compileMatcherRegex(config.regex);
      return (labels) => !matches(source(labels));
    }
    case "keepequal":
      return (labels) => source(labels) === (labels.get(targetLabel) ?? "");
    case "dropequal":
      return (labels) => source(labels) !== (labels.get(targetLabel) ?? "");
    case "hashmod": {
      const modulus = BigInt(config.modulus);
      return (labels) => setLabel(labels, targetLabel, String(lowHash(source(labels)) % modulus));
    }
    case "lowercase":
      return (labels) => setLabel(labels, targetLabel, source(labels).toLowerCase());
    case "uppercase":
      return (labels) => setLabel(labels, targetLabel, source(labels).toUpperCase());
    case "labelmap":
      return compileLabelMap(config);
    case "labeldrop":
    case "labelkeep": {
      const matches = compileMatcherRegex(config.regex);
      const drop = config.action === "labeldrop";
      return (labels) => {
        for (const name of [...labels.keys()]) if (matches(name) === drop) labels.delete(name);
        return true;
      };
    }
  }
}

function setLabel(labels: Map<string, string>, name: string, value: string): true {
  if (value === "") labels.delete(name);
  else labels.set(name, value);
  return true;
}

function compileReplace(config: RelabelConfig, source: (labels: Map<string, string>) => string): Rule {
  const match = compileGroups(config.regex);
  const target = compileTemplate(config.targetLabel);
  const replacement = compileTemplate(config.replacement);
  return (labels) => {
    const groups = match(source(labels));
    if (groups === undefined) return true;
    const name = target(groups);
    return name === "" ? true : setLabel(labels, name, replacement(groups));
  };
}

function compileLabelMap(config: RelabelConfig): Rule {
  const match = compileGroups(config.regex);
  const replacement: Template = compileTemplate(config.replacement);
  return (labels) => {
    // What is mapped is read from the labels as they were, so that the order of the labels does not matter.
    for (const [name, value] of [...labels]) {
      const groups = match(name);
      if (groups !== undefined) setLabel(labels, replacement(groups), value);
    }
    return true;
  };
}

/** Matches a whole text; the groups, or undefined. */
function compileGroups(regex: string): (text: string) => Groups | undefined {
  if (regex === "(.*)") return (text) => ({ number: (i) => (i <= 1 ? text : ""), name: () => "" });
  const re = RE2JS.compile(regex, RE2JS.DOTALL);
  const names = new Set(Object.keys(re.namedGroups()));
  const count = re.groupCount();
  return (text) => {
    const m = re.matcher(text);
    if (!m.matches()) return undefined;
    return {
      number: (i) => (i <= count ? (m.group(i) ?? "") : ""),
      name: (name) => (names.has(name) ? (m.group(name) ?? "") : ""),
    };
  };
}

/** The last eight bytes of the text's MD5, as Prometheus takes them: a target must land on the same server of a set. */
function lowHash(text: string): bigint {
  return createHash("md5").update(text).digest().readBigUInt64BE(8);
}
