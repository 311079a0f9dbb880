import { parseDuration } from "../../lib/duration.ts";
import { queryEscape } from "../../lib/gotemplate/builtins.ts";
import { goDurationOf } from "../../lib/gotemplate/go-duration.ts";
import { goMatch, goReplaceAll } from "../../lib/gotemplate/go-regexp.ts";
import { templateTime } from "../../lib/gotemplate/go-time.ts";
import { printValue, sprintf } from "../../lib/gotemplate/print.ts";
import { anyMap, type TemplateFunction, type Value } from "../../lib/gotemplate/value.ts";
import { isTemplateHistogram } from "./template-histogram.ts";

/**
 * The functions of Prometheus's templates but `query`, `externalURL`, `pathPrefix` and `tmpl`, which need a context.
 * They throw plain Errors.
 */
export const TEMPLATE_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  first: (samples: Value) => {
    const [first] = sampleList(samples);
    if (first === undefined) throw new Error("first() called on vector with no elements");
    return first;
  },
  label: (name: Value, sample: Value) => sampleOf(sample).Labels.get(String(name)) ?? "",
  value: (sample: Value) => sampleOf(sample).Value,
  strvalue: (sample: Value) => sampleOf(sample).Labels.get("__value__") ?? "",
  sortByLabel: (name: Value, samples: Value) => {
    const of = (s: Sample) => s.Labels.get(String(name)) ?? "";
    return [...sampleList(samples)].sort((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0));
  },
  args: (...args: Value[]) => anyMap(args.map((arg, i) => [`arg${i}`, arg])),
  reReplaceAll: (pattern: Value, replacement: Value, text: Value) =>
    goReplaceAll(textOf(pattern), textOf(replacement), textOf(text)),
  match: (pattern: Value, text: Value) => goMatch(textOf(pattern), textOf(text)),
  safeHtml: (text: Value) => text,
  title: (text: Value) => goTitle(textOf(text)),
  toUpper: (text: Value) => goUpper(textOf(text)),
  toLower: (text: Value) => goLower(textOf(text)),
  urlQueryEscape: (text: Value) => queryEscape(textOf(text)),
  stripPort: (text: Value) => splitHostPort(textOf(text))?.host ?? textOf(text),
  stripDomain: (text: Value) => stripDomain(textOf(text)),
  graphLink: (expr: Value) => `/graph?g0.expr=${queryEscape(textOf(expr))}&g0.tab=0`,
  tableLink: (expr: Value) => `/graph?g0.expr=${queryEscape(textOf(expr))}&g0.tab=1`,
  parseDuration: (text: Value) => parseDuration(textOf(text)) / 1000,
  toDuration: (seconds: Value) => goDurationOf(toFloat(seconds)),
  toTime: (seconds: Value) => timeAt(toFloat(seconds)),
  humanize: (v: Value) => humanize(toFloat(v)),
  humanize1024: (v: Value) => humanize1024(toFloat(v)),
  humanizeDuration: (v: Value) => humanizeDuration(toFloat(v)),
  humanizePercentage: (v: Value) => `${significant(toFloat(v) * 100)}%`,
  humanizeTimestamp: (v: Value) => {
    const seconds = toFloat(v);
    return Number.isFinite(seconds) ? printValue(timeAt(seconds)) : significant(seconds);
  },
};

/** One result of a query, as templates see it. */
export interface Sample {
  readonly [field: string]: unknown;
  readonly Labels: ReadonlyMap<string, Value>;
  /** A number, or a native histogram (template-histogram.ts). */
  readonly Value: Value;
}

function sampleList(v: Value): readonly Sample[] {
  if (!Array.isArray(v)) throw new Error("not the result of a query");
  return v as unknown as readonly Sample[];
}

function sampleOf(v: Value): Sample {
  const sample = v as Sample;
  if (typeof v !== "object" || v === null || !(sample.Labels instanceof Map)) throw new Error("not a sample");
  return sample;
}

function toFloat(v: Value): number {
  if (typeof v === "number") return v;
  if (typeof v === "bigint") return Number(v);
  if (isTemplateHistogram(v)) throw new Error("can't convert *histogram.FloatHistogram to float");
  if (typeof v !== "string") throw new Error(`can't convert ${printValue(v)} to float`);
  return parseFloatGo(v);
}

