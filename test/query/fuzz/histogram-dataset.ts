import { CUSTOM_BUCKETS_SCHEMA, type Histogram, makeHistogram, RESET_GAUGE } from "../../../src/model/histogram.ts";
import { DATA_END, DATA_START, type FuzzSeries } from "./dataset.ts";
import type { Random } from "./prng.ts";
import { PIECE_MS } from "./prometheus.ts";

/** Native histograms of all kinds: counters and gauges, whole and float counts, exponential and given buckets, floats between them. */
export const HISTOGRAM_METRICS = ["nh", "nh_gauge", "nh_float", "nh_custom", "nh_mixed"] as const;
const JOBS = ["api", "db", "web"];
const INSTANCES = ["a", "b"];
const INTERVAL = 15_000;
const CUSTOM_BOUNDS = [0.5, 1, 2.5, 5, 10];

type Metric = (typeof HISTOGRAM_METRICS)[number];

export function makeHistogramDataset(r: Random): FuzzSeries[] {
  const all: FuzzSeries[] = [];
  for (const metric of HISTOGRAM_METRICS) {
    for (const job of JOBS) {
      for (const instance of INSTANCES) {
        if (r.chance(0.1)) continue;
        all.push(makeSeries(r, metric, { __name__: metric, job, instance }));
      }
    }
  }
  return all;
}

function makeSeries(r: Random, metric: Metric, labels: Record<string, string>): FuzzSeries {
  const next = metric === "nh_gauge" ? gauge(r) : counter(r, metric);
  const phase = r.chance(0.5) ? 0 : r.int(0, INTERVAL - 1);
  const gaps = r.pick([0, 0, 0.1, 0.4]);
  const outage = r.chance(0.3) ? r.int(40, 200) : Number.POSITIVE_INFINITY;
  // No two series have the same values: which of equals is kept is nobody's promise.
  const own = (2 * JOBS.indexOf(labels.job!) + INSTANCES.indexOf(labels.instance!)) / 16;
  const ts: number[] = [];
  const values: number[] = [];
  const histograms = new Map<number, Histogram>();
  for (let i = 0; DATA_START + i * INTERVAL + phase < DATA_END; i++) {
    const h = next();
    if (r.chance(gaps) || (i >= outage && i < outage + 30)) continue;
    const t = DATA_START + i * INTERVAL + phase;
    const isFloat = metric === "nh_mixed" && Math.floor((t - DATA_START) / PIECE_MS) % 3 === 2;
    if (!isFloat) histograms.set(ts.length, h);
    ts.push(t);
    values.push(isFloat ? i + own : 0);
  }
  return { labels, ts, words: new Uint32Array(new Float64Array(values).buffer), histograms };
}

/** Buckets of the spans' places 0 to 9; which are populated grows. */
interface State {
  readonly positive: number[];
  readonly negative: number[];
  zero: number;
  sum: number;
}

const emptyState = (): State => ({ positive: new Array(10).fill(0), negative: new Array(6).fill(0), zero: 0, sum: 0 });

/**
 * Counters begin high above zero: later versions than 3.5 do not extrapolate below it. And there is something on both sides from
 * the beginning, or never: Prometheus's storage gives histograms the empty buckets that others in their chunk have.
 */
function countedState(count: number, hasNegative: boolean): State {
  const state = emptyState();
  state.positive[0] = count;
  state.sum = count;
  if (hasNegative) state.negative[5] = 10;
  return state;
}

function counter(r: Random, metric: Metric): () => Histogram {
  const schema = r.pick([0, 0, 1, 3]);
  const offset = r.int(-4, 4);
  const hasNegative = metric !== "nh_custom" && r.chance(0.4);
  const resets = r.pick([0, 0.01, 0.05]);
  const speed = r.int(1, 6);
  const width = r.int(2, 10);
  let state = countedState(20_000, hasNegative);
  return () => {
    if (r.chance(resets)) state = countedState(4000, hasNegative);
    for (let k = r.int(0, speed); k > 0; k--) observe(r, state, metric === "nh_custom" ? 6 : width, hasNegative);
    return metric === "nh_custom"
      ? customOf(state)
      : exponentialOf(state, schema, offset, hasNegative, metric === "nh_float");
  };
}

function gauge(r: Random): () => Histogram {
  const schema = r.pick([0, 1, 2]);
  const offset = r.int(-2, 2);
  return () => {
    const state = countedState(1, true);
    for (let k = r.int(0, 8); k > 0; k--) observe(r, state, 8, true);
    return { ...exponentialOf(state, schema, offset, true, false), resetHint: RESET_GAUGE };
  };
}

/** Sums are multiples of 1/8, so that they are exact in every order. */
function observe(r: Random, state: State, width: number, hasNegative: boolean): void {
  const n = r.int(1, 4);
  if (r.chance(0.15)) state.zero += n;
  else if (hasNegative && r.chance(0.3)) {
    state.negative[r.int(0, 5)]! += n;
    state.sum -= (n * r.int(1, 40)) / 8;
  } else {
    state.positive[r.int(0, width - 1)]! += n;
    state.sum += (n * r.int(1, 80)) / 8;
  }
}

const total = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

function exponentialOf(s: State, schema: number, offset: number, hasNegative: boolean, float: boolean): Histogram {
  const [positiveSpans, positive] = spansOf(s.positive, offset);
  const [negativeSpans, negative] = hasNegative ? spansOf(s.negative, offset) : [[], []];
  const unit = float ? 0.5 : 1;
  return {
    ...makeHistogram(),
    float,
    schema,
    zeroThreshold: 0.001,
    zeroCount: s.zero * unit,
    sum: s.sum,
    count: (s.zero + total(positive) + total(negative)) * unit,
    positiveSpans,
    positive: positive.map((n) => n * unit),
    negativeSpans,
    negative: negative.map((n) => n * unit),
  };
}

function customOf(s: State): Histogram {
  const positive = s.positive.slice(0, CUSTOM_BOUNDS.length + 1);
  return {
    ...makeHistogram(),
    schema: CUSTOM_BUCKETS_SCHEMA,
    customBounds: CUSTOM_BOUNDS,
    sum: s.sum,
    count: total(positive),
    positiveSpans: [0, positive.length],
    positive,
  };
}

/** Spans of what is populated. */
function spansOf(counts: readonly number[], offset: number): [spans: number[], counts: number[]] {
  const spans: number[] = [];
  const kept: number[] = [];
  let end = 0;
  counts.forEach((n, i) => {
    if (n === 0) return;
    if (spans.length > 0 && i === end) spans[spans.length - 1]!++;
    else spans.push(spans.length === 0 ? offset + i : i - end, 1);
    kept.push(n);
    end = i + 1;
  });
  return [spans, kept];
}
