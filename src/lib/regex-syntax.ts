/**
 * A parser for the part of RE2's syntax whose meaning is the same everywhere: literals, `.`, classes of ASCII escapes and
 * ranges, groups, alternation, greedy and lazy repetition, anchors at the very ends. What it returns is certain to be
 * valid RE2 with exactly the meaning of the tree; what it does not know (flags inside, Unicode classes, word boundaries,
 * doubtful repetitions) it answers with undefined, and the caller asks a complete RE2 implementation.
 */
export type RegexNode =
  | { readonly kind: "literal"; readonly text: string }
  /** Sorted, disjoint, inclusive code point ranges. `any` is all of them. */
  | { readonly kind: "class"; readonly ranges: readonly (readonly [number, number])[]; readonly any: boolean }
  | { readonly kind: "sequence"; readonly parts: readonly RegexNode[] }
  | { readonly kind: "choice"; readonly options: readonly RegexNode[] }
  /** `max` Infinity: unbounded. */
  | { readonly kind: "repeat"; readonly node: RegexNode; readonly min: number; readonly max: number };

export interface ParsedRegex {
  readonly root: RegexNode;
  /** The pattern starts with `(?i)`. */
  readonly ignoreCase: boolean;
}

const ANY: RegexNode = { kind: "class", ranges: [[0, 0x10ffff]], any: true };
const EMPTY: RegexNode = { kind: "sequence", parts: [] };
const DIGIT: readonly (readonly [number, number])[] = [[0x30, 0x39]];
const WORD: readonly (readonly [number, number])[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const SPACE: readonly (readonly [number, number])[] = [
  [9, 10],
  [12, 13],
  [32, 32],
];
const ESCAPED: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
]);
const MAX_NESTING = 50;

interface Scanner {
  readonly text: string;
  at: number;
}

/** `undefined`: not in the subset, or not valid at all. */
export function parseSimpleRegex(pattern: string): ParsedRegex | undefined {
  if (!pattern.isWellFormed()) return undefined;
  const ignoreCase = pattern.startsWith("(?i)");
  const text = ignoreCase ? pattern.slice(4) : pattern;
  const s: Scanner = { text, at: 0 };
  const root = parseChoice(s, 0);
  return root === undefined || s.at < text.length ? undefined : { root, ignoreCase };
}

function parseChoice(s: Scanner, depth: number): RegexNode | undefined {
  if (depth > MAX_NESTING) return undefined;
  const options: RegexNode[] = [];
  for (;;) {
    const option = parseSequence(s, depth);
    if (option === undefined) return undefined;
    options.push(option);
    if (s.text[s.at] !== "|") break;
    s.at++;
  }
  return options.length === 1 ? options[0] : { kind: "choice", options };
}

function parseSequence(s: Scanner, depth: number): RegexNode | undefined {
  const parts: RegexNode[] = [];
  let literal = "";
  const flush = (): void => {
    if (literal !== "") parts.push({ kind: "literal", text: literal });
    literal = "";
  };
  while (s.at < s.text.length) {
    const c = s.text[s.at] as string;
    if (c === "|" || c === ")") break;
    // A whole value is matched anyway: an anchor at either end of an outermost option changes nothing.
    const atEdge =
      c === "^" ? literal === "" && parts.length === 0 : c === "$" && /^(\||$)/.test(s.text.slice(s.at + 1, s.at + 2));
    if (depth === 0 && atEdge) {
      s.at++;
      continue;
    }
    const atom = parseAtom(s, depth);
    if (atom === undefined) return undefined;
    const repeat = parseRepeat(s);
    if (repeat === "unknown") return undefined;
    if (repeat !== undefined) {
      flush();
      parts.push({ kind: "repeat", node: atom, min: repeat[0], max: repeat[1] });
    } else if (atom.kind === "literal") {
      literal += atom.text;
    } else {
      flush();
      parts.push(atom);
    }
  }
  flush();
  return parts.length === 1 ? parts[0] : parts.length === 0 ? EMPTY : { kind: "sequence", parts };
}

/** One character, class or group; a literal atom is a single code point. */
function parseAtom(s: Scanner, depth: number): RegexNode | undefined {
  const c = s.text[s.at] as string;
  switch (c) {
    case ".":
      s.at++;
      return ANY;
    case "[":
      return parseClass(s);
    case "\\":
      return parseEscape(s);
    case "(":
      return parseGroup(s, depth);
    case "*":
    case "+":
    case "?":
    case "{":
    case "^":
    case "$":
      return undefined;
    default: {
      const text = String.fromCodePoint(s.text.codePointAt(s.at) as number);
      s.at += text.length;
      return { kind: "literal", text };
    }
  }
}

