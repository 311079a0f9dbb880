import type { Histogram } from "../../../src/model/histogram.ts";
import { STALE_NAN_HI, STALE_NAN_LO } from "../../../src/model/sample.ts";
import type { Random } from "./prng.ts";

/** One series of the generated data: `words` are the bits of the values (lo, hi), so that staleness markers survive. */
export interface FuzzSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly ts: readonly number[];
  readonly words: Uint32Array;
  /** Native histograms by their places among the samples; the words there say nothing. */
  readonly histograms?: ReadonlyMap<number, Histogram>;
}

/** Where the data lies: an hour and a bit, at about 15 s. */
export const DATA_START = 1_700_000_100_000;
export const DATA_END = DATA_START + 80 * 60_000;
const INTERVAL = 15_000;

/** What the expressions choose from: every metric with its labels and their values. */
export const METRICS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  requests_total: { job: ["api", "db", "web"], instance: ["a", "b"], code: ["200", "404", "500"] },
  errors_total: { job: ["api", "db", "web"], instance: ["a", "b"], code: ["404", "500"] },
  busy_seconds_total: { job: ["api", "db"], instance: ["a", "b", "c"] },
  temperature: { job: ["api", "db", "web"], instance: ["a", "b"], room: ["x", "y"] },
  pressure: { job: ["api", "db", "web"], instance: ["a", "b"] },
  state: { job: ["api", "db", "web"], instance: ["a", "b", "c"] },
  limit: { job: ["api", "db", "web"] },
  odd: { job: ["api"], instance: ["a", "b"], kind: ["nan", "inf", "zero", "huge", "mixed", "tiny"] },
  latency_bucket: { job: ["api", "db"], instance: ["a", "b"], le: ["0.1", "0.5", "1", "5", "+Inf"] },
  ragged_bucket: { job: ["api"], instance: ["a", "b", "c"], le: ["-1", "0", "1", "2.5", "+Inf", "x"] },
  target_info: { job: ["api", "db", "web"], instance: ["a", "b"], version: ["1", "2"] },
  unique: { job: ["api", "db", "web"], instance: ["a", "b", "c", "d"] },
  rare: { job: ["api", "db"] },
};

type Value = number | "stale" | undefined;

/** Values of one series, asked in time order; undefined leaves a gap. */
function valuesOf(r: Random, name: string, labels: Readonly<Record<string, string>>): (i: number) => Value {
  const gaps = r.chance(0.4) ? r.pick([0.02, 0.2, 0.6]) : 0;
  const outage = r.chance(0.3) ? r.int(20, 250) : Number.POSITIVE_INFINITY;
  const outageLength = r.int(2, 60);
  const marked = r.chance(0.7);
  const value = plainValues(r, name, labels);
  return (i) => {
    const v = value(i);
    if (i === outage && marked) return "stale";
    if (i >= outage && i < outage + outageLength) return undefined;
    return r.chance(gaps) ? undefined : v;
  };
}

/** Values are mostly multiples of 1/8: then sums are exact in every order, and a difference is a fault and not rounding. */
function plainValues(
  r: Random,
  name: string,
  labels: Readonly<Record<string, string>>,
): (i: number) => number | undefined {
  if (name.endsWith("_bucket")) return bucketValues(r, name, labels);
  if (name.endsWith("_total")) {
    let v = r.int(0, 1000);
    const speed = r.int(1, 40);
    const resets = r.pick([0, 0.01, 0.1]);
    const rest = r.pick([0, 0.5, 0.95]);
    const unit = name === "busy_seconds_total" ? 0.125 : 1;
    return () => {
      if (r.chance(resets)) v = r.chance(0.5) ? 0 : r.int(0, 5);
      else if (!r.chance(rest)) v += r.int(0, speed) * unit;
      return v;
    };
  }
  if (name === "state")
    return () =>
      r.weighted([
        [6, 1],
        [2, 0],
        [1, 2],
        [1, -1],
      ]);
  if (name === "limit") return () => 100 * (labels.job?.length ?? 1);
  if (name === "target_info") {
    const from = labels.version === "1" ? 0 : r.int(50, 200);
    const to = labels.version === "1" ? from + r.int(80, 320) : 400;
    return (i) => (i >= from && i < to ? 1 : undefined);
  }
  if (name === "rare") return (i) => (i % 17 === 3 ? i : undefined);
  if (name === "odd") return oddValues(r, labels.kind ?? "");
  // No two series of `unique` ever have the same value.
  const own =
    name === "unique" ? ((labels.job!.charCodeAt(0) % 8) * 8 + (labels.instance!.charCodeAt(0) % 8)) / 1024 : 0;
  let v = r.int(-400, 400) / 8;
  return () => {
    v += r.int(-20, 20) / 8;
    return v + own;
  };
}

