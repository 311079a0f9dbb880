import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { Bus } from "./bus.ts";
import { clusterMetadata, keepsMetadata } from "./cluster.ts";
import { messageOf, NatsError } from "./nats-error.ts";
import { MAX_PAYLOAD_BYTES } from "./server-conf.ts";
import * as subjects from "./subjects.ts";

export interface StreamLimits {
  readonly partitions: number;
  /** Age at which a sample that no shard has taken is given up; also of what agents published. 0: never. */
  readonly maxAgeMs: number;
  /** Bytes of all partitions' streams together. */
  readonly maxBytes: number;
  /** 3 in a cluster. */
  readonly replicas?: number;
}

/** A publisher that retries with the same message id within this time is not stored twice. */
export const DUPLICATE_WINDOW_MS = 120_000;

const DAY_MS = 86_400_000;
const INGEST_MAX_BYTES = 1 << 30;
const HISTORY_MAX_BYTES = 256 << 20;
const HISTORY_MAX_AGE_MS = 400 * DAY_MS;

/**
 * The streams as they should be. A full stream refuses new messages (samples) or forgets the oldest (histories).
 * @param metadata of the partitions' streams (cluster.ts); undefined for a server that keeps none
 */
export function wantedStreams(limits: StreamLimits, metadata?: Record<string, string>): Partial<StreamConfig>[] {
  const base: Partial<StreamConfig> = {
    storage: StorageType.File,
    num_replicas: limits.replicas ?? 1,
    // May not be longer than messages live.
    duplicate_window: nanos(Math.min(DUPLICATE_WINDOW_MS, limits.maxAgeMs || DUPLICATE_WINDOW_MS)),
    max_msg_size: MAX_PAYLOAD_BYTES,
    allow_direct: true,
  };
  const samples = Array.from({ length: limits.partitions }, (_, p) => ({
    ...base,
    name: subjects.samplesStream(p),
    subjects: [subjects.samplesSubject(p)],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_age: nanos(limits.maxAgeMs),
    max_bytes: Math.max(Math.floor(limits.maxBytes / limits.partitions), 2 * MAX_PAYLOAD_BYTES),
    ...(metadata !== undefined && { metadata }),
  }));
  const ingest = {
    ...base,
    name: subjects.INGEST_STREAM,
    subjects: [subjects.ALL_INGEST_SUBJECTS],
    // An acknowledged message is gone: what is left is what is not yet in the partitions.
    retention: RetentionPolicy.Workqueue,
    discard: DiscardPolicy.New,
    max_age: nanos(limits.maxAgeMs),
    max_bytes: INGEST_MAX_BYTES,
  };
  const history = (name: string, subject: string) => ({
    ...base,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    name,
    subjects: [subject],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(HISTORY_MAX_AGE_MS),
    max_bytes: HISTORY_MAX_BYTES,
  });
  return [
    ...samples,
    ingest,
    history(subjects.ALERTS_STREAM, subjects.ALERTS_SUBJECTS),
    history(subjects.NOTIFICATIONS_STREAM, subjects.NOTIFICATIONS_SUBJECTS),
  ];
}

/** Bytes that all streams together may take: the least that the server's file store must allow. */
export function reservedBytes(limits: StreamLimits): number {
  return wantedStreams(limits).reduce((sum, s) => sum + (s.max_bytes ?? 0) * (limits.replicas ?? 1), 0);
}

/**
 * Makes the streams that do not exist, and brings those that do to the wanted limits; messages stay. Rejects with NatsError
 * "provisioning" that names the stream. Resolves to the names of those that were made.
 */
export async function provisionStreams(bus: Bus, limits: StreamLimits): Promise<string[]> {
  const made: string[] = [];
  const metadata = keepsMetadata(bus) ? clusterMetadata(limits.partitions) : undefined;
  for (const wanted of wantedStreams(limits, metadata)) {
    try {
      if (await provisionStream(bus, wanted)) made.push(wanted.name as string);
    } catch (error) {
      throw new NatsError("provisioning", explain(wanted, error), { cause: error });
    }
  }
  return made;
}

async function provisionStream(bus: Bus, wanted: Partial<StreamConfig>): Promise<boolean> {
  const name = wanted.name as string;
  const found = await bus.jsm.streams.info(name).catch((error: unknown) => {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return undefined;
    throw error;
  });
  if (found === undefined) await bus.jsm.streams.add(wanted as StreamConfig & { name: string });
  else if (differs(found.config, wanted)) {
    const metadata = { ...found.config.metadata, ...wanted.metadata };
    const kept = wanted.metadata === undefined ? {} : { metadata };
    await bus.jsm.streams.update(name, { ...found.config, ...wanted, ...kept });
  }
  return found === undefined;
}

function differs(found: StreamConfig, wanted: Partial<StreamConfig>): boolean {
  const is = found as unknown as Record<string, unknown>;
  return Object.entries(wanted).some(([key, value]) =>
    key === "metadata" ? lacks(found.metadata, wanted.metadata) : JSON.stringify(is[key]) !== JSON.stringify(value),
  );
}

/** Servers add keys of their own. */
function lacks(found: Record<string, string> = {}, wanted: Record<string, string> = {}): boolean {
  return Object.entries(wanted).some(([key, value]) => found[key] !== value);
}

function explain(wanted: Partial<StreamConfig>, error: unknown): string {
  const code = error instanceof JetStreamApiError ? error.code : 0;
  const hint =
    code === NO_STORAGE_LEFT || code === STORAGE_LIMIT
      ? ": the server's JetStream storage is smaller than what streams.max_size asks for; lower it, or raise the server's max_file_store"
      : code === SUBJECTS_OVERLAP
        ? ": another stream of this server has these subjects; is the server used by another Tocsin?"
        : "";
  return `stream ${wanted.name} cannot be provisioned (${messageOf(error)})${hint}`;
}

// Codes of the server's errors.json.
const NO_STORAGE_LEFT = 10047;
const STORAGE_LIMIT = 10028;
const SUBJECTS_OVERLAP = 10065;
