import { FRAME_VERSION } from "../codec/frame-layout.ts";
import type { Bus } from "./bus.ts";
import { messageOf, NatsError } from "./nats-error.ts";
import { ALL_SAMPLES_SUBJECTS, samplesStream } from "./subjects.ts";

/** What whoever publishes frames must know of the cluster. */
export interface Cluster {
  readonly partitions: number;
  /** Version of the frames that its shards read. */
  readonly frameVersion: number;
}

const PARTITIONS = "tocsin.partitions";
const FRAME = "tocsin.frame";

/** It stands in the metadata of the partitions' streams, where it can be read also while no Tocsin runs. */
export function clusterMetadata(partitions: number): Record<string, string> {
  return { [PARTITIONS]: String(partitions), [FRAME]: String(FRAME_VERSION) };
}

/** A server before 2.10 keeps no metadata (the client refuses to send it). */
export function keepsMetadata(bus: Bus): boolean {
  const [major = 0, minor = 0] = (bus.nc.info?.version ?? "").split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 10);
}

/**
 * Reads it. Where the streams have no metadata the partitions are counted. Rejects with NatsError "provisioning" when there
 * are no streams or frames of another version are wanted, else with what the client says.
 */
export async function readCluster(bus: Bus): Promise<Cluster> {
  await bus.ready();
  const names = new Set(await bus.jsm.streams.names(ALL_SAMPLES_SUBJECTS).next());
  const first = samplesStream(0);
  if (!names.has(first)) {
    throw new NatsError(
      "provisioning",
      `there is no stream ${first} on ${bus.url}: start Tocsin once, it makes its streams`,
    );
  }
  const metadata = await bus.jsm.streams.info(first).then(
    (info) => info.config.metadata ?? {},
    (error: unknown) => {
      throw new NatsError("provisioning", `stream ${first} on ${bus.url}: ${messageOf(error)}`, { cause: error });
    },
  );
  const frameVersion = Number(metadata[FRAME] ?? FRAME_VERSION);
  if (frameVersion !== FRAME_VERSION) {
    const why = `the cluster reads frames of version ${frameVersion}, this program writes version ${FRAME_VERSION}`;
    throw new NatsError("provisioning", `${bus.url}: ${why}`);
  }
  let counted = 0;
  while (names.has(samplesStream(counted))) counted++;
  return { partitions: Number(metadata[PARTITIONS] ?? counted), frameVersion };
}
