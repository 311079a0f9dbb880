/** What a block says of itself: meta.json, whose last key is the CRC-32C of the text before it. */

import { crc32c } from "../../lib/crc32c.ts";
import { asBuffer } from "../../lib/utf8.ts";
import type { Tier } from "../../model/rollup.ts";
import { isBlockId } from "./block-id.ts";
import { BLOCK_VERSION } from "./layout.ts";

export interface BlockMeta {
  readonly version: number;
  readonly id: string;
  readonly tier: Tier;
  /** 1 for a block cut from the head, more for what was compacted. */
  readonly level: number;
  /** Ids of the blocks that this one was made of. */
  readonly sources: readonly string[];
  /** Unix ms: samples (raw) or bucket starts (rollups) may lie in [rangeStart, rangeEnd). */
  readonly rangeStart: number;
  readonly rangeEnd: number;
  /** The first and the last time that there is, inclusive. */
  readonly minT: number;
  readonly maxT: number;
  readonly series: number;
  /** Samples, or rows of rollups. */
  readonly samples: number;
  readonly chunks: number;
  /** Size of the data file. */
  readonly bytes: number;
  /** CRC-32C of the data file's tables and footer, which vouch for the rest. */
  readonly tables: string;
}

const KEYS = [
  "version",
  "id",
  "tier",
  "level",
  "sources",
  "rangeStart",
  "rangeEnd",
  "minT",
  "maxT",
  "series",
  "samples",
  "chunks",
  "bytes",
  "tables",
] as const;

export function encodeMeta(meta: BlockMeta): Uint8Array {
  const text = JSON.stringify(meta, [...KEYS]);
  const bytes = new TextEncoder().encode(`${text.slice(0, -1)},"crc32c":"`);
  return new TextEncoder().encode(`${text.slice(0, -1)},"crc32c":"${hex(crc32c(bytes))}"}\n`);
}

export function hex(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}

/** The description, or a text that says why the bytes are none. */
export function decodeMeta(bytes: Uint8Array): BlockMeta | string {
  const tail = 'xxxxxxxx"}\n'.length;
  const text = asBuffer(bytes).toString("utf8");
  if (!/"crc32c":"[0-9a-f]{8}"\}\n$/.test(text)) return "no checksum at its end";
  if (text.slice(-tail, -tail + 8) !== hex(crc32c(bytes, 0, bytes.length - tail))) return "the checksum does not match";
  let parsed: Partial<BlockMeta> & { crc32c?: string };
  try {
    parsed = JSON.parse(text) as Partial<BlockMeta>;
    delete parsed.crc32c;
  } catch {
    return "no JSON";
  }
  if (parsed.version !== BLOCK_VERSION) return `version ${String(parsed.version)}`;
  for (const key of KEYS) if (parsed[key] === undefined) return `no ${key}`;
  const meta = parsed as BlockMeta;
  if (!isBlockId(meta.id)) return `id ${meta.id}`;
  if (!["raw", "1m", "1h"].includes(meta.tier)) return `tier ${meta.tier}`;
  return meta;
}
