import {
  CUSTOM_BUCKETS_SCHEMA,
  type Histogram,
  makeHistogram,
  RESET_GAUGE,
  RESET_NO,
  RESET_UNKNOWN,
  RESET_YES,
} from "../../model/histogram.ts";
import { readNumber } from "./read-number.ts";

/** A histogram of a script. `hintSet`: what it says of a counter reset has been written down, not left out. */
export interface WrittenHistogram {
  readonly kind: "histogram";
  readonly histogram: Histogram;
  readonly hintSet: boolean;
}

/** Counts of buckets by the buckets' indexes. */
type Buckets = ReadonlyMap<number, number>;

const HINTS: Readonly<Record<string, number>> = {
  unknown: RESET_UNKNOWN,
  reset: RESET_YES,
  not_reset: RESET_NO,
  gauge: RESET_GAUGE,
};
const ATTRIBUTE = /\s*([a-z_]+):(\[[^\]]*\]|[^\s\]]+)/giy;
const KNOWN = new Set(
  "schema sum count z_bucket z_bucket_w buckets offset n_buckets n_offset custom_values counter_reset_hint".split(" "),
);

/** Reads what stands between `{{` and `}}`: always a float histogram. */
export function readHistogram(text: string): WrittenHistogram {
  const said = new Map<string, string>();
  let end = 0;
  for (const m of text.matchAll(ATTRIBUTE)) {
    const key = (m[1] as string).toLowerCase();
    if (!KNOWN.has(key) || said.has(key)) throw new Error(`attribute ${key} in {{${text}}}`);
    said.set(key, m[2] as string);
    end = m.index + m[0].length;
  }
  if (text.slice(end).trim() !== "") throw new Error(`cannot read ${text.slice(end)} in {{${text}}}`);
  const number = (key: string): number => readNumber(said.get(key) ?? "0");
  const list = (key: string): number[] => {
    const inside = (said.get(key) ?? "[]").slice(1, -1).trim();
    return inside === "" ? [] : inside.split(/\s+/).map(readNumber);
  };
  const h = makeHistogram();
  h.float = true;
  h.schema = number("schema");
  h.sum = number("sum");
  h.count = number("count");
  h.zeroCount = number("z_bucket");
  h.zeroThreshold = number("z_bucket_w");
  h.customBounds = list("custom_values");
  h.positive = list("buckets");
  if (h.positive.length > 0) h.positiveSpans = [number("offset"), h.positive.length];
  h.negative = list("n_buckets");
  if (h.negative.length > 0) h.negativeSpans = [number("n_offset"), h.negative.length];
  const hint = said.get("counter_reset_hint");
  if (hint !== undefined && !(hint in HINTS)) throw new Error(`counter reset hint ${hint} in {{${text}}}`);
  h.resetHint = HINTS[hint ?? "unknown"] as number;
  return { kind: "histogram", histogram: h, hintSet: hint !== undefined };
}

/**
 * The series `base`, `base + step`, `base + 2 step`, ... (`sign` -1: `base - step`, ...) of `times` + 1 histograms.
 * Whether the hint is set, the step alone says.
 */
export function histogramSequence(
  base: WrittenHistogram,
  step: WrittenHistogram,
  sign: number,
  times: number,
): WrittenHistogram[] {
  const { hintSet } = step;
  const out: WrittenHistogram[] = [{ ...base, hintSet }];
  let h = base.histogram;
  for (let i = 0; i < times; i++) {
    h = added(h, step.histogram, sign);
    out.push({ kind: "histogram", histogram: h, hintSet });
  }
  return out;
}

/** Scripts add histograms of like zero buckets and bounds only: all else is refused here. */
function added(a: Histogram, b: Histogram, sign: number): Histogram {
  const custom = a.schema === CUSTOM_BUCKETS_SCHEMA;
  if (a.schema > b.schema || (custom && b.schema !== a.schema)) {
    throw new Error(`error combining histograms: cannot merge from schema ${b.schema} to ${a.schema}`);
  }
  if (a.zeroThreshold !== b.zeroThreshold) throw new Error(`zero thresholds ${a.zeroThreshold} and ${b.zeroThreshold}`);
  if (String(a.customBounds) !== String(b.customBounds)) throw new Error("unequal custom bounds");
  const coarser = custom ? 0 : b.schema - a.schema;
  const h: Histogram = {
    ...a,
    resetHint: hintOfSum(a.resetHint, b.resetHint),
    count: a.count + sign * b.count,
    sum: a.sum + sign * b.sum,
    zeroCount: a.zeroCount + sign * b.zeroCount,
  };
  [h.positiveSpans, h.positive] = addedBuckets(a.positiveSpans, a.positive, b.positiveSpans, b.positive, coarser, sign);
  [h.negativeSpans, h.negative] = addedBuckets(a.negativeSpans, a.negative, b.negativeSpans, b.negative, coarser, sign);
  return h;
}

/** Equal hints stay; a gauge makes gauges; else nothing is known. */
function hintOfSum(a: number, b: number): number {
  if (a === b) return a;
  return a === RESET_GAUGE || b === RESET_GAUGE ? RESET_GAUGE : RESET_UNKNOWN;
}

function addedBuckets(
  aSpans: readonly number[],
  a: readonly number[],
  bSpans: readonly number[],
  b: readonly number[],
  coarser: number,
  sign: number,
): [spans: number[], counts: number[]] {
  const sum = new Map(bucketsOf(aSpans, a));
  for (const [i, n] of bucketsOf(bSpans, b)) {
    const to = coarser === 0 ? i : ((i - 1) >> coarser) + 1;
    sum.set(to, (sum.get(to) ?? 0) + sign * n);
  }
  return spansOf(sum);
}

/** Throws where the spans do not fit the counts, or one bucket is there twice. */
export function bucketsOf(spans: readonly number[], counts: readonly number[]): Buckets {
  const out = new Map<number, number>();
  let index = 0;
  let at = 0;
  for (let i = 0; i < spans.length; i += 2) {
    index += spans[i] as number;
    for (let n = 0; n < (spans[i + 1] as number); n++) {
      if (out.has(index) || at === counts.length) throw new Error(`spans ${spans} of ${counts.length} buckets`);
      out.set(index++, counts[at++] as number);
    }
  }
  if (at !== counts.length) throw new Error(`spans ${spans} of ${counts.length} buckets`);
  return out;
}

/** Spans and counts of buckets, the empty ones that are named among them. */
export function spansOf(buckets: Buckets): [spans: number[], counts: number[]] {
  const spans: number[] = [];
  const counts: number[] = [];
  let end = 0;
  for (const [index, n] of [...buckets].sort(([a], [b]) => a - b)) {
    if (spans.length > 0 && index === end) spans[spans.length - 1] = (spans.at(-1) as number) + 1;
    else spans.push(index - end, 1);
    counts.push(n);
    end = index + 1;
  }
  return [spans, counts];
}
