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

function plain(r: YamlReader, node: Node | undefined, key = ""): unknown {
  const resolved = r.resolve(node);
  if (isMap(resolved)) {
    const out: Record<string, unknown> = {};
    for (const entry of readOpenMap(r, resolved, "it").values()) {
      const value = plain(r, entry.value, entry.key);
      if (value !== undefined) out[entry.key] = value;
    }
    return out;
  }
  if (isSeq(resolved)) return resolved.items.map((item) => plain(r, item as Node));
  if (!isScalar(resolved) || resolved.value === null) return undefined;
  const text = scalarText(resolved);
  return key === "limit" ? Number(text) : text;
}

function scalarText(scalar: Scalar): string {
  return typeof scalar.value === "string" ? scalar.value : (scalar.source ?? String(scalar.value));
}
