/** What Prometheus's HTTP API answers, as it is in JSON: times in Unix seconds, values as text. */
export type Metric = Readonly<Record<string, string>>;
export type Point = readonly [seconds: number, value: string];

/** Bounds are told by a number: 0 (a, b], 1 [a, b), 2 (a, b), 3 [a, b]. */
export type Bucket = readonly [bounds: number, lower: string, upper: string, count: string];

export interface HistogramJson {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly Bucket[];
}
export type HistogramPoint = readonly [seconds: number, histogram: HistogramJson];

export interface VectorSeries {
  readonly metric: Metric;
  readonly value?: Point;
  readonly histogram?: HistogramPoint;
}
export interface MatrixSeries {
  readonly metric: Metric;
  readonly values?: readonly Point[];
  readonly histograms?: readonly HistogramPoint[];
}

export type QueryData = { readonly stats?: StatsJson } & (
  | { readonly resultType: "vector"; readonly result: readonly VectorSeries[] }
  | { readonly resultType: "matrix"; readonly result: readonly MatrixSeries[] }
  | { readonly resultType: "scalar" | "string"; readonly result: Point }
);

/** `stats=all`; what only Tocsin tells may be missing. */
export interface StatsJson {
  readonly timings?: Readonly<Record<string, number>>;
  readonly samples?: {
    readonly totalQueryableSamples?: number;
    readonly peakSamples?: number;
    readonly samplesRead?: number;
  };
  readonly tiers?: readonly {
    readonly tier: string;
    readonly from: number;
    readonly to: number;
    readonly rows: number;
    readonly rounded: boolean;
  }[];
}

/** `trace=1`: where the time went. */
export interface TraceJson {
  readonly name: string;
  readonly ms: number;
  readonly parallel?: boolean;
  readonly about?: Readonly<Record<string, string | number>>;
  readonly children?: readonly TraceJson[];
}

/** /api/v1/query_cost */
export interface CostJson {
  readonly series: number;
  readonly samples: number;
  readonly bytes: number;
  readonly points: number;
  readonly exceeds: readonly { readonly limit: string; readonly most: number; readonly wanted: number }[];
  readonly selectors: readonly {
    readonly selector: string;
    readonly series: number;
    readonly samples: number;
    readonly bytes: number;
    readonly tiers: readonly { readonly tier: string }[];
  }[];
}

export interface TsdbStatus {
  readonly headStats: { readonly numSeries: number; readonly numLabelPairs: number };
  readonly seriesCountByMetricName: Ranking;
  readonly labelValueCountByLabelName: Ranking;
  readonly memoryInBytesByLabelName: Ranking;
  readonly seriesCountByLabelValuePair: Ranking;
}
export type Ranking = readonly { readonly name: string; readonly value: number }[];

/** The value of a label; undefined where there is none, also for names that every object has (`constructor`). */
export function labelOf(metric: Metric, name: string): string | undefined {
  return Object.hasOwn(metric, name) ? metric[name] : undefined;
}

/** A Unix time in seconds as people read it: `2026-11-22 11:50:00`, in UTC, with milliseconds where there are any. */
export function formatSeconds(seconds: number): string {
  const date = new Date(Math.round(seconds * 1000));
  if (Number.isNaN(date.getTime())) return String(seconds);
  return date
    .toISOString()
    .replace("T", " ")
    .replace(/\.000Z$|Z$/, "");
}

/** A count with commas. */
export function formatCount(n: number): string {
  return n.toLocaleString("en-US");
}

/** `1 series`, `2 points`: `many` where it is not just one. */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}
