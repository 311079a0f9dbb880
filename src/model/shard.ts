import type { Labels } from "./labels.ts";
import type { Matcher } from "./matcher.ts";
import type { PackedList } from "./packed-list.ts";
import type { Tier } from "./rollup.ts";

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
  | { readonly kind: "stats" }
  /** What has changed since a point that was told before; without one only where the shard stands now. */
  | { readonly kind: "changes"; readonly since?: ChangePoint }
  /** `sketch`: how many hashes of a label's values to tell, so that several shards' values can be counted; 0 none. */
  | { readonly kind: "cardinality"; readonly tenant: string; readonly limit: number; readonly sketch: number }
  | {
      readonly kind: "exemplars";
      readonly tenant: string;
      readonly sets: readonly (readonly Matcher[])[];
      readonly minT: number;
      readonly maxT: number;
    }
  /** What senders say of metric families; of all that hash to the shard without a name. */
  | { readonly kind: "metadata"; readonly tenant: string; readonly family?: string }
  | {
      /** Removes the samples in [minT, maxT] of the series that a set selects; samples that come later may lie there. */
      readonly kind: "delete";
      readonly tenant: string;
      readonly sets: readonly (readonly Matcher[])[];
      readonly minT: number;
      readonly maxT: number;
    }
  /** The blocks on disk, of all tenants. */
  | { readonly kind: "blocks" }
  /** Takes what was deleted out of the blocks on disk. */
  | { readonly kind: "cleanTombstones" }
  /** Copies all data to a folder that is not there yet: blocks by links, the head as a block unless it is left out. */
  | { readonly kind: "snapshot"; readonly dir: string; readonly skipHead: boolean }
  | {
      /** Waits until a message of the partition's stream can be queried (read-your-writes). */
      readonly kind: "reached";
      readonly sequence: number;
      /** Which stream the sequence is of (StreamPosition.stream); undefined skips that check. */
      readonly stream: string | undefined;
      readonly timeoutMs: number;
    };

/** `query` answers with what src/query/execute defines for its plan; the others as named here. */
export interface ShardResponses {
  readonly query: unknown;
  readonly series: Listed<Labels>;
  readonly labelNames: Listed<string>;
  readonly labelValues: Listed<string>;
  readonly stats: ShardStats;
  readonly changes: ShardChanges;
  readonly cardinality: Cardinality;
  readonly exemplars: readonly SeriesExemplars[];
  readonly metadata: readonly FamilyMetadata[];
  readonly delete: { readonly series: number };
  readonly blocks: readonly StoredBlock[];
  readonly cleanTombstones: { readonly blocks: number };
  readonly snapshot: { readonly blocks: number; readonly bytes: number };
  /** "other_stream": the stream was made anew since, so the message will never come. */
  readonly reached: "reached" | "too_late" | "other_stream";
}

/** A point in the life of a shard: what it answers later may differ by what changed since. */
export interface ChangePoint {
  /** Names this life of the shard. */
  readonly incarnation: string;
  readonly version: number;
}

export interface ShardChanges extends ChangePoint {
  /**
   * The smallest time (Unix ms) of the samples that were stored since the point that was named. Infinity: nothing changed;
   * -Infinity: anything may have.
   */
  readonly from: number;
  /** Samples up to here (Unix ms) go by their age: what was answered from them does not last. */
  readonly agedUpTo: number;
}

/** A list, and in words what of it could not be read: data of the times asked for that is lost, or not there yet. */
export interface Listed<T> {
  /** Empty where `packed` is given. */
  readonly values: readonly T[];
  /** The list where it is a long one, sorted: as JavaScript sorts texts, or by compareLabels. */
  readonly packed?: PackedList;
  readonly problems: readonly string[];
}

export interface Exemplar {
  readonly labels: Labels;
  readonly value: number;
  /** Unix ms. */
  readonly ts: number;
}

export interface SeriesExemplars {
  readonly series: Labels;
  /** Ascending in time. */
  readonly exemplars: readonly Exemplar[];
}

