import type { LimitsConfig } from "../../model/config.ts";
import type { Ingest } from "../../model/ingest.ts";
import type { Kernel } from "../codec/kernel/kernel.ts";
import type { FramePublisher, Stored } from "./partition-queue.ts";

export interface GatewayOptions {
  readonly partitions: number;
  readonly publisher: FramePublisher;
  readonly limits: Pick<
    LimitsConfig,
    "maxDecodedBytes" | "maxLabelNamesPerSeries" | "maxLabelNameBytes" | "maxLabelValueBytes"
  >;
  /** What holds for a tenant's labels now; default: `limits`. */
  readonly limitsOf?: (
    tenant: string,
  ) => Pick<LimitsConfig, "maxLabelNamesPerSeries" | "maxLabelNameBytes" | "maxLabelValueBytes">;
  /** Unix milliseconds. */
  now(): number;
  /** Told where each frame is, before the writers whose samples it has are told that these are durable. */
  readonly onAcknowledged?: (partition: number, where: Stored) => void;
  /** Frames of a partition that wait for their acknowledgement at the same time; default 2. */
  readonly maxInFlight?: number;
  /** A frame is not filled beyond this; default 256 KiB. */
  readonly maxFrameBytes?: number;
  /**
   * Bytes that may wait in all: frames on their way to the bus, and the bodies of requests that are received or not answered
   * yet. Beyond, requests are put off (TryLater). Default 128 MiB; a single body is taken in any case.
   */
  readonly maxQueuedBytes?: number;
  /** How old a sample may be, fresh or backfilled: what is older than anything that is kept; Infinity, the default, for any age. */
  readonly maxAgeMs?: number;
  /** Series that are remembered (about 53 bytes each); default and most: 16 million. */
  readonly maxSeries?: number;
  /** Labels of a series that was idle for so long are sent again; default 1 h. */
  readonly idleMs?: number;
  /** Samples further ahead of `now` are rejected; default 10 min. */
  readonly maxFutureMs?: number;
  /** Reads remote write faster (docs/decisions/0005); without it everything works, at a higher cost. */
  readonly kernel?: Kernel | undefined;
  /** Prefix of message ids, unique among all gateways of all times, and secret of the label hash; default random. */
  readonly id?: string;
  readonly secret?: readonly [number, number, number];
}

export interface GatewayStats {
  /** Samples acknowledged by the bus, and those that can never be taken, by reason. */
  readonly samplesAccepted: number;
  readonly samplesRejected: Readonly<Record<string, number>>;
  /** Requests of which nothing was taken, by reason (malformed_snappy, overloaded, ...). */
  readonly requestsRefused: Readonly<Record<string, number>>;
  readonly framesPublished: number;
  readonly bytesPublished: number;
  readonly publishFailures: number;
  /** Definitions (label sets) sent and acknowledged. */
  readonly definitionsPublished: number;
  readonly queuedBytes: number;
  /** Bodies of requests that are being received or were not answered yet. */
  readonly bodyBytes: number;
  readonly framesInFlight: number;
  readonly cachedSeries: number;
  readonly cacheBytes: number;
  /** Series that were not in the cache. */
  readonly cacheMisses: number;
  /** Whether remote write is read by the kernel. */
  readonly kernelEnabled: boolean;
}

export interface Gateway extends Ingest {
  stats(): GatewayStats;
  /**
   * A shard does not know the labels of these series hashes (low, high, low, high, ...): the next sample of each goes with
   * its labels.
   */
  markUnannounced(partition: number, hashes: ArrayLike<number>): void;
  /** A shard has seen two label sets under these hashes: from now on their samples always go with labels. */
  markAmbiguous(partition: number, hashes: ArrayLike<number>): void;
  /** Resolves when no frame waits any more, whatever became of them. */
  flush(): Promise<void>;
  /** Takes nothing more and waits for what was taken. */
  close(): Promise<void>;
}
