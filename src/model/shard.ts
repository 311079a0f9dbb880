import type { Labels } from "./labels.ts";
import type { Matcher } from "./matcher.ts";

/**
 * The conversation between the query front end (or anyone) and a shard. Requests and responses are plain data that
 * structured clone or a codec can carry: a shard does not know whether its caller is in the same process.
 */
export type ShardRequest =
  | { readonly kind: "query"; readonly tenant: string; readonly plan: unknown }
  | {
      readonly kind: "series";
      readonly tenant: string;
      readonly sets: readonly (readonly Matcher[])[];
      readonly minT: number;
      readonly maxT: number;
      readonly limit: number;
    }
  | {
      readonly kind: "labelNames";
      readonly tenant: string;
      readonly sets: readonly (readonly Matcher[])[];
      readonly minT: number;
      readonly maxT: number;
    }
  | {
      readonly kind: "labelValues";
      readonly tenant: string;
      readonly name: string;
      readonly sets: readonly (readonly Matcher[])[];
      readonly minT: number;
      readonly maxT: number;
    }
  | { readonly kind: "stats" };

/** `query` answers with what src/query/execute defines for its plan; the others as named here. */
export interface ShardResponses {
  readonly query: unknown;
  readonly series: readonly Labels[];
  readonly labelNames: readonly string[];
  readonly labelValues: readonly string[];
  readonly stats: ShardStats;
}

export interface ShardStats {
  readonly partition: number;
  /** False while the WAL is replayed or the stream has not been read to the end that it had at start. */
  readonly ready: boolean;
  readonly headSeries: number;
  readonly headChunks: number;
  readonly headBytes: number;
  readonly headMinTime: number;
  readonly headMaxTime: number;
  readonly samplesAppended: number;
  /** Samples not stored, by reason (out_of_order, too_old, ...), and duplicates that changed nothing. */
  readonly samplesRejected: Readonly<Record<string, number>>;
  /** Samples parked because their series' labels are unknown here. */
  readonly samplesParked: number;
  /** Last stream sequence that is in the WAL on disk, and the number of messages still waiting in the stream. */
  readonly consumedSequence: number;
  readonly streamLag: number;
  /** Messages that the stream lost before this shard read them: expired, deleted, or read by a WAL that is gone. */
  readonly messagesMissed?: number;
  readonly walBytes: number;
  readonly walFsyncCount: number;
  readonly walFsyncSeconds: number;
  /** Fsyncs whose latency was at most the bound, cumulative, for the bounds in WAL_FSYNC_BUCKETS (seconds). */
  readonly walFsyncBuckets: readonly number[];
}

export const WAL_FSYNC_BUCKETS: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** One shard as its callers see it. `request` rejects when the shard is down, or when `signal` is aborted. */
export interface ShardClient {
  readonly partition: number;
  request<K extends ShardRequest["kind"]>(
    request: Extract<ShardRequest, { kind: K }>,
    signal?: AbortSignal,
  ): Promise<ShardResponses[K]>;
}