export interface FamilyMetadata {
  readonly family: string;
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** What a block on disk says of itself. */
export interface StoredBlock {
  readonly id: string;
  readonly tier: Tier;
  /** Unix ms, inclusive. */
  readonly minT: number;
  readonly maxT: number;
  readonly series: number;
  /** Of a rollup's block: rows. */
  readonly samples: number;
  readonly chunks: number;
  readonly bytes: number;
  /** 1 for a block cut from the head, more for what was compacted of others. */
  readonly level: number;
  readonly sources: readonly string[];
  readonly version: number;
}

/** Name (or name=value) and a number, the largest first. */
export type Ranking = readonly (readonly [name: string, count: number])[];

/** A tenant's series in the head. Each ranking has at most as many entries as were asked for. */
export interface Cardinality {
  readonly series: number;
  readonly labelPairs: number;
  readonly seriesByMetricName: Ranking;
  readonly valuesByLabelName: Ranking;
  /** The smallest hashes of the values of each of these names (src/lib/bottom-k.ts); empty for names for which there is no room. */
  readonly valueSketches: readonly Float64Array[];
  /** Bytes of names and values with their lengths, each as often as series have it: what Prometheus would need for them. */
  readonly bytesByLabelName: Ranking;
  readonly seriesByLabelPair: Ranking;
}

export interface ShardStats {
  readonly partition: number;
  /** False while the WAL is replayed or the stream has not been read to the end that it had at start, its backlog included. */
  readonly ready: boolean;
  readonly headSeries: number;
  readonly headChunks: number;
  readonly headBytes: number;
  readonly headMinTime: number;
  readonly headMaxTime: number;
  readonly samplesAppended: number;
  /** Samples not in the storage, by reason (too_old, ...): refused, there already, or overwritten by a later one of their time. */
  readonly samplesRejected: Readonly<Record<string, number>>;
  /** Of those that were too old, how many each tenant lost; without a name those of tenants beyond the first thousand. */
  readonly tooOldByTenant?: Ranking;
  /** Samples parked because their series' labels are unknown here. */
  readonly samplesParked: number;
  /** Up to this stream sequence everything is in the WAL on disk; and the number of messages still waiting in the stream. */
  readonly consumedSequence: number;
  readonly streamLag: number;
  /** Of these, the messages of the backlog: older ones, that are read behind the newest. */
  readonly backlogLag?: number;
  /** Seconds since the oldest message that was not read was stored; 0 when all are read, undefined when not known. */
  readonly lagSeconds?: number | undefined;
  /** Messages that the stream lost before this shard read them: expired, deleted, or read by a WAL that is gone. */
  readonly messagesMissed?: number;
  readonly walBytes: number;
  readonly walFsyncCount: number;
  readonly walFsyncSeconds: number;
  /** Fsyncs whose latency was at most the bound, cumulative, for the bounds in WAL_FSYNC_BUCKETS (seconds). */
  readonly walFsyncBuckets: readonly number[];
  readonly storage?: StorageStats;
}

/** What a shard has on disk besides the log, and what was done with it since the shard started. */
export interface StorageStats {
  readonly tiers: readonly {
    readonly tier: Tier;
    readonly blocks: number;
    readonly bytes: number;
    readonly samples: number;
    /** Unix ms; infinite without blocks. */
    readonly minTime: number;
    readonly maxTime: number;
  }[];
  /** Rollups hold every sample up to here, Unix ms; undefined while there are none. */
  readonly rolledUpTo: number | undefined;
  readonly cuts: number;
  readonly cutSeconds: number;
  readonly cutFailures: number;
  readonly seriesRemoved: number;
  readonly compactions: number;
  readonly rollups: number;
  readonly jobSeconds: number;
  readonly jobFailures: number;
  readonly blocksDropped: number;
  readonly snapshots: number;
  readonly snapshotSeconds: number;
  readonly snapshotBytes: number;
  readonly snapshotFailures: number;
  /** Writes and fsyncs of the log that failed. */
  readonly walFailures: number;
  /** 1 while nothing is stored for want of space, else 0. */
  readonly diskFull: number;
  /** Places of stored data that are known to be lost, and reads that met damage. */
  readonly damages: number;
  readonly damagedReads: number;
  /** The places, in words. */
  readonly lost: readonly string[];
  readonly cacheBytes: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
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
