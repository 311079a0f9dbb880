/**
 * Label regular expressions: RE2 syntax, fully anchored, `.` matches newlines too, as Prometheus compiles them.
 *
 * The time of a match is bounded whatever the pattern and the value are: literals, sets and wildcards are matched by
 * string search; other simple patterns by JavaScript's engine, but only in a form that cannot backtrack more than
 * quadratically; the rest by re2js, which is linear.
 */
import { RE2JS } from "re2js";
import { regexCost } from "./regex-cost.ts";
import { parseSimpleRegex, type RegexNode } from "./regex-syntax.ts";
import { spend } from "./work-at-hand.ts";

export type StringTest = (value: string) => boolean;

/** A pattern that is no RE2 regular expression; the message is Go's. */
export class RegexError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RegexError";
  }
}

/** More alternatives than this are not worth a set: an index would look up each. */
const MAX_ALTERNATIVES = 4096;
const MAX_ALTERNATIVES_LENGTH = 1 << 16;

/** Patterns compiled lately, oldest first: one query meets the same one in the parser, the checks and every shard. */
const compiled = new Map<string, StringTest>();
const MAX_COMPILED = 500;
const MAX_COMPILED_LENGTH = 2000;

/** Compiles the pattern to a test of whole strings. Throws `RegexError`. */
export function compileMatcherRegex(pattern: string): StringTest {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const test = compilePattern(pattern);
  if (pattern.length <= MAX_COMPILED_LENGTH) {
    if (compiled.size >= MAX_COMPILED) compiled.delete(compiled.keys().next().value as string);
    compiled.set(pattern, test);
  }
  return test;
}

/**
 * What compiling and running the pattern may cost, in steps of its program (regex-cost.ts); little for one that is a choice of texts
 * and wildcards, which needs none.
 */
export function compileCost(pattern: string): number {
  const parsed = parseSimpleRegex(pattern);
  const plain =
    parsed !== undefined &&
    !parsed.ignoreCase &&
    (alternatives(parsed.root) !== undefined || toGlobs(parsed.root) !== undefined);
  return plain ? 1 : regexCost(pattern);
}

/** Steps of a program that is not worth compiling for anyone: a second's work. */
const MAX_COST = 500_000;

function compilePattern(pattern: string): StringTest {
  const parsed = parseSimpleRegex(pattern);
  if (parsed === undefined) return compileRe2(pattern);
  const { root, ignoreCase } = parsed;
  if (!ignoreCase) {
    const literals = alternatives(root);
    if (literals !== undefined) return oneOf(literals);
    const globs = toGlobs(root);
    if (globs !== undefined) return globTest(globs);
  }
  return isSafeForBacktracking(root) && (!ignoreCase || foldsAlike(root))
    ? compileJs(root, ignoreCase)
    : compileRe2(pattern);
}

/**
 * The exact strings that the pattern matches, when they are finitely many and few; otherwise undefined. No duplicates,
 * in the order of the pattern. An invalid pattern answers undefined (compiling it gives the error).
 */
export function literalAlternatives(pattern: string): string[] | undefined {
  const parsed = parseSimpleRegex(pattern);
  return parsed === undefined || parsed.ignoreCase ? undefined : alternatives(parsed.root);
}

/** A string that every match starts with; "" when nothing is known. For narrowing sorted value lists. */
export function literalPrefix(pattern: string): string {
  const parsed = parseSimpleRegex(pattern);
  if (parsed === undefined || parsed.ignoreCase) return "";
  const { root } = parsed;
  const first = root.kind === "sequence" ? root.parts[0] : root;
  return first?.kind === "literal" ? first.text : "";
}

function compileRe2(pattern: string): StringTest {
  if (regexCost(pattern) > MAX_COST) throw new RegexError("error parsing regexp: expression too large");
  try {
    const re = RE2JS.compile(pattern, RE2JS.DOTALL);
    // Its states are built as they are met: about the size of the program where that happens at each character.
    const weight = 10 + Math.min(1000, re.programSize());
    return (value) => {
      spend(value.length * weight);
      return re.testExact(value);
    };
  } catch (error) {
    throw new RegexError(goMessage(error instanceof Error ? error.message : String(error)));
  }
}

