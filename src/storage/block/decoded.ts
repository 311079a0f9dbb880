/**
 * Samples of chunks that were decoded lately, in the block's cache: a dashboard asks for the same ones every few seconds, and reading
 * them out of a page costs many times what copying them does. Most series of a block have their samples at the same times: those
 * are kept once.
 */
import { firstAfter, firstAt } from "../../lib/search.ts";
import { reserveSamples, type SampleBuffer } from "../../model/sample.ts";
import { type BlockCache, type CacheSlots, cacheForget, cachePut } from "./cache.ts";

export interface DecodedChunks {
  /** By page; in it a chunk is at the number of its first column. */
  readonly pages: CacheSlots[];
  /** Times of the chunk that was kept last. */
  times: Float64Array;
}

interface DecodedChunk {
  readonly ts: Float64Array;
  readonly values: Float64Array;
}

/** Memory that the objects around a chunk take, about. */
const OVERHEAD = 300;

export function makeDecodedChunks(): DecodedChunks {
  return { pages: [], times: new Float64Array(0) };
}

/** Appends the chunk's samples in [minT, maxT] to `out`, if they are here. */
export function appendDecoded(
  { pages }: DecodedChunks,
  cache: BlockCache,
  page: number,
  column: number,
  minT: number,
  maxT: number,
  out: SampleBuffer,
): boolean {
  const entry = pages[page]?.[column];
  if (entry === undefined) return false;
  entry.used = true;
  cache.hits++;
  const { ts, values } = entry.value as DecodedChunk;
  const first = firstAt(ts, 0, ts.length, minT);
  const end = firstAfter(ts, first, ts.length, maxT);
  const length = out.length + end - first;
  reserveSamples(out, length);
  if (end - first === ts.length) {
    out.ts.set(ts, out.length);
    out.values.set(values, out.length);
  } else {
    out.ts.set(ts.subarray(first, end), out.length);
    out.values.set(values.subarray(first, end), out.length);
  }
  out.startTs?.fill(0, out.length, length);
  out.length = length;
  return true;
}

/** Keeps the chunk that was read into `out` at `at`: one of times and floats alone. */
export function keepDecoded(
  decoded: DecodedChunks,
  cache: BlockCache,
  page: number,
  column: number,
  out: SampleBuffer,
  at: number,
  rows: number,
): void {
  const isShared = sameTimes(decoded.times, out.ts, at, rows);
  const bytes = OVERHEAD + (isShared ? 8 : 16) * rows;
  if (bytes > cache.maxBytes / 4) return;
  const ts = isShared ? decoded.times : out.ts.slice(at, at + rows);
  decoded.times = ts;
  let slots = decoded.pages[page];
  if (slots === undefined) {
    slots = [];
    decoded.pages[page] = slots;
  }
  cachePut(cache, slots, column, { ts, values: out.values.slice(at, at + rows) }, bytes);
}

export function forgetDecoded(decoded: DecodedChunks, cache: BlockCache): void {
  for (const slots of decoded.pages) if (slots !== undefined) cacheForget(cache, slots);
  decoded.pages.length = 0;
}

function sameTimes(known: Float64Array, ts: Float64Array, at: number, rows: number): boolean {
  if (known.length !== rows) return false;
  for (let i = 0; i < rows; i++) if (known[i] !== ts[at + i]) return false;
  return true;
}
