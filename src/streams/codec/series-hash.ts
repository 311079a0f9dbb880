import { Buffer } from "node:buffer";
import { hash96 } from "../../lib/hash64.ts";
import type { Labels } from "../../model/labels.ts";

/** Seeds of the series hash: part of the frame format, never to change. */
export const SERIES_SEED_A = 0x54534631;
export const SERIES_SEED_B = 0x746f6373;
export const SERIES_SEED_C = 0x696e2e31;

/** Stands between and after the strings of the hashed text: no byte of UTF-8. */
export const HASH_SEPARATOR = 0xff;

const out = new Uint32Array(3);

/** What names a series: a 64-bit hash over tenant and sorted labels (docs/format/frame.md), and 32 further bits of it. */
export interface SeriesHash {
  readonly lo: number;
  readonly hi: number;
  readonly check: number;
}

export function seriesHash(tenant: string, labels: Labels): SeriesHash {
  let size = 4 * tenant.length + 1;
  for (let i = 0; i < labels.length; i++) size += 3 * (labels[i] as string).length + 1;
  const text = Buffer.allocUnsafe(size);
  let end = text.write(tenant, 0);
  text[end++] = HASH_SEPARATOR;
  for (let i = 0; i < labels.length; i++) {
    end += text.write(labels[i] as string, end);
    text[end++] = HASH_SEPARATOR;
  }
  hash96(new DataView(text.buffer, text.byteOffset, end), 0, end, SERIES_SEED_A, SERIES_SEED_B, SERIES_SEED_C, out, 0);
  return { lo: out[0] as number, hi: out[1] as number, check: out[2] as number };
}

/** The partition that owns a series: fixed for as long as the number of partitions is. */
export function partitionOf(hashHi: number, partitions: number): number {
  return hashHi % partitions;
}
