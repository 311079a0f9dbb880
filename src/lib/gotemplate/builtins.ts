import { printValue, sprint, sprintf } from "./print.ts";
import { isObject, isTrue, missingIn, plainOf, type TemplateFunction, type Value } from "./value.ts";

/** Go's own template functions but `and`, `or` and `call`, which the evaluator does itself. They throw plain Errors. */
export const BUILTIN_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  not: (v: Value) => !isTrue(v),
  len: (v: Value) => {
    if (typeof v === "string") return BigInt(Buffer.byteLength(v));
    if (Array.isArray(v)) return BigInt(v.length);
    if (v instanceof Map) return BigInt(v.size);
    throw new Error(`len of type ${kindOf(v)}`);
  },
  index: (v: Value, ...keys: Value[]) => keys.reduce(indexOne, v),
  slice: (v: Value, from: Value = 0n, to?: Value) => {
    if (typeof v !== "string" && !Array.isArray(v)) throw new Error(`can't slice item of type ${kindOf(v)}`);
    const end = to === undefined ? v.length : whole(to);
    const begin = whole(from);
    if (begin < 0 || end > v.length || begin > end) throw new Error(`index out of range: ${begin}:${end}`);
    return v.slice(begin, end);
  },
  print: (...args: Value[]) => sprint(args),
  println: (...args: Value[]) => `${args.map(printValue).join(" ")}\n`,
  printf: (format: Value, ...args: Value[]) => {
    if (typeof format !== "string") throw new Error(`printf wants a string, got ${kindOf(format)}`);
    return sprintf(format, args);
  },
  html: (...args: Value[]) => sprint(args).replace(/[&<>"'\0]/g, (c) => HTML[c] as string),
  js: (...args: Value[]) => sprint(args).replace(/[\\'"<>&=]|\p{C}|(?! )\p{Z}/gu, escapeJs),
  urlquery: (...args: Value[]) => queryEscape(sprint(args)),
  eq: (a: Value, ...others: Value[]) => {
    if (others.length === 0) throw new Error("missing argument for comparison");
    return others.some((b) => equal(a, b));
  },
  ne: (a: Value, b: Value) => !equal(a, b),
  lt: (a: Value, b: Value) => compare(a, b) < 0,
  le: (a: Value, b: Value) => compare(a, b) <= 0,
  gt: (a: Value, b: Value) => compare(a, b) > 0,
  ge: (a: Value, b: Value) => compare(a, b) >= 0,
};

const HTML: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
  "\0": "\uFFFD",
};

function escapeJs(c: string): string {
  if (/[\\'"]/.test(c)) return `\\${c}`;
  return `\\u${(c.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** As Go's url.QueryEscape: a space is a plus. */
export function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}

export function kindOf(v: Value): string {
  if (v === null || v === undefined) return "nil";
  if (typeof v === "bigint") return "int";
  if (typeof v === "number") return "float64";
  if (Array.isArray(v)) return "slice";
  if (v instanceof Map) return "map";
  return typeof v === "object" ? "struct" : typeof v;
}

function indexOne(v: Value, key: Value): Value {
  if (v instanceof Map) return (typeof key === "string" ? v.get(key) : undefined) ?? missingIn(v);
  if (Array.isArray(v)) {
    const i = whole(key);
    if (i < 0 || i >= v.length) throw new Error(`error calling index: index out of range: ${i}`);
    return v[i] as Value;
  }
  if (typeof v === "string") {
    const byte = Buffer.from(v)[whole(key)];
    if (byte === undefined) throw new Error(`error calling index: index out of range: ${String(key)}`);
    return BigInt(byte);
  }
  throw new Error(`can't index item of type ${kindOf(v)}`);
}

function whole(v: Value): number {
  if (typeof v === "bigint") return Number(v);
  if (typeof v === "number" && Number.isInteger(v)) return v;
  throw new Error(`cannot index slice/array with type ${kindOf(v)}`);
}

/** A literal that Go takes for an integer compares with floats too when written so; others must be of one kind. */
function comparable(a: Value, b: Value): void {
  if (typeof a === typeof b && (typeof a !== "object" || a === null || b === null)) return;
  throw new Error(`error calling eq: incompatible types for comparison`);
}

function equal(x: Value, y: Value): boolean {
  const [a, b] = [plainOf(x), plainOf(y)];
  if (a === null || b === null) return a === b;
  if (isObject(a) || isObject(b) || Array.isArray(a) || a instanceof Map) throw new Error("non-comparable type");
  comparable(a, b);
  return a === b;
}

function compare(first: Value, second: Value): number {
  const [a, b] = [plainOf(first), plainOf(second)];
  comparable(a, b);
  if (a === null || b === null || typeof a === "boolean" || typeof a === "object")
    throw new Error("invalid type for comparison");
  const [x, y] = [a, b] as [string, string];
  if (typeof a === "string") return Buffer.compare(Buffer.from(x), Buffer.from(y));
  // NaN is neither less nor greater; everything compares false but "not equal".
  return x < y ? -1 : x > y ? 1 : x === y ? 0 : Number.NaN;
}
