import type { Histogram } from "../../model/histogram.ts";
import type { Matcher } from "../../model/matcher.ts";
import type { QueryErrorType, TierUse } from "../../model/query.ts";
import type { RollupTier } from "../../model/rollup.ts";
import type { ReadCounts } from "../../model/series-source.ts";
import type { HistogramTotal } from "../histogram/total.ts";
import type { Grid } from "./grid.ts";

/**
 * What the query front end sends to every shard, and what a shard answers. Plain data (structured clone carries it); the
 * `version` is checked so that two releases in one cluster cannot misread each other.
 *
 * A plan evaluates one selector over the grid, series by series, optionally through a range function and elementwise
 * operations, and either answers the rows or folds them into partial aggregates by label group.
 */
export interface ShardPlan {
  readonly version: 1;
  readonly tenant: string;
  readonly grid: Grid;
  readonly select: Selection;
  /** Undefined: the newest sample within the lookback at every point of the grid. */
  readonly range?: RangeCall;
  /** Applied in order to every row. */
  readonly maps: readonly RowMap[];
  /** Undefined: rows are answered as they are. */
  readonly aggregate?: PartialAggregation;
  /** Answer the raw samples of the (only) window instead of evaluating anything. */
  readonly raw?: boolean;
  /** Of raw samples: with the staleness markers. */
  readonly staleMarkers?: boolean;
  /** The answer says how many samples each step's windows have. */
  readonly countWindows?: boolean;
  /** The answer says what the shard's work took. */
  readonly trace?: boolean;
  /** Nothing is read: a `ShardEstimate` of what would be is answered. */
  readonly estimate?: boolean;
  readonly limits: PlanLimits;
}

export interface PlanLimits {
  /** Samples a shard may read for this plan; the front end checks the sum over the shards again. */
  readonly maxSamples: number;
  /** Series that the selector may match, in this shard and in all together. */
  readonly maxSeries: number;
  /** A shard that finds more than this tells how many before it reads any; the front end then adds up. */
  readonly seriesShare?: number;
  /** Bytes of points, samples and labels that a shard may hold. */
  readonly maxMemoryBytes?: number;
  /** Milliseconds that the shard may work on it. */
  readonly timeoutMs: number;
}

export interface Selection {
  readonly matchers: readonly Matcher[];
  /** Milliseconds; positive looks into the past. */
  readonly offset: number;
  /** A fixed evaluation time in place of the grid's. */
  readonly at?: number;
  readonly lookback: number;
  /** What a row holds: the sample's value, or its time in seconds. */
  readonly output: "value" | "timestamp" | "startTimestamp";
  readonly smoothed?: boolean;
  /** Native histograms are read without their buckets. */
  readonly statsOnly?: boolean;
}

export interface RangeCall {
  readonly func: RangeFunction;
  /** Milliseconds; the window is (t - range, t]. */
  readonly range: number;
  /** Scalar arguments in order; a number, or one value a point of the grid. */
  readonly params: readonly (number | Float64Array)[];
  readonly anchored?: boolean;
  readonly smoothed?: boolean;
}

export type RangeFunction =
  | "rate"
  | "increase"
  | "delta"
  | "irate"
  | "idelta"
  | "deriv"
  | "predict_linear"
  | "changes"
  | "resets"
  | "sum_over_time"
  | "avg_over_time"
  | "min_over_time"
  | "max_over_time"
  | "count_over_time"
  | "last_over_time"
  | "first_over_time"
  | "present_over_time"
  | "stddev_over_time"
  | "stdvar_over_time"
  | "mad_over_time"
  | "quantile_over_time"
  | "ts_of_min_over_time"
  | "ts_of_max_over_time"
  | "ts_of_first_over_time"
  | "ts_of_last_over_time"
  | "double_exponential_smoothing";

/** An elementwise operation on a row. `dropName`: the operation marks the metric name for removal. */
export type RowMap =
  | { readonly kind: "function"; readonly func: string; readonly params: readonly (number | Float64Array)[] }
  | {
      readonly kind: "binary";
      readonly op: string;
      readonly scalar: number | Float64Array;
      readonly scalarOnLeft: boolean;
      readonly returnBool: boolean;
    };

/** Aggregations whose partial results of disjoint sets of rows can be merged. */
export type PartialOp = "sum" | "avg" | "count" | "min" | "max" | "group" | "stddev" | "stdvar";

export interface PartialAggregation {
  readonly op: PartialOp;
  readonly grouping: readonly string[];
  readonly without: boolean;
}

