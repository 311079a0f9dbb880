import { formatFloatG } from "../../lib/float-format.ts";
import { type Histogram, RESET_GAUGE, RESET_NO, RESET_YES } from "../../model/histogram.ts";
import { hasCustomBuckets } from "./bounds.ts";
import { BOTH, fillBuckets, LOWER_ONLY, makeBucketTable, UPPER_ONLY } from "./buckets.ts";
import { compactHistogram } from "./compact.ts";
import { cloneHistogram } from "./copy.ts";

/** A populated bucket as the HTTP API tells it: which bounds belong to it (0 upper, 1 lower, 2 neither, 3 both), bounds, count. */
export type ApiBucket = readonly [inclusive: number, lower: number, upper: number, count: number];

const table = makeBucketTable();

/** The populated buckets in ascending order, for the HTTP API. */
export function apiBuckets(h: Histogram): ApiBucket[] {
  fillBuckets(h, table);
  const buckets: ApiBucket[] = [];
  for (let i = 0; i < table.n; i++) {
    const count = table.count[i] as number;
    if (count === 0) continue;
    buckets.push([table.inclusive[i] as number, table.lower[i] as number, table.upper[i] as number, count]);
  }
  return buckets;
}

/** A histogram in words, as templates and `count_values` have it: `{count:3, sum:1.5, (0.5,1]:3}`. */
export function showHistogram(h: Histogram): string {
  const parts = [`count:${formatFloatG(h.count)}`, `sum:${formatFloatG(h.sum)}`];
  // Unlike the API, this shows a negative zero bucket (of a difference), and buckets with their own bounds.
  fillBuckets(Object.assign(cloneHistogram(h), { zeroThreshold: 0, zeroCount: 0 }), table);
  const { zeroCount, zeroThreshold } = h;
  for (let i = 0; i < table.n; i++) {
    if (i === h.negative.length) showZeroBucket(parts, zeroCount, zeroThreshold);
    const count = table.count[i] as number;
    if (count === 0) continue;
    const inclusive = table.inclusive[i] as number;
    const open = inclusive === BOTH || inclusive === LOWER_ONLY ? "[" : "(";
    const close = inclusive === BOTH || inclusive === UPPER_ONLY ? "]" : ")";
    const bounds = `${formatFloatG(table.lower[i] as number)},${formatFloatG(table.upper[i] as number)}`;
    parts.push(`${open}${bounds}${close}:${formatFloatG(count)}`);
  }
  if (table.n <= h.negative.length) showZeroBucket(parts, zeroCount, zeroThreshold);
  return `{${parts.join(", ")}}`;
}

function showZeroBucket(parts: string[], count: number, threshold: number): void {
  if (count !== 0) parts.push(`[${formatFloatG(-threshold)},${formatFloatG(threshold)}]:${formatFloatG(count)}`);
}

/** A histogram in the notation of promqltest scripts and unit tests of rules: `{{schema:1 count:3 sum:1.5 buckets:[1 2]}}`. */
export function notateHistogram(h: Histogram): string {
  const m = compactHistogram(cloneHistogram(h), Number.POSITIVE_INFINITY);
  const parts: string[] = [];
  const field = (name: string, value: number) => {
    if (value !== 0) parts.push(`${name}:${formatFloatG(value)}`);
  };
  if (m.schema !== 0) parts.push(`schema:${m.schema}`);
  field("count", m.count);
  field("sum", m.sum);
  field("z_bucket", m.zeroCount);
  field("z_bucket_w", m.zeroThreshold);
  if (hasCustomBuckets(m)) parts.push(`custom_values:${list(m.customBounds)}`);
  const hint = HINTS.get(m.resetHint);
  if (hint !== undefined) parts.push(`counter_reset_hint:${hint}`);
  if ((m.positiveSpans[0] ?? 0) !== 0) parts.push(`offset:${m.positiveSpans[0]}`);
  if (m.positive.length > 0) parts.push(`buckets:${list(m.positive)}`);
  if ((m.negativeSpans[0] ?? 0) !== 0) parts.push(`n_offset:${m.negativeSpans[0]}`);
  if (m.negative.length > 0) parts.push(`n_buckets:${list(m.negative)}`);
  return `{{${parts.join(" ")}}}`;
}

const HINTS: ReadonlyMap<number, string> = new Map([
  [RESET_YES, "reset"],
  [RESET_NO, "not_reset"],
  [RESET_GAUGE, "gauge"],
]);

const list = (values: readonly number[]) => `[${values.map(formatFloatG).join(" ")}]`;
