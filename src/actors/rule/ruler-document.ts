import { isMap, isScalar, isSeq, type Node, type Scalar, stringify } from "yaml";
import { readOpenMap, readYaml, type YamlReader } from "../../lib/yaml-reader.ts";
import type { ConfigProblem } from "../../model/config.ts";
import { parseRuleGroup, type RuleFileOptions } from "./rule-file.ts";
import type { RuleGroupSpec } from "./rule-spec.ts";

/** A rule group as a person wrote it: what the ruler's API gives back, and what is stored. */
export interface GroupDocument {
  readonly name: string;
  /** Keys and texts as written, aliases resolved; `limit` is a number. */
  readonly content: Readonly<Record<string, unknown>>;
  readonly rules: number;
}

/** Reads one group, as the body of a request has it; all problems with their places in the text. */
export function readGroupDocument(
  text: string,
  options: RuleFileOptions,
): { readonly document: GroupDocument; readonly problems: readonly ConfigProblem[] } {
  const { group, problems } = parseRuleGroup("the rule group", text, options);
  const r = readYaml("the rule group", text);
  const content = plain(r, r.root) as Record<string, unknown> | undefined;
  return { document: { name: group?.name ?? "", content: content ?? {}, rules: group?.rules.length ?? 0 }, problems };
}

/** The group as it is run. The document was read without a problem. */
export function specOf(
  document: GroupDocument,
  place: { readonly file: string; readonly tenant: string; readonly namespace: string },
  options: RuleFileOptions,
): RuleGroupSpec {
  const { group, problems } = parseRuleGroup(place.file, yamlOf(document.content), options);
  if (group === undefined || problems.length > 0)
    throw new Error(`${place.file}: ${problems[0]?.message ?? "no group"}`);
  return { ...group, tenant: place.tenant, namespace: place.namespace };
}

/**
 * The group with an alert rule of it, or all of them, as shadow rules or live ones. Undefined when there is no such rule.
 * @param rule the alert's name; undefined: all
 */
export function withShadow(
  document: GroupDocument,
  rule: string | undefined,
  shadow: boolean,
): GroupDocument | undefined {
  const {
    shadow: ofGroup,
    rules,
    ...content
  } = document.content as {
    readonly shadow?: boolean;
    readonly rules?: readonly Record<string, unknown>[];
  };
  const chosen = (r: Record<string, unknown>) => r.alert !== undefined && (rule === undefined || r.alert === rule);
  if (rules?.some(chosen) !== true) return undefined;
  // Of a whole group that is made live nothing remains; one rule of a shadow group has to say so itself.
  const kept = rule === undefined ? undefined : ofGroup;
  const changed = rules.map((r) => {
    if (!chosen(r)) return r;
    const { shadow: _, ...rest } = r;
    return shadow === (kept ?? false) ? rest : { ...rest, shadow };
  });
  const all = { ...content, ...(kept === undefined ? {} : { shadow: kept }), rules: changed };
  return { ...document, content: all };
}

/** YAML with long expressions on one line. */
export function yamlOf(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** A stored namespace: its groups. Problems are those of the text. */
export function readNamespace(
  file: string,
  text: string,
  options: RuleFileOptions,
): { readonly documents: readonly GroupDocument[]; readonly problems: readonly ConfigProblem[] } {
  const r = readYaml(file, text);
  if (r.problems.length > 0) return { documents: [], problems: r.problems };
  const root = plain(r, r.root) as { readonly groups?: readonly Record<string, unknown>[] } | undefined;
  const read = (root?.groups ?? []).map((group) => readGroupDocument(yamlOf(group), options));
  const problems = read.flatMap((g) => g.problems).map((p) => ({ file, line: 0, column: 0, message: p.message }));
  return { documents: read.map((g) => g.document), problems };
}

/** Keys whose values are templates' or labels': texts, whatever they are called. */
const OPEN_KEYS: readonly string[] = ["labels", "annotations"];

function plain(r: YamlReader, node: Node | undefined, key = "", within = ""): unknown {
  const resolved = r.resolve(node);
  if (isMap(resolved)) {
    const out: Record<string, unknown> = {};
    for (const entry of readOpenMap(r, resolved, "it").values()) {
      const value = plain(r, entry.value, entry.key, key);
      if (value !== undefined) out[entry.key] = value;
    }
    return out;
  }
  if (isSeq(resolved)) return resolved.items.map((item) => plain(r, item as Node));
  if (!isScalar(resolved) || resolved.value === null) return undefined;
  const text = scalarText(resolved);
  if (OPEN_KEYS.includes(within)) return text;
  if (key === "shadow") return /^(true|yes|on)$/i.test(text);
  return key === "limit" ? Number(text) : text;
}

function scalarText(scalar: Scalar): string {
  return typeof scalar.value === "string" ? scalar.value : (scalar.source ?? String(scalar.value));
}
