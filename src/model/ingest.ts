import type { Labels } from "./labels.ts";

/**
 * How samples enter: the gateway (src/streams/ingest) implements `Ingest`, the API, the collectors and the rules use it.
 * Every method resolves only after JetStream has acknowledged the frames that hold the accepted samples.
 */
export interface Ingest {
  /**
   * Room for a body of so many bytes that is about to be received; the function that is returned gives it back, once the
   * request was answered. Throws TryLater ("overloaded") when too much waits already. Not everyone bounds it.
   */
  admit?(bytes: number): () => void;
  /** A snappy-compressed remote-write 1.0 request, as it arrived. */
  remoteWrite(tenant: string, body: Uint8Array, how?: IngestMode): Promise<IngestResult>;
  /** A snappy-compressed remote-write 2.0 request (io.prometheus.write.v2.Request), as it arrived. */
  remoteWrite2(tenant: string, body: Uint8Array, how?: IngestMode): Promise<IngestResult>;
  /** A JSON push body (spine.md part 8). Samples without a time get `now`, by default the gateway's clock. */
  json(tenant: string, body: Uint8Array, now?: number, how?: IngestMode): Promise<IngestResult>;
  /** Samples in Prometheus's text exposition format 0.0.4, without a time: `now` is used. */
  exposition(tenant: string, body: Uint8Array, now: number): Promise<IngestResult>;
  /** A handle for samples produced in this process (scrapes, rules); hold on to it, it carries the hash. */
  series(tenant: string, labels: Labels): SeriesRef;
  /**
   * Samples of series made by `series()`: refs, timestamps (Unix ms) and values, same length. A Float64Array keeps
   * staleness markers bit-exact. With `histograms`, tagged values (sample.ts) are native histograms: offsets in these bytes.
   */
  append(
    refs: readonly SeriesRef[],
    ts: Float64Array,
    values: Float64Array,
    histograms?: Uint8Array,
  ): Promise<IngestResult>;
}

export interface IngestMode {
  /**
   * History that is sent late: samples may have any age inside the retention of raw samples; of two samples with one time the one
   * sent last stays, as always. Otherwise a shard takes what its out-of-order window allows. What is older than the retention is
   * rejected in either case (beyond_retention).
   */
  readonly backfill?: boolean;
}

export interface SeriesRef {
  readonly tenant: string;
  readonly labels: Labels;
  readonly hashLo: number;
  readonly hashHi: number;
}

export interface IngestResult {
  /** Samples that are durable now, native histograms included. */
  readonly accepted: number;
  /** Of these: native histograms. 0 where not given. */
  readonly histograms?: number;
  /** Exemplars that are durable now. 0 where not given. */
  readonly exemplars?: number;
  /** Samples that can never be taken, with the reason (the metric's label) and a message that names the place. */
  readonly rejected: readonly Rejection[];
  /** Where the samples are (position.ts): a query that waits for it sees them. Undefined when there are none. */
  readonly position?: string | undefined;
}

export interface Rejection {
  readonly reason: string;
  readonly count: number;
  /** The first case in full: what, where, what to do. */
  readonly message: string;
}

/** The body cannot be read at all: nothing of it was taken. HTTP 400. */
export class MalformedBody extends Error {
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.name = "MalformedBody";
    this.reason = reason;
  }
}

/** Not taken now, send again later. HTTP 503 (bus down) or 429 (over a limit), with Retry-After. */
export class TryLater extends Error {
  readonly reason: "bus_unavailable" | "overloaded" | "stream_full";
  readonly status: 429 | 503;
  readonly retryAfterSeconds: number;
  constructor(reason: TryLater["reason"], status: 429 | 503, retryAfterSeconds: number, message: string) {
    super(message);
    this.name = "TryLater";
    this.reason = reason;
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
