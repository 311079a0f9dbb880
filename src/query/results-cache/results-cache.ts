/** Results of range queries that are kept, in bounded memory, the least recently used go first. */
import type { Labels } from "../../model/labels.ts";
import type { ChangePoint } from "../../model/shard.ts";
import type { Rows } from "./join-columns.ts";

/** A result, as long as nothing changes below its times. It is never changed itself. */
export interface Kept {
  /** Unix ms of the first step, and of the longest range that was asked for. */
  readonly start: number;
  readonly step: number;
  readonly spanMs: number;
  readonly rows: Rows;
  /** Of the steps the first so many count: those behind may be another one's by now. */
  readonly validSteps: number;
  /** Where the shards stood before the oldest part of it was evaluated, by partition. */
  readonly at: readonly ChangePoint[];
}

/** Why a query went past the cache: by its request, its expression, a shard that did not answer, its own answer, or its size. */
export type BypassReason = "request" | "expression" | "shard" | "answer" | "size";

export interface ResultsCacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly bypassed: Readonly<Record<BypassReason, number>>;
  readonly entries: number;
  readonly bytes: number;
  /** Points (series times steps) that were taken from the cache. */
  readonly reusedPoints: number;
}

export interface ResultsCache {
  /** Whether there is room for anything at all; what is beyond the room that there is by now goes. */
  hasRoom(): boolean;
  get(key: string): Kept | undefined;
  /** Keeps a result in place of the one before; one that is too large for the cache is not kept: false. */
  set(key: string, kept: Kept): boolean;
  delete(key: string): void;
  /** A query that took so many points from a kept result; undefined: none was of use to it. */
  count(points: number | undefined): void;
  bypass(reason: BypassReason): void;
  stats(): ResultsCacheStats;
}

/** No result takes more than this part of the cache. */
const LARGEST_PART = 1 / 4;
const ENTRY_BYTES = 512;
const LABELS_BYTES = 64;
const STRING_BYTES = 24;

/** @param maxBytes about so much memory is taken by what is kept; asked each time, since it may change; 0: nothing is kept */
export function makeResultsCache(maxBytes: () => number): ResultsCache {
  // In the order of their last use.
  const entries = new Map<string, { readonly kept: Kept; readonly bytes: number }>();
  let bytes = 0;
  let hits = 0;
  let misses = 0;
  let reusedPoints = 0;
  const bypassed: Record<BypassReason, number> = { request: 0, expression: 0, shard: 0, answer: 0, size: 0 };
  const drop = (key: string): void => {
    bytes -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  };
  const keepWithin = (room: number): void => {
    for (const oldest of entries.keys()) {
      if (bytes <= room) break;
      drop(oldest);
    }
  };
  return {
    hasRoom: () => {
      const room = maxBytes();
      keepWithin(room);
      return room > 0;
    },
    get: (key) => {
      const found = entries.get(key);
      if (found === undefined) return undefined;
      entries.delete(key);
      entries.set(key, found);
      return found.kept;
    },
    set: (key, kept) => {
      drop(key);
      const size = 2 * key.length + bytesOf(kept);
      const room = maxBytes();
      if (size > room * LARGEST_PART) return false;
      entries.set(key, { kept, bytes: size });
      bytes += size;
      keepWithin(room);
      return true;
    },
    delete: drop,
    count: (points) => {
      if (points === undefined) misses++;
      else hits++;
      reusedPoints += points ?? 0;
    },
    bypass: (reason) => {
      bypassed[reason]++;
    },
    stats: () => ({ hits, misses, bypassed: { ...bypassed }, entries: entries.size, bytes, reusedPoints }),
  };
}

function bytesOf({ rows }: Kept): number {
  const { labels, values, present } = rows;
  return labels.reduce((sum, set) => sum + labelBytes(set), ENTRY_BYTES + values.byteLength + present.byteLength);
}

function labelBytes(labels: Labels): number {
  return labels.reduce((sum, text) => sum + STRING_BYTES + text.length, LABELS_BYTES);
}