/** re2js puts the flag that stands for DOTALL before the pattern it quotes. */
function goMessage(message: string): string {
  const text = message.replace("`(?s)", "`");
  return text.endsWith("trailing backslash at end of expression") ? `${text}: \`\`` : text;
}

function oneOf(literals: readonly string[]): StringTest {
  if (literals.length === 1) {
    const only = literals[0];
    return (value) => value === only;
  }
  const set = new Set(literals);
  return (value) => set.has(value);
}

/** All strings of a finite tree, undefined when there are too many or infinitely many. */
function alternatives(node: RegexNode): string[] | undefined {
  const out = expand(node);
  return out === undefined ? undefined : [...new Set(out)];
}

function expand(node: RegexNode): string[] | undefined {
  switch (node.kind) {
    case "literal":
      return [node.text];
    case "class": {
      let count = 0;
      for (const [low, high] of node.ranges) count += high - low + 1;
      if (count > 64) return undefined;
      const out: string[] = [];
      for (const [low, high] of node.ranges) {
        for (let c = low; c <= high; c++) out.push(String.fromCodePoint(c));
      }
      return out;
    }
    case "choice": {
      const out: string[] = [];
      for (const option of node.options) {
        const some = expand(option);
        if (some === undefined || out.length + some.length > MAX_ALTERNATIVES) return undefined;
        out.push(...some);
      }
      return out;
    }
    case "sequence":
      return product(node.parts.map((part) => () => expand(part)));
    case "repeat": {
      if (node.max > 16) return undefined;
      const once = expand(node.node);
      if (once === undefined) return undefined;
      const factors: (() => string[])[] = [];
      for (let i = 0; i < node.max; i++) factors.push(i < node.min ? () => once : () => ["", ...once]);
      return product(factors);
    }
  }
}

function product(factors: readonly (() => string[] | undefined)[]): string[] | undefined {
  let out = [""];
  let length = 0;
  for (const factor of factors) {
    const some = factor();
    if (some === undefined || out.length * some.length > MAX_ALTERNATIVES) return undefined;
    const next: string[] = [];
    length = 0;
    for (const a of out) {
      for (const b of some) {
        next.push(a + b);
        length += a.length + b.length;
      }
    }
    if (length > MAX_ALTERNATIVES_LENGTH) return undefined;
    out = next;
  }
  return out;
}

/** Literals in order, between them at least `gap` characters (`.*` 0, `.+` 1), before the first and after the last too. */
interface Glob {
  readonly literals: readonly string[];
  /** One more than literals; -1: nothing may come in between. */
  readonly gaps: readonly number[];
}

/** A choice of literals with `.*` or `.+` between, undefined for any other shape. */
function toGlobs(root: RegexNode): Glob[] | undefined {
  const options = root.kind === "choice" ? root.options : [root];
  const globs: Glob[] = [];
  for (const option of options) {
    const parts = option.kind === "sequence" ? option.parts : [option];
    const literals: string[] = [];
    const gaps: number[] = [-1];
    for (const part of parts) {
      const gap = part.kind === "repeat" && isAny(part.node) && part.max === Number.POSITIVE_INFINITY ? part.min : -1;
      const last = gaps.length - 1;
      if (gap === 0 || gap === 1) gaps[last] = Math.max(gaps[last] as number, 0) + gap;
      else if (part.kind === "literal") {
        if (gaps[last] === -1 && literals.length > 0) literals[literals.length - 1] += part.text;
        else {
          literals.push(part.text);
          gaps.push(-1);
        }
      } else return undefined;
    }
    // Gaps of several characters count code points, which the search below does not: only 0 and 1 are exact.
    if (gaps.some((g) => g > 1)) return undefined;
    globs.push({ literals, gaps });
  }
  return globs;
}

function globTest(globs: readonly Glob[]): StringTest {
  const tests = globs.map(oneGlobTest);
  if (tests.length === 1) return tests[0] as StringTest;
  return (value) => {
    spend(tests.length * (20 + value.length));
    return tests.some((test) => test(value));
  };
}