function oddValues(r: Random, kind: string): () => number {
  const few: Readonly<Record<string, readonly number[]>> = {
    nan: [Number.NaN, Number.NaN, Number.NaN, 1],
    inf: [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 3, Number.NEGATIVE_INFINITY],
    zero: [0, -0, 0, 0, -0],
    huge: [1e150, -1e150, 2 ** 53, 1, 1e20],
    tiny: [1e-307, 1e-300, 0, -1e-300],
    mixed: [Number.NaN, Number.POSITIVE_INFINITY, -0, 0, 1, -1, 7.5, 100, 100, 100, 100],
  };
  const values = few[kind] ?? [1];
  return () => r.pick(values);
}

/** Buckets that grow together, so that they are cumulative; `ragged` ones do not care. */
function bucketValues(r: Random, name: string, labels: Readonly<Record<string, string>>): (i: number) => number {
  const rank = (METRICS[name]?.le ?? []).indexOf(labels.le ?? "") + 1;
  if (name === "ragged_bucket") {
    const growth = r.int(0, 6);
    return (i) => i * growth + (r.chance(0.1) ? r.int(0, 3) : 0);
  }
  const reset = labels.job === "db" ? 90 : 10_000;
  const slow = labels.instance === "b" ? 2 : 1;
  return (i) => Math.floor((i % reset) / slow) * rank * (rank > 3 ? 2 : 1);
}

function combinations(spec: Readonly<Record<string, readonly string[]>>): Record<string, string>[] {
  let out: Record<string, string>[] = [{}];
  for (const [name, values] of Object.entries(spec)) {
    out = out.flatMap((labels) => values.map((v) => ({ ...labels, [name]: v })));
  }
  return out;
}

/** All series of a seed. Some of the label sets are left out, so that matching has to do with missing partners. */
export function makeDataset(r: Random): FuzzSeries[] {
  const all: FuzzSeries[] = [];
  for (const [name, spec] of Object.entries(METRICS)) {
    for (const labels of combinations(spec)) {
      const whole = name === "latency_bucket" || name === "limit";
      if (!whole && r.chance(0.1)) continue;
      all.push(makeSeries(r, name, labels));
    }
  }
  return all;
}

function makeSeries(r: Random, name: string, labels: Record<string, string>): FuzzSeries {
  const value = valuesOf(r, name, labels);
  const phase = r.chance(0.5) ? 0 : r.int(0, INTERVAL - 1);
  const jitter = r.chance(0.6) ? 0 : r.pick([5, 900, 7000]);
  const ts: number[] = [];
  const values: number[] = [];
  const stale: number[] = [];
  for (let i = 0; DATA_START + i * INTERVAL < DATA_END; i++) {
    const v = value(i);
    if (v === undefined) continue;
    if (v === "stale") stale.push(ts.length);
    ts.push(DATA_START + i * INTERVAL + phase + r.int(0, jitter));
    values.push(v === "stale" ? 0 : v);
  }
  const words = new Uint32Array(new Float64Array(values).buffer);
  for (const i of stale) {
    words[2 * i] = STALE_NAN_LO;
    words[2 * i + 1] = STALE_NAN_HI;
  }
  return { labels: { __name__: name, ...labels }, ts, words };
}
