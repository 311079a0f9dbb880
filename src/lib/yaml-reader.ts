import { type Alias, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type Scalar } from "yaml";

/**
 * Reads a YAML file against a schema written as code, and collects every problem with its place instead of stopping at
 * the first. Scalars are taken as the schema wants them: `8080` where a string is wanted is "8080".
 */
export interface YamlReader {
  readonly file: string;
  readonly text: string;
  readonly problems: YamlProblem[];
  readonly lines: LineCounter;
  readonly root: Node | undefined;
  readonly resolve: (node: Node | undefined) => Node | undefined;
}

export interface YamlProblem {
  readonly file: string;
  /** 1-based; 0 when the file as a whole is meant. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface YamlEntry {
  readonly key: string;
  readonly keyNode: Node;
  /** Undefined where the value is empty (`key:`). */
  readonly value: Node | undefined;
}

export function readYaml(file: string, text: string): YamlReader {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: false });
  const problems: YamlProblem[] = [];
  for (const e of doc.errors) {
    const { line, col } = lines.linePos(e.pos[0]);
    const message =
      e.code === "MULTIPLE_DOCS" ? "a second YAML document begins here: there must be one alone" : e.message;
    problems.push({ file, line, column: col, message });
  }
  const resolve = (node: Node | undefined): Node | undefined =>
    isAlias(node) ? (node as Alias).resolve(doc) : node === null ? undefined : node;
  return { file, text, problems, lines, root: resolve(doc.contents ?? undefined), resolve };
}

/** Line and column (1-based) of a node; 0, 0 without one. */
export function placeOf(reader: YamlReader, node: Node | undefined): { line: number; column: number } {
  const offset = node?.range?.[0];
  if (offset === undefined) return { line: 0, column: 0 };
  const { line, col } = reader.lines.linePos(offset);
  return { line, column: col };
}

export function report(reader: YamlReader, node: Node | undefined, message: string): void {
  const { line, column } = placeOf(reader, node);
  // A node that is looked at several times has its mistake once. Only the last are compared: there may be very many.
  const isSame = (p: YamlProblem) => p.line === line && p.column === column && p.message === message;
  if (!reader.problems.slice(-20).some(isSame)) reader.problems.push({ file: reader.file, line, column, message });
}

/**
 * The place in the file of a position (1-based) inside a scalar's text, for errors of a language that is embedded in YAML.
 * Exact for plain, quoted (without escapes) and literal block scalars; else the scalar's start.
 */
export function placeInScalar(
  reader: YamlReader,
  node: Node | undefined,
  line: number,
  column: number,
): { line: number; column: number } {
  const start = placeOf(reader, node);
  if (!isScalar(node) || node.range === undefined || node.range === null) return start;
  const source = reader.text.slice(node.range[0], node.range[1]);
  if (node.type === "BLOCK_LITERAL") {
    const body = source.split("\n").slice(1);
    const first = body.find((l) => l.trim() !== "") ?? "";
    const indent = first.length - first.trimStart().length;
    return { line: start.line + line, column: indent + column };
  }
  if (source.includes("\n") || line !== 1) return start;
  const quote = node.type === "QUOTE_DOUBLE" || node.type === "QUOTE_SINGLE" ? 1 : 0;
  return { line: start.line, column: start.column + quote + column - 1 };
}

/** The entries of a mapping. Keys outside of `known` are reported (with the nearest known one), as is a value of another kind. */
export function readMap(
  reader: YamlReader,
  node: Node | undefined,
  what: string,
  known: readonly string[],
): Map<string, YamlEntry> {
  const entries = readOpenMap(reader, node, what);
  for (const { key, keyNode } of entries.values()) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    report(
      reader,
      keyNode,
      `unknown key ${JSON.stringify(key)} in ${what}${near === undefined ? "" : `, did you mean ${JSON.stringify(near)}?`}`,
    );
    entries.delete(key);
  }
  return entries;
}

/** The entries of a mapping with free keys (labels, headers). */
export function readOpenMap(reader: YamlReader, node: Node | undefined, what: string): Map<string, YamlEntry> {
  const entries = new Map<string, YamlEntry>();
  const map = reader.resolve(node);
  if (map === undefined || isNull(map)) return entries;
  if (!isMap(map)) {
    report(reader, map, `${what} must be a mapping`);
    return entries;
  }
  const merged: YamlEntry[] = [];
  for (const pair of map.items) {
    const keyNode = reader.resolve(pair.key as Node);
    const value = reader.resolve((pair.value as Node | null) ?? undefined);
    const key = isScalar(keyNode) ? scalarText(keyNode) : undefined;
    if (key === undefined || keyNode === undefined) {
      report(reader, keyNode ?? map, `${what} has a key that is not a string`);
      continue;
    }
    if (key === "<<") {
      const sources = isSeq(value) ? (value.items as Node[]) : [value];
      for (const source of sources) merged.push(...readOpenMap(reader, source, what).values());
      continue;
    }
    entries.set(key, { key, keyNode, value });
  }
  for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
  return entries;
}

export function readList(reader: YamlReader, node: Node | undefined, what: string): Node[] {
  const list = reader.resolve(node);
  if (list === undefined || isNull(list)) return [];
  if (!isSeq(list)) {
    report(reader, list, `${what} must be a list`);
    return [];
  }
  return (list.items as Node[]).map((item) => reader.resolve(item) as Node);
}

/** Undefined when absent, empty or (reported) not a scalar. */
export function readString(reader: YamlReader, node: Node | undefined, what: string): string | undefined {
  const scalar = reader.resolve(node);
  if (scalar === undefined || isNull(scalar)) return undefined;
  if (!isScalar(scalar)) {
    report(reader, scalar, `${what} must be a string`);
    return undefined;
  }
  return scalarText(scalar);
}

export function readBoolean(reader: YamlReader, node: Node | undefined, what: string): boolean | undefined {
  const text = readString(reader, node, what);
  if (text === undefined) return undefined;
  if (/^(true|True|TRUE|yes|Yes|YES|on|On|ON)$/.test(text)) return true;
  if (/^(false|False|FALSE|no|No|NO|off|Off|OFF)$/.test(text)) return false;
  report(reader, node, `${what} must be true or false, not ${JSON.stringify(text)}`);
  return undefined;
}

/** A whole number of at least `min`. */
export function readInteger(reader: YamlReader, node: Node | undefined, what: string, min = 0): number | undefined {
  const text = readString(reader, node, what);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(value) && value >= min) return value;
  report(reader, node, `${what} must be a whole number of at least ${min}, not ${JSON.stringify(text)}`);
  return undefined;
}

/** A value that `parse` reads from the text; what it throws is reported with the place. */
export function readParsed<T>(
  reader: YamlReader,
  node: Node | undefined,
  what: string,
  parse: (text: string) => T,
): T | undefined {
  const text = readString(reader, node, what);
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch (error) {
    report(reader, node, `${what}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** The entry's value through a reader, for one-liners: `field(entries, "name", (node) => readString(r, node, "name"))`. */
export function field<T>(
  entries: ReadonlyMap<string, YamlEntry>,
  key: string,
  read: (node: Node | undefined) => T | undefined,
): T | undefined {
  const entry = entries.get(key);
  return entry === undefined ? undefined : read(entry.value);
}

/** The known name that differs least, when it is near enough to be meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const d = editDistance(word.toLowerCase(), candidate);
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function isNull(node: Node): boolean {
  return isScalar(node) && node.value === null;
}

function scalarText(scalar: Scalar): string {
  if (typeof scalar.value === "string") return scalar.value;
  return scalar.source ?? String(scalar.value);
}
