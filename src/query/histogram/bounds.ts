import { CUSTOM_BUCKETS_SCHEMA, type Histogram } from "../../model/histogram.ts";
import { EXPONENTIAL_BOUNDS } from "./bound-table.ts";
import { ldexp } from "./log-scale.ts";

/** Whether the buckets have given bounds instead of exponential ones. */
export function hasCustomBuckets(h: Histogram): boolean {
  return h.schema === CUSTOM_BUCKETS_SCHEMA;
}

/**
 * Upper bound of the bucket `index` on the positive side of an exponential schema (-4 to 8); bucket 0 ends at 1. The last
 * bucket of finite numbers ends at the largest of them, the one above it at +Inf.
 */
export function exponentialBound(index: number, schema: number): number {
  if (schema < 0) {
    const exponent = index * 2 ** -schema;
    return exponent === 1024 ? Number.MAX_VALUE : ldexp(1, exponent);
  }
  const within = index & ((1 << schema) - 1);
  const exponent = (index >> schema) + 1;
  if (within === 0 && exponent === 1025) return Number.MAX_VALUE;
  // Doubled first: 2^exponent alone would be infinite for the largest bounds.
  return ldexp(2 * (EXPONENTIAL_BOUNDS[within << (8 - schema)] as number), exponent - 1);
}

/** Upper bound of the bucket `index` of given bounds: -Inf before the first, +Inf after the last. */
export function customBound(index: number, bounds: readonly number[]): number {
  if (index < 0) return Number.NEGATIVE_INFINITY;
  return index < bounds.length ? (bounds[index] as number) : Number.POSITIVE_INFINITY;
}