/** A note on the data for the query's infos and warnings; the front end adds the position and removes doubles. */
export type ShardNote =
  | { readonly kind: "possibleNonCounter"; readonly metric: string }
  | { readonly kind: "startTimeOverlap"; readonly metric: string }
  | { readonly kind: "invalidQuantile"; readonly quantile: number }
  /** `map`: of which of the plan's maps it is said; it is of the range function or the selector where there is none. */
  | { readonly kind: "said"; readonly severity: "warning" | "info"; readonly text: string; readonly map?: number }
  /** Data that ought to be there and could not be read, in words. */
  | { readonly kind: "missingData"; readonly text: string }
  /** Raw samples are gone in places: windows were rounded to the tier's buckets, or points of it stand for samples. */
  | { readonly kind: "rounded" | "points"; readonly tier: RollupTier };

export type ShardAnswer = ShardRows | ShardPartials | ShardRaw | ShardCount | ShardFailure;

/** The selector matches more series than the shard's share; nothing was read. */
export interface ShardCount {
  readonly kind: "count";
  readonly matched: number;
}

/** What every answer says of the work. */
export interface Counted {
  /** Series that the selector matches. */
  readonly matched?: number;
  /** Samples and buckets read. */
  readonly samples: number;
  readonly tiers: readonly TierUse[];
  /** Samples and buckets in the windows of each step, over all series; where `countWindows` asks for it. */
  readonly windowSamples?: Float64Array;
  readonly notes: readonly ShardNote[];
  /** Where `trace` asks for it. */
  readonly trace?: ShardTrace;
}

/** What a shard's work took, ms, and what it went through. */
export interface ShardTrace {
  /** On a clock that all threads of the process share (execute/trace-shard.ts), ms. */
  readonly started: number;
  readonly ended: number;
  /** Which tiers to read; finding series and their labels; getting their samples; packing the answer. The rest was computing. */
  readonly plan: number;
  readonly index: number;
  readonly decode: number;
  readonly encode: number;
  readonly series: number;
  /** What the storage tells of its reads, where it does. */
  readonly reads?: ReadCounts;
}

/** Label sets with every string once: row r has the strings `strings[ids[k]]` for k in [ends[r-1], ends[r]). */
export interface PackedLabels {
  readonly strings: readonly string[];
  readonly ids: Uint32Array;
  readonly ends: Uint32Array;
}

/** Rows with at least one point, sorted by labels; layout as model/query.ts's Matrix. */
export interface ShardRows extends Counted {
  readonly kind: "rows";
  readonly labels: PackedLabels;
  readonly dropName: Uint8Array;
  readonly values: Float64Array;
  /** 1 where there is a float, 2 where the value is a place in `histograms`. */
  readonly present: Uint8Array;
  readonly histograms: readonly Histogram[];
}

/** Groups sorted by labels; the columns are those of execute/partial-aggregate.ts for the plan's operation. */
export interface ShardPartials extends Counted {
  readonly kind: "partials";
  readonly labels: PackedLabels;
  readonly dropName: Uint8Array;
  readonly count: Float64Array;
  readonly columns: readonly Float64Array[];
  /** Undefined where no histogram was met, or where they count like floats. */
  readonly histograms?: PartialHistograms;
}

/** Native histograms among what a shard has aggregated. */
export interface PartialHistograms {
  /** Some were left out: the operation is one of floats. */
  readonly ignored: boolean;
  /** Cells (`group * steps + step`) that have a total, and these. Such a cell may have floats in the columns too. */
  readonly cells: Uint32Array;
  readonly totals: readonly CellTotal[];
}

export interface CellTotal {
  /** Nothing but its flags counts where there can be no result. */
  readonly total: HistogramTotal;
  /** Name of the metric of the first histogram, or of the one that did not go with those before it. */
  metric: string;
}

/** Samples of each series: series r has [ends[r-1], ends[r]). */
export interface ShardRaw extends Counted {
  readonly kind: "raw";
  readonly labels: PackedLabels;
  readonly ends: Uint32Array;
  readonly ts: Float64Array;
  /** Native histograms among them as model/sample.ts has them: offsets in `histograms`. */
  readonly values: Float64Array;
  readonly histograms: Uint8Array;
}

/** The answer to a plan that asks for an estimate; rows of tiers may have fractions. */
export interface ShardEstimate {
  readonly kind: "estimate";
  readonly series: number;
  readonly bytes: number;
  readonly tiers: readonly TierUse[];
}

/** The plan cannot be carried out (a limit, a bad plan): the query fails with this error. */
export interface ShardFailure {
  readonly kind: "failure";
  readonly type: QueryErrorType;
  readonly message: string;
}
