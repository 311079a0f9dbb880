import { isMap, isScalar, isSeq, LineCounter, type Pair, parseDocument, type Scalar, type YAMLMap } from "yaml";
import { parseRuleFile } from "./rule-file.ts";

/**
 * Makes rules of a rule file shadow rules or live ones by the smallest change of its text: the value of a key `shadow`, or a line
 * more. All else stays as it is, byte for byte.
 */
export interface ShadowWanted {
  readonly group: string;
  /** The alert's name; absent: the whole group. */
  readonly rule?: string;
  readonly shadow: boolean;
}

export interface ShadowEdit {
  /** Of the text before, from 1. */
  readonly line: number;
  /** The line as it is, and what it becomes: one line, or two. */
  readonly before: string;
  readonly after: string;
}

export interface ShadowEdited {
  readonly text: string;
  /** None where nothing has to change. */
  readonly edits: readonly ShadowEdit[];
}

/** Why a file cannot be changed so; `missing`: it has no such group or alert rule. */
export class ShadowEditError extends Error {
  readonly missing: boolean;
  constructor(message: string, missing = false) {
    super(message);
    this.name = "ShadowEditError";
    this.missing = missing;
  }
}

interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Throws `ShadowEditError`. */
export function editShadow(text: string, wanted: ShadowWanted): ShadowEdited {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  if (document.errors.length > 0) throw new ShadowEditError(`it is no YAML: ${document.errors[0]?.message ?? ""}`);
  const groups = itemsOf(document.contents, "groups");
  const group = groups.find((g) => textOf(g, "name") === wanted.group);
  if (group === undefined) throw new ShadowEditError(`there is no group ${JSON.stringify(wanted.group)}`, true);
  const alerts = itemsOf(group, "rules").filter((r) => textOf(r, "alert") !== undefined);
  const chosen = wanted.rule === undefined ? alerts : alerts.filter((r) => textOf(r, "alert") === wanted.rule);
  if (chosen.length === 0) {
    const what = wanted.rule === undefined ? "alert rule" : `alert rule ${JSON.stringify(wanted.rule)}`;
    throw new ShadowEditError(`the group has no ${what}`, true);
  }
  const own = (of: YAMLMap) => (textOf(of, "shadow") === undefined ? undefined : truth(textOf(of, "shadow")));
  const splices: Splice[] = [];
  const ofGroup = own(group) ?? false;
  const wholeGroup = wanted.rule === undefined && own(group) !== undefined;
  if (wholeGroup && ofGroup !== wanted.shadow) splices.push(valueSplice(group, wanted.shadow));
  const inherited = wholeGroup ? wanted.shadow : ofGroup;
  for (const rule of chosen) {
    const mine = own(rule);
    if ((mine ?? inherited) === wanted.shadow) continue;
    splices.push(mine === undefined ? lineSplice(text, rule, wanted.shadow) : valueSplice(rule, wanted.shadow));
  }
  return edited(text, splices, lines, wanted);
}

function edited(text: string, splices: readonly Splice[], lines: LineCounter, wanted: ShadowWanted): ShadowEdited {
  let out = text;
  const edits: ShadowEdit[] = [];
  for (const { from, to, text: piece } of [...splices].sort((a, b) => b.from - a.from)) {
    const { line } = lines.linePos(from);
    const start = text.lastIndexOf("\n", from - 1) + 1;
    const end = text.indexOf("\n", from) < 0 ? text.length : text.indexOf("\n", from);
    const clean = (s: string) => s.replaceAll("\r", "");
    edits.unshift({
      line,
      before: clean(text.slice(start, end)),
      after: clean(text.slice(start, from) + piece + text.slice(Math.min(to, end), end)),
    });
    out = out.slice(0, from) + piece + out.slice(to);
  }
  checkEdited(out, wanted);
  return { text: out, edits };
}

/** Reads what came of it as rule files are read: whatever the text was like, the rules are what was asked for. */
function checkEdited(text: string, wanted: ShadowWanted): void {
  const checkExpression = (query: string) => ({ canonical: query, reads: undefined });
  const { groups, problems } = parseRuleFile("", text, { evaluationIntervalMs: 60_000, checkExpression });
  if (problems.length > 0) throw new ShadowEditError(`it cannot be changed by itself: ${problems[0]?.message ?? ""}`);
  const group = groups.find((g) => g.name === wanted.group);
  for (const rule of group?.rules ?? []) {
    if (rule.type !== "alerting" || (wanted.rule !== undefined && rule.name !== wanted.rule)) continue;
    if ((rule.shadow === true) !== wanted.shadow) {
      throw new ShadowEditError(`it cannot be changed by itself: write shadow: ${wanted.shadow} to the rule by hand`);
    }
  }
}

function itemsOf(node: unknown, key: string): YAMLMap[] {
  if (!isMap(node)) return [];
  const list = node.get(key, true);
  return isSeq(list) ? list.items.filter((item): item is YAMLMap => isMap(item)) : [];
}

function pairOf(map: YAMLMap, key: string): Pair<Scalar, Scalar> | undefined {
  const found = map.items.find((p) => isScalar(p.key) && p.key.value === key && isScalar(p.value));
  return found as Pair<Scalar, Scalar> | undefined;
}

function textOf(map: YAMLMap, key: string): string | undefined {
  const value = pairOf(map, key)?.value;
  return value === undefined || value === null ? undefined : (value.source ?? String(value.value));
}

function truth(text: string | undefined): boolean {
  return /^(true|yes|on)$/i.test(text ?? "");
}

function valueSplice(map: YAMLMap, shadow: boolean): Splice {
  const range = pairOf(map, "shadow")?.value?.range;
  if (!range) throw new ShadowEditError("its key shadow has no place of its own");
  return { from: range[0], to: range[1], text: String(shadow) };
}

/** A line behind that of the alert's name; inside the braces of a map that is written with some. */
function lineSplice(text: string, map: YAMLMap, shadow: boolean): Splice {
  const pair = pairOf(map, "alert");
  const [at] = pair?.key.range ?? [];
  const value = pair?.value?.range;
  if (at === undefined || !value) throw new ShadowEditError("its name has no place of its own");
  if (map.flow === true) return { from: value[1], to: value[1], text: `, shadow: ${shadow}` };
  const column = at - (text.lastIndexOf("\n", at - 1) + 1);
  const feed = text.indexOf("\n", value[1]);
  const end = feed < 0 ? text.length : feed;
  const from = text[end - 1] === "\r" ? end - 1 : end;
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  return { from, to: from, text: `${newline}${" ".repeat(column)}shadow: ${shadow}` };
}