function parseGroup(s: Scanner, depth: number): RegexNode | undefined {
  s.at++;
  if (s.text[s.at] === "?") {
    if (!s.text.startsWith("?:", s.at)) return undefined;
    s.at += 2;
  }
  const inner = parseChoice(s, depth + 1);
  if (inner === undefined || s.text[s.at] !== ")") return undefined;
  s.at++;
  // A literal of several characters stays a group, so that a following repetition covers all of it.
  return inner.kind === "literal" && inner.text.length > 1 ? { kind: "sequence", parts: [inner] } : inner;
}

function parseRepeat(s: Scanner): readonly [number, number] | undefined | "unknown" {
  const c = s.text[s.at];
  let range: readonly [number, number];
  if (c === "*") range = [0, Number.POSITIVE_INFINITY];
  else if (c === "+") range = [1, Number.POSITIVE_INFINITY];
  else if (c === "?") range = [0, 1];
  else if (c === "{") {
    const m = /^\{(\d{1,3})(,(\d{0,3}))?\}/.exec(s.text.slice(s.at, s.at + 10));
    if (m === null) return "unknown";
    const min = Number(m[1]);
    const max = m[2] === undefined ? min : m[3] === "" ? Number.POSITIVE_INFINITY : Number(m[3]);
    if (max < min) return "unknown";
    s.at += m[0].length - 1;
    range = [min, max];
  } else return undefined;
  s.at++;
  // Lazy or greedy is the same for a whole match. Anything further would be a repetition of a repetition.
  if (s.text[s.at] === "?") s.at++;
  const next = s.text[s.at];
  return next === "*" || next === "+" || next === "?" || next === "{" ? "unknown" : range;
}

function parseEscape(s: Scanner): RegexNode | undefined {
  const c = s.text[s.at + 1];
  if (c === undefined) return undefined;
  s.at += 2;
  if (c === "d") return { kind: "class", ranges: DIGIT, any: false };
  if (c === "w") return { kind: "class", ranges: WORD, any: false };
  if (c === "s") return { kind: "class", ranges: SPACE, any: false };
  const text = ESCAPED.get(c) ?? (isPunctuation(c) ? c : undefined);
  return text === undefined ? undefined : { kind: "literal", text };
}

function parseClass(s: Scanner): RegexNode | undefined {
  s.at++;
  const negated = s.text[s.at] === "^";
  if (negated) s.at++;
  const ranges: (readonly [number, number])[] = [];
  for (let first = true; ; first = false) {
    const c = s.text[s.at];
    if (c === undefined || c === "[") return undefined;
    if (c === "]" && !first) break;
    if (c === "-" && !first && s.text[s.at + 1] !== "]") return undefined;
    const low = classMember(s);
    if (low === undefined) return undefined;
    if (typeof low !== "number") {
      ranges.push(...low);
      if (s.text[s.at] === "-" && s.text[s.at + 1] !== "]") return undefined;
    } else if (s.text[s.at] === "-" && s.text[s.at + 1] !== "]" && s.text[s.at + 1] !== undefined) {
      s.at++;
      if (s.text[s.at] === "[") return undefined;
      const high = classMember(s);
      if (typeof high !== "number" || high < low) return undefined;
      ranges.push([low, high]);
    } else ranges.push([low, low]);
  }
  s.at++;
  const merged = mergeRanges(ranges);
  const out = negated ? invertRanges(merged) : merged;
  return out.length === 0 ? undefined : { kind: "class", ranges: out, any: false };
}

function classMember(s: Scanner): number | readonly (readonly [number, number])[] | undefined {
  if (s.text[s.at] === "\\") {
    const node = parseEscape(s);
    if (node === undefined) return undefined;
    return node.kind === "class" ? node.ranges : node.kind === "literal" ? node.text.codePointAt(0) : undefined;
  }
  const c = s.text.codePointAt(s.at) as number;
  s.at += c > 0xffff ? 2 : 1;
  return c;
}

function mergeRanges(ranges: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const out: [number, number][] = [];
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else out.push([low, high]);
  }
  return out;
}

function invertRanges(ranges: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const out: (readonly [number, number])[] = [];
  let from = 0;
  for (const [low, high] of ranges) {
    if (low > from) out.push([from, low - 1]);
    from = high + 1;
  }
  if (from <= 0x10ffff) out.push([from, 0x10ffff]);
  return out;
}

function isPunctuation(c: string): boolean {
  return /^[!-/:-@[-`{-~]$/.test(c);
}