function oneGlobTest(glob: Glob): StringTest {
  const { literals, gaps } = glob;
  const n = literals.length;
  if (n === 0) {
    const least = gaps[0] as number;
    return least < 0 ? (value) => value === "" : (value) => value.length >= least;
  }
  if (n === 1) {
    const text = literals[0] as string;
    const [before, after] = gaps as [number, number];
    if (before < 0 && after < 0) return (value) => value === text;
    if (before < 0) return (value) => value.startsWith(text) && value.length >= text.length + after;
    if (after < 0) return (value) => value.endsWith(text) && value.length >= text.length + before;
    if (before === 0 && after === 0) return (value) => value.includes(text);
  }
  const first = gaps[0] as number;
  const lastGap = gaps[n] as number;
  const last = literals[n - 1] as string;
  return (value) => {
    let at = 0;
    let i = 0;
    if (first < 0) {
      if (!value.startsWith(literals[0] as string)) return false;
      at = (literals[0] as string).length;
      i = 1;
    }
    // The leftmost place of each literal leaves the most room for those that follow.
    const searched = lastGap < 0 ? n - 1 : n;
    for (; i < searched; i++) {
      const text = literals[i] as string;
      const found = value.indexOf(text, at + (gaps[i] as number));
      if (found < 0) return false;
      at = found + text.length;
    }
    if (lastGap >= 0) return value.length - at >= lastGap;
    const end = value.length - last.length;
    return i > n - 1 ? end + last.length === at : end >= at + (gaps[n - 1] as number) && value.endsWith(last);
  };
}

function isAny(node: RegexNode): boolean {
  return node.kind === "class" && node.any;
}

/**
 * True when JavaScript's backtracking stays within length squared: repetition only of single characters, at most two of
 * them unbounded, bounded ones small, few choices.
 */
function isSafeForBacktracking(root: RegexNode): boolean {
  let unbounded = 0;
  let branches = 1;
  let safe = true;
  const visit = (node: RegexNode): void => {
    switch (node.kind) {
      case "sequence":
        for (const part of node.parts) visit(part);
        break;
      case "choice":
        branches *= node.options.length;
        for (const option of node.options) visit(option);
        break;
      case "repeat":
        if (node.max === Number.POSITIVE_INFINITY) unbounded++;
        else branches *= node.max - node.min + 1;
        if (node.node.kind === "class" || (node.node.kind === "literal" && [...node.node.text].length === 1)) {
          if (node.min > 64) safe = false;
        } else if (node.max === 1) visit(node.node);
        else safe = false;
        break;
      default:
    }
  };
  visit(root);
  return safe && unbounded <= 2 && branches <= 64;
}

/**
 * True when ignoring case means the same in both engines: for ASCII literals it does (`k` is also the Kelvin sign, `s` the
 * long s), for classes it depends on how they are written.
 */
function foldsAlike(root: RegexNode): boolean {
  switch (root.kind) {
    case "literal":
      return /^[\0-\x7f]*$/.test(root.text);
    case "class":
      return root.any;
    case "sequence":
      return root.parts.every(foldsAlike);
    case "choice":
      return root.options.every(foldsAlike);
    case "repeat":
      return foldsAlike(root.node);
  }
}

function compileJs(root: RegexNode, ignoreCase: boolean): StringTest {
  const re = new RegExp(`^(?:${jsSource(root)})$`, ignoreCase ? "sui" : "su");
  return (value) => {
    // It may go back at each character.
    spend(value.length * value.length);
    return re.test(value);
  };
}

function jsSource(node: RegexNode): string {
  switch (node.kind) {
    case "literal":
      return [...node.text].map((c) => codePoint(c.codePointAt(0) as number)).join("");
    case "class":
      return node.any ? "." : `[${node.ranges.map(([a, b]) => `${codePoint(a)}-${codePoint(b)}`).join("")}]`;
    case "sequence":
      return node.parts.map(jsSource).join("");
    case "choice":
      return `(?:${node.options.map(jsSource).join("|")})`;
    case "repeat":
      return `(?:${jsSource(node.node)}){${node.min},${Number.isFinite(node.max) ? node.max : ""}}`;
  }
}

function codePoint(c: number): string {
  return `\\u{${c.toString(16)}}`;
}
