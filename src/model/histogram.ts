/**
 * A native histogram: counts of observations in exponential buckets (schema -4 to 8: the bounds are powers of 2^(2^-schema)) or
 * in buckets with given bounds (schema -53). In columns a histogram is bytes (histogram-code.ts); this is one taken apart.
 */
export const CUSTOM_BUCKETS_SCHEMA = -53;
export const MIN_SCHEMA = -4;
export const MAX_SCHEMA = 8;

/** What the sender says of a counter reset before this histogram; a gauge histogram has none. */
export const RESET_UNKNOWN = 0;
export const RESET_YES = 1;
export const RESET_NO = 2;
export const RESET_GAUGE = 3;

/** Integer counts are below this, so that counts and their differences are exact. */
export const MAX_INTEGER_COUNT = 2 ** 52;

export interface Histogram {
  /** Counts are floats (of a recording rule, say), else whole numbers. */
  float: boolean;
  resetHint: number;
  /** A staleness marker: the sum has the bits of one (sample.ts), the rest says nothing. `sum` is NaN then. */
  stale: boolean;
  schema: number;
  /** Observations in [-zeroThreshold, zeroThreshold] are in the zero bucket. */
  zeroThreshold: number;
  zeroCount: number;
  count: number;
  sum: number;
  /** Pairs (offset from the end of the span before, number of buckets); the counts of all spans' buckets lie in `positive`. */
  positiveSpans: number[];
  /** Count of each bucket by itself, neither cumulative nor a difference. */
  positive: number[];
  negativeSpans: number[];
  negative: number[];
  /** Upper bounds of the buckets of schema -53, without the last one, +Inf. */
  customBounds: number[];
}

/** An empty integer histogram, to be filled. */
export function makeHistogram(): Histogram {
  return {
    float: false,
    resetHint: RESET_UNKNOWN,
    stale: false,
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    positive: [],
    negativeSpans: [],
    negative: [],
    customBounds: [],
  };
}

/** Makes a histogram the empty one again; its arrays stay. */
export function clearHistogram(h: Histogram): void {
  h.float = false;
  h.resetHint = RESET_UNKNOWN;
  h.stale = false;
  h.schema = 0;
  h.zeroThreshold = 0;
  h.zeroCount = 0;
  h.count = 0;
  h.sum = 0;
  h.positiveSpans.length = 0;
  h.positive.length = 0;
  h.negativeSpans.length = 0;
  h.negative.length = 0;
  h.customBounds.length = 0;
}

/** What is wrong with a histogram, in words; undefined when it can be stored. The rules are Prometheus's. */
export function histogramProblem(h: Histogram): string | undefined {
  if (h.schema === CUSTOM_BUCKETS_SCHEMA) {
    const problem = customProblem(h);
    if (problem !== undefined) return `custom buckets: ${problem}`;
  } else if (Number.isInteger(h.schema) && h.schema >= MIN_SCHEMA && h.schema <= MAX_SCHEMA) {
    const positive = spansProblem(h.positiveSpans, h.positive.length, 1);
    if (positive !== undefined) return `positive buckets: ${positive}`;
    const negative = spansProblem(h.negativeSpans, h.negative.length, 1);
    if (negative !== undefined) return `negative buckets: ${negative}`;
    if (h.customBounds.length > 0) return `schema ${h.schema} has exponential buckets, but custom bounds are given`;
  } else
    return `schema ${h.schema}: from ${MIN_SCHEMA} to ${MAX_SCHEMA} for exponential buckets, ${CUSTOM_BUCKETS_SCHEMA} for custom ones`;
  return countsProblem(h);
}

/** `from`: the first span whose offset is a gap, which cannot be negative. */
function spansProblem(spans: readonly number[], buckets: number, from: number): string | undefined {
  let sum = 0;
  for (let i = 0; i < spans.length; i += 2) {
    const offset = spans[i] as number;
    if (i >= 2 * from && offset < 0) return `span ${i / 2} has the negative offset ${offset}`;
    sum += spans[i + 1] as number;
  }
  return sum === buckets ? undefined : `the spans have ${sum} buckets, ${buckets} counts are given`;
}

function customProblem(h: Histogram): string | undefined {
  let before = Number.NEGATIVE_INFINITY;
  for (const bound of h.customBounds) {
    if (Number.isNaN(bound)) return "a bound is NaN";
    if (!Number.isFinite(bound)) return `bound ${bound} is not finite`;
    if (bound <= before) return `bounds are not ascending: ${before}, ${bound}`;
    before = bound;
  }
  const problem = spansProblem(h.positiveSpans, h.positive.length, 0);
  if (problem !== undefined) return problem;
  const span = h.positiveSpans.reduce((sum, n) => sum + n, 0);
  if (span > h.customBounds.length + 1) return `${h.customBounds.length} bounds are too few for ${span} buckets`;
  if (h.zeroCount !== 0) return `the zero bucket has ${h.zeroCount} observations, there is none`;
  if (h.zeroThreshold !== 0) return `there is no zero bucket, but a threshold of ${h.zeroThreshold}`;
  if (h.negativeSpans.length > 0 || h.negative.length > 0) return "there are negative buckets";
  return undefined;
}

function countsProblem(h: Histogram): string | undefined {
  let sum = h.zeroCount;
  for (const side of [h.negative, h.positive]) {
    for (let i = 0; i < side.length; i++) {
      const n = side[i] as number;
      if (n < 0) return `bucket ${i} has the negative count ${n}`;
      if (!h.float && !(n < MAX_INTEGER_COUNT)) return `bucket ${i} has a count of 2^52 or more`;
      sum += n;
    }
  }
  if (h.zeroCount < 0) return `the zero bucket has the negative count ${h.zeroCount}`;
  if (h.count < 0) return `the count is ${h.count}`;
  // Sums of float counts are not exact: nothing more can be asked of them.
  if (h.float) return undefined;
  if (!(h.count < MAX_INTEGER_COUNT && h.zeroCount < MAX_INTEGER_COUNT)) return "a count is 2^52 or more";
  if (Number.isNaN(h.sum) ? sum > h.count : sum !== h.count) {
    return `the buckets have ${sum} observations, the count says ${h.count}`;
  }
  return undefined;
}
