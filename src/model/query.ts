import type { Histogram } from "./histogram.ts";
import type { Labels } from "./labels.ts";
import type { Tier } from "./rollup.ts";

/**
 * What the query engine (src/query) offers to the API and to rules. Times and durations are Unix milliseconds.
 * A whole expression is evaluated over all steps at once; an instant query is a range of one step.
 */
export interface Engine {
  /** Throws `QueryError`. */
  instant(request: InstantRequest): Promise<InstantResult>;
  range(request: RangeRequest): Promise<RangeResult>;
  /** What a query would read, without reading it. Absent: nobody can tell. Throws `QueryError`. */
  cost?(request: CostRequest): Promise<QueryCost>;
}

export interface QueryOptions {
  readonly tenant: string;
  /** PromQL text. */
  readonly query: string;
  readonly lookbackMs?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** It does not wait behind other queries: rules, whose alerts must not be late. */
  readonly urgent?: boolean;
  /** The result has `stats`, with what each step took or without. */
  readonly stats?: "total" | "perStep";
  /** All is evaluated anew, whatever is kept of earlier results. */
  readonly noCache?: boolean;
  /** The result has `trace`: where the time went. Without it no clock is read for that. */
  readonly trace?: boolean;
}
export interface InstantRequest extends QueryOptions {
  readonly time: number;
}
export interface RangeRequest extends QueryOptions {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/**
 * Values of many series over the same steps: row-major, series r at step s is `values[r * steps + s]` where `present[...]` is 1,
 * `histograms[values[...]]` where it is 2, and nothing where it is 0.
 */
export interface Matrix {
  readonly start: number;
  readonly step: number;
  readonly steps: number;
  readonly labels: readonly Labels[];
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms: readonly Histogram[];
}

export type InstantResult = Annotated &
  (
    | {
        readonly type: "vector";
        readonly time: number;
        readonly labels: readonly Labels[];
        /** As a Matrix of one step. */
        readonly values: Float64Array;
        readonly present: Uint8Array;
        readonly histograms: readonly Histogram[];
      }
    | { readonly type: "scalar"; readonly time: number; readonly value: number }
    | { readonly type: "string"; readonly time: number; readonly value: string }
    /** A range selector asked for as it is: raw samples, each series with its own times. */
    | {
        readonly type: "matrix";
        readonly labels: readonly Labels[];
        readonly ts: readonly Float64Array[];
        /** Native histograms among them as model/sample.ts has them: offsets in the series' `histograms`. */
        readonly values: readonly Float64Array[];
        readonly histograms: readonly Uint8Array[];
      }
  );

/** Only rows with at least one present point; rows sorted by labels. */
export type RangeResult = Annotated & { readonly type: "matrix"; readonly matrix: Matrix };

export interface Annotated {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  /** True when a shard did not answer, or data is missing that ought to be there; `warnings` says which and when. */
  readonly partial: boolean;
  readonly stats?: QueryStats;
  readonly trace?: TraceSpan;
}

/** Where the time of a query went. */
export interface TraceSpan {
  readonly name: string;
  readonly ms: number;
  /** The children went on at the same time, each within this span; else they are parts of it, one behind another. */
  readonly parallel?: true;
  /** What it was about, and what it took besides time. */
  readonly about?: Readonly<Record<string, string | number>>;
  readonly children?: readonly TraceSpan[];
}

/** What a query took; durations in ms. */
export interface QueryStats {
  /** What was read, over all shards: raw samples, rollups; one entry a tier, the finest first. */
  readonly tiers: readonly TierUse[];
  /** Samples and buckets read, each once a selector. */
  readonly samples: number;
  /** Samples and buckets in the windows of the selectors, over all steps. */
  readonly windowSamples: number;
  /** The same at each step, start + i * step ms; without what is evaluated at other times (subqueries). */
  readonly perStep?: { readonly start: number; readonly step: number; readonly windowSamples: Float64Array };
  /** The most points that were held in front at a time. */
  readonly peakPoints: number;
  /** Reading the query, waiting for its turn, evaluating it. */
  readonly preparationMs: number;
  readonly queuedMs: number;
  readonly evaluationMs: number;
}

export interface TierUse {
  readonly tier: Tier;
  /** The times read: after < t <= until, Unix ms. */
  readonly after: number;
  readonly until: number;
  /** Raw samples, or buckets. */
  readonly rows: number;
  /** Raw samples are gone there and windows are not made of whole buckets: the answer is that of near-by windows. */
  readonly rounded: boolean;
}

/** A range query, or with a step of 0 an instant query at `start`, which is `end` then. */
export type CostRequest = RangeRequest;

/** What a query would go through. Samples are raw ones and buckets of rollups; bytes are of how they are stored. */
export interface QueryCost {
  /** In the order of the text. */
  readonly selectors: readonly SelectorCost[];
  /** Over all selectors: what two of them select counts twice. */
  readonly series: number;
  readonly samples: number;
  readonly bytes: number;
  readonly steps: number;
  /** The most points that the answer may have. */
  readonly points: number;
  readonly exceeds: readonly ExceededLimit[];
  readonly warnings: readonly string[];
  readonly partial: boolean;
}

export interface SelectorCost extends ShardCost {
  /** As it stands in the query. */
  readonly selector: string;
  /** The times of its windows: after < t <= until, Unix ms. */
  readonly after: number;
  readonly until: number;
  /** At so many times it is evaluated. */
  readonly steps: number;
  readonly shards: readonly (ShardCost & { readonly partition: number })[];
}

/** Series are those that the selector matches and that may have samples in its times; the rest is estimated. */
export interface ShardCost {
  readonly series: number;
  readonly samples: number;
  readonly bytes: number;
  readonly tiers: readonly TierUse[];
}

export interface ExceededLimit {
  /** The key of the configuration. */
  readonly limit: string;
  readonly most: number;
  readonly wanted: number;
}

/** The API's errorType values; HTTP status: bad_data 400, execution 422, timeout and unavailable 503, canceled 499, internal 500. */
export type QueryErrorType = "bad_data" | "execution" | "timeout" | "canceled" | "internal" | "unavailable";

export class QueryError extends Error {
  readonly type: QueryErrorType;
  constructor(type: QueryErrorType, message: string) {
    super(message);
    this.name = "QueryError";
    this.type = type;
  }
}