/** strconv.ParseFloat: no blanks; hexadecimal only with an exponent. */
function parseFloatGo(text: string): number {
  if (/^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return Number.NaN;
  const plain = text.replace(/(?<=[0-9a-f])_(?=[0-9a-f])/gi, "");
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return Number(plain);
  const hex = /^([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)p([+-]?\d+)$/i.exec(plain);
  const [, sign, whole = "", fraction = "", power] = hex ?? [];
  if (whole + fraction === "") throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = Number(`0x${whole}${fraction}`) * 2 ** (Number(power) - 4 * fraction.length);
  return sign === "-" ? -value : value;
}

function textOf(v: Value): string {
  if (typeof v === "string") return v;
  throw new Error(`expected string; found ${printValue(v)}`);
}

/** Letter by letter, as in Go: none becomes two. */
export function goUpper(text: string): string {
  return text.replace(/[^\0-\x7f]|[a-z]+/gu, (c) => (c.toUpperCase().length > c.length ? c : c.toUpperCase()));
}

export function goLower(text: string): string {
  return text.replace(/[^\0-\x7f]|[A-Z]+/gu, (c) =>
    c.toLowerCase().length > c.length ? ([...c.toLowerCase()][0] as string) : c.toLowerCase(),
  );
}

/** The first letter of every word in upper case, the others as they are. A word may begin with digits. */
export function goTitle(text: string): string {
  return text.replace(
    /(^|[^\p{L}\p{Nd}_'’])([\p{Nd}_]*)(\p{Ll})/gu,
    (_, before: string, digits: string, letter: string) => before + digits + letter.toUpperCase(),
  );
}

/** `%.4g` */
function significant(v: number): string {
  return sprintf("%.4g", [v]);
}

function scaled(v: number, prefixes: readonly string[], done: (abs: number) => boolean, factor: number): string {
  let rest = v;
  let prefix = "";
  for (const p of prefixes) {
    if (done(Math.abs(rest))) break;
    prefix = p;
    rest *= factor;
  }
  return significant(rest) + prefix;
}

const SMALL = ["m", "u", "n", "p", "f", "a", "z", "y"];

function humanize(v: number): string {
  if (v === 0 || !Number.isFinite(v)) return significant(v);
  if (Math.abs(v) >= 1) return scaled(v, ["k", "M", "G", "T", "P", "E", "Z", "Y"], (abs) => abs < 1000, 1 / 1000);
  return scaled(v, SMALL, (abs) => abs >= 1, 1000);
}

function humanize1024(v: number): string {
  if (Math.abs(v) <= 1 || !Number.isFinite(v)) return significant(v);
  return scaled(v, ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"], (abs) => abs < 1024, 1 / 1024);
}

function humanizeDuration(v: number): string {
  if (!Number.isFinite(v)) return significant(v);
  if (v === 0) return `${significant(v)}s`;
  if (Math.abs(v) < 1) return `${scaled(v, SMALL, (abs) => abs >= 1, 1000)}s`;
  const sign = v < 0 ? "-" : "";
  const whole = Math.trunc(Math.abs(v));
  const [s, m, h, d] = [
    whole % 60,
    Math.floor(whole / 60) % 60,
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 86_400),
  ];
  if (d > 0) return `${sign}${d}d ${h}h ${m}m ${s}s`;
  if (h > 0) return `${sign}${h}h ${m}m ${s}s`;
  if (m > 0) return `${sign}${m}m ${s}s`;
  return `${sign}${significant(Math.abs(v))}s`;
}

function timeAt(seconds: number): Value {
  return templateTime(Math.round(seconds * 1000));
}

function splitHostPort(text: string): { host: string; port: string } | undefined {
  const m = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text);
  return m === null ? undefined : { host: m[1] ?? m[2] ?? "", port: m[3] ?? "" };
}

function stripDomain(text: string): string {
  const split = splitHostPort(text);
  const host = split?.host ?? text;
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host) || host.includes(":")) return text;
  const short = host.split(".")[0] as string;
  return split === undefined ? short : `${short}:${split.port}`;
}
