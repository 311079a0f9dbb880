/**
 * A rolled-up series: one row a bucket that has samples. A bucket is (start, start + width]: open to the left and closed to the
 * right like a PromQL window, so that windows whose ends are multiples of the width hold whole buckets.
 */
export type Tier = "raw" | "1m" | "1h";

/** Width of a tier's buckets in ms. */
export const TIER_MS: Readonly<Record<Exclude<Tier, "raw">, number>> = { "1m": 60_000, "1h": 3_600_000 };

/**
 * The columns of a bucket, in this order. `resets` is the sum of the values that stood before each counter reset inside the
 * bucket; staleness markers are no samples. first/last and their times (Unix ms) make rates across buckets exact.
 */
export const ROLLUP_COLUMNS = ["count", "sum", "min", "max", "first", "last", "firstT", "lastT", "resets"] as const;
export type RollupColumn = (typeof ROLLUP_COLUMNS)[number];

/** Rows of one series, ascending in time; `start[i]` is the excluded start of bucket i, Unix ms. */
export interface RollupBuffer {
  length: number;
  start: Float64Array;
  readonly columns: Record<RollupColumn, Float64Array>;
}

export function makeRollupBuffer(capacity: number): RollupBuffer {
  const columns = {} as Record<RollupColumn, Float64Array>;
  for (const name of ROLLUP_COLUMNS) columns[name] = new Float64Array(capacity);
  return { length: 0, start: new Float64Array(capacity), columns };
}

/** Makes room for `capacity` rows, keeping what is there. */
export function reserveRollup(buffer: RollupBuffer, capacity: number): void {
  if (buffer.start.length >= capacity) return;
  const size = Math.max(capacity, 2 * buffer.start.length);
  const grown = (from: Float64Array): Float64Array => {
    const to = new Float64Array(size);
    to.set(from.subarray(0, buffer.length));
    return to;
  };
  buffer.start = grown(buffer.start);
  for (const name of ROLLUP_COLUMNS) buffer.columns[name] = grown(buffer.columns[name]);
}
