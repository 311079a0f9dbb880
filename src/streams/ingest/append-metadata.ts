import { hash96 } from "../../lib/hash64.ts";
import { isUtf8Range } from "../../lib/utf8.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import type { BatchExtras } from "../codec/batch-extras.ts";
import { METRIC_TYPES, writeMetadata } from "../codec/frame-records.ts";
import { partitionOf, seriesHash } from "../codec/series-hash.ts";
import { type AppendCore, hasRoom, type Run } from "./append-rows.ts";
import { joinOpenFrame, type PartitionQueue, pump, sealFrame } from "./partition-queue.ts";

/** Senders repeat metadata with every request or every minute: it goes on only when it is new, or so old. */
const AGAIN_SECONDS = 600;
const REMEMBERED = 100_000;
const MAX_NAME_BYTES = 1024;
const MAX_HELP_BYTES = 4096;
const MAX_UNIT_BYTES = 256;

export interface MetadataCore {
  readonly partitions: number;
  /** Hashes of metadata that was sent, and when (seconds on the cache's clock). */
  readonly metadataSent: Map<number, number>;
}

const hash = new Uint32Array(3);

/**
 * Puts the metadata of a batch into the open frames of the partitions that keep it. It is of use, not vital: long texts are
 * shortened, what cannot be read is left out, and what a failed frame took with it comes again with a later request.
 */
export function appendMetadata(core: AppendCore & MetadataCore, run: Run, tenant: string, extras: BatchExtras): void {
  const { types, spans } = extras.metadata;
  for (let i = 0; i < types.length; i++) {
    const [family, help, unit] = [0, 2, 4].map((k) => {
      const most = k === 0 ? MAX_NAME_BYTES : k === 2 ? MAX_HELP_BYTES : MAX_UNIT_BYTES;
      return cut(extras.text, spans[6 * i + k] as number, spans[6 * i + k + 1] as number, most);
    }) as [Uint8Array, Uint8Array, Uint8Array];
    if (family.length === 0) continue;
    const type = types[i] as number;
    const known = type < METRIC_TYPES.length ? type : 0;
    const texts = [run.tenant, family, help, unit];
    const key = keyOf(known, texts);
    const sent = core.metadataSent.get(key);
    if (sent !== undefined && run.nowSeconds - sent < AGAIN_SECONDS) continue;
    if (core.metadataSent.size >= REMEMBERED) core.metadataSent.clear();
    core.metadataSent.set(key, run.nowSeconds);
    const name = new TextDecoder().decode(family);
    const q = core.queues[partitionOf(seriesHash(tenant, [METRIC_NAME, name]).hi, core.partitions)] as PartitionQueue;
    if (!hasRoom(q.open, core.maxFrameBytes)) {
      sealFrame(q);
      pump(q);
    }
    writeMetadata(q.open.metadata, known, texts);
    joinOpenFrame(q, run.ticket);
  }
}

/** At most `most` bytes of a text, whole characters; nothing of what is not UTF-8. */
function cut(text: Uint8Array, start: number, end: number, most: number): Uint8Array {
  if (!isUtf8Range(text, start, end)) return text.subarray(0, 0);
  let to = Math.min(end, start + most);
  while (to < end && to > start && ((text[to] as number) & 0xc0) === 0x80) to--;
  return text.subarray(start, to);
}

function keyOf(type: number, texts: readonly Uint8Array[]): number {
  let size = 1;
  for (const t of texts) size += t.length + 1;
  const all = new Uint8Array(size);
  all[0] = type;
  let at = 1;
  for (const t of texts) {
    all.set(t, at);
    at += t.length;
    // No byte of UTF-8.
    all[at++] = 0xff;
  }
  hash96(new DataView(all.buffer), 0, size, 0, 0, 0, hash, 0);
  return (hash[0] as number) + ((hash[1] as number) >>> 11) * 0x1_0000_0000;
}
