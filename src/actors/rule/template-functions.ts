import { parseDuration } from "../../lib/duration.ts";
import { queryEscape } from "../../lib/gotemplate/builtins.ts";
import { goMatch, goReplaceAll } from "../../lib/gotemplate/go-regexp.ts";
import { sprintf } from "../../lib/gotemplate/print.ts";
import type { TemplateFunction, Value } from "../../lib/gotemplate/value.ts";
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
  args: (...args: Value[]) => new Map(args.map((arg, i) => [`arg${i}`, arg])),
  reReplaceAll: (pattern: Value, replacement: Value, text: Value) =>
    goReplaceAll(String(pattern), String(replacement), String(text)),
  match: (pattern: Value, text: Value) => goMatch(String(pattern), String(text)),
  safeHtml: (text: Value) => text,
  title: (text: Value) =>
    String(text).replace(/(^|[^\p{L}\p{Nd}_'])(\p{Ll})/gu, (_, a: string, b: string) => a + b.toUpperCase()),
  toUpper: (text: Value) => String(text).toUpperCase(),
  toLower: (text: Value) => String(text).toLowerCase(),
  urlQueryEscape: (text: Value) => queryEscape(String(text)),
  stripPort: (text: Value) => splitHostPort(String(text))?.host ?? String(text),
  stripDomain: (text: Value) => stripDomain(String(text)),
  graphLink: (expr: Value) => `/graph?g0.expr=${queryEscape(String(expr))}&g0.tab=0`,
  tableLink: (expr: Value) => `/graph?g0.expr=${queryEscape(String(expr))}&g0.tab=1`,
  parseDuration: (text: Value) => parseDuration(String(text)) / 1000,
  toDuration: (seconds: Value) => goDuration(toFloat(seconds)),
  toTime: (seconds: Value) => time(toFloat(seconds)),
  humanize: (v: Value) => humanize(toFloat(v)),
  humanize1024: (v: Value) => humanize1024(toFloat(v)),
  humanizeDuration: (v: Value) => humanizeDuration(toFloat(v)),
  humanizePercentage: (v: Value) => `${significant(toFloat(v) * 100)}%`,
  humanizeTimestamp: (v: Value) => {
    const seconds = toFloat(v);
    return Number.isFinite(seconds) ? timeText(seconds) : significant(seconds);
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
  const text = String(v).trim();
  if (typeof v === "string" && /^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (typeof v === "string" && /^nan$/i.test(text)) return Number.NaN;
  const number = Number(text.replaceAll("_", ""));
  if (typeof v !== "string" || text === "" || Number.isNaN(number))
    throw new Error(`can't convert ${typeof v} to float: ${text}`);
  return number;
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

/** time.Time as Go prints it: `2023-11-14 22:13:20.5 +0000 UTC`. */
function timeText(seconds: number): string {
  const ms = Math.round(seconds * 1000);
  if (Math.abs(ms) > 8.64e15) throw new Error(`${seconds} cannot be represented as a timestamp since it overflows`);
  return `${new Date(ms)
    .toISOString()
    .replace("T", " ")
    .replace(/\.?0*Z$/, "")} +0000 UTC`;
}

function time(seconds: number): Value {
  const at = new Date(seconds * 1000);
  return {
    toText: () => timeText(seconds),
    Unix: () => BigInt(Math.floor(seconds)),
    Year: () => BigInt(at.getUTCFullYear()),
    Day: () => BigInt(at.getUTCDate()),
    Hour: () => BigInt(at.getUTCHours()),
    Minute: () => BigInt(at.getUTCMinutes()),
    Second: () => BigInt(at.getUTCSeconds()),
    UTC: () => time(seconds),
  };
}

/** time.Duration as Go prints it: `1h2m3.5s`, `1.5ms`, `0s`. */
function goDuration(seconds: number): Value {
  return { toText: () => durationText(seconds), Seconds: () => seconds };
}

function durationText(seconds: number): string {
  if (seconds === 0) return "0s";
  const sign = seconds < 0 ? "-" : "";
  const abs = Math.abs(seconds);
  const trim = (x: number) => String(Number(x.toFixed(9)));
  if (abs < 1e-6) return `${sign}${trim(abs * 1e9)}ns`;
  if (abs < 1e-3) return `${sign}${trim(abs * 1e6)}µs`;
  if (abs < 1) return `${sign}${trim(abs * 1e3)}ms`;
  const h = Math.floor(abs / 3600);
  const m = Math.floor((abs % 3600) / 60);
  const s = `${trim(abs - h * 3600 - m * 60)}s`;
  return sign + (h > 0 ? `${h}h${m}m${s}` : m > 0 ? `${m}m${s}` : s);
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
