/**
 * Samples into the head. The common case, a sample shortly after the newest one of its series, is one loop over typed
 * arrays; everything else goes through `appendRare`.
 */
import type { SampleColumns } from "../../model/sample.ts";
import { encodeSample, SCRATCH_WINDOW, SCRATCH_WORDS } from "../chunk/encode.ts";
import { type CutLog, keepAside } from "./cut-log.ts";
import { type Head, resolveInFrame } from "./head.ts";
import { appendLate, OTHER, SAME } from "./late.ts";
import { BLOCK_DATA_WORDS, BLOCK_ORDER, CHUNK_SAMPLES, openChunk, sealOpenChunk } from "./open-chunk.ts";
import {
  AMBIGUOUS,
  DELTA,
  LAST_HI,
  LAST_LO,
  LAST_T_F64,
  LATE,
  LEFT,
  lookupHashes,
  OPEN,
  ROW_SHIFT,
  TAIL,
  TAIL_BITS,
  WINDOW_COUNT,
} from "./series-table.ts";
import { allocateBlock, SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

/**
 * What became of the samples: accepted + duplicates + tooOld + invalidTime + unknownCount + ambiguousCount is their number.
 */
export interface AppendResult {
  /** Stored: in order, out of order, or in the place of one with the same time. */
  accepted: number;
  /** Of the accepted ones: older than the newest sample of their series. */
  outOfOrder: number;
  /** Of the accepted ones: there was another value at that time. */
  overwritten: number;
  /** Same time and value as a sample that is there: nothing changed. */
  duplicates: number;
  /** Further behind the newest sample than the out-of-order window: refused. */
  tooOld: number;
  /** The time is not a whole number of milliseconds below 2^53: refused. */
  invalidTime: number;
  /** Rows whose hash is not known, listed at the start of `unknown`. */
  unknownCount: number;
  /** Rows whose hash has several label sets, and the frame does not say which; listed at the end of `unknown`, last first. */
  ambiguousCount: number;
}

const scratch = new Int32Array(SCRATCH_WORDS);

/**
 * Appends a frame's samples in the order of the columns. `unknown` (at least `cols.length` long) receives the rows that
 * could not be stored for want of labels, see `AppendResult`.
 */
export function appendColumns(head: Head, cols: SampleColumns, unknown: Uint32Array): AppendResult {
  const n = cols.length;
  if (head.ids.length < n) head.ids = new Int32Array(2 * n);
  const { ids } = head;
  lookupHashes(head.series, cols.hashLo, cols.hashHi, n, ids);
  const result: AppendResult = {
    accepted: 0,
    outOfOrder: 0,
    overwritten: 0,
    duplicates: 0,
    tooOld: 0,
    invalidTime: 0,
    unknownCount: 0,
    ambiguousCount: 0,
  };
  const { values } = cols;
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * n);
  appendLoop(head, ids, cols, words, n, unknown, result);
  const { totals } = head;
  totals.appended += result.accepted;
  totals.outOfOrder += result.outOfOrder;
  totals.overwritten += result.overwritten;
  totals.duplicates += result.duplicates;
  totals.tooOld += result.tooOld;
  totals.invalidTime += result.invalidTime;
  return result;
}

function appendLoop(
  head: Head,
  ids: Int32Array,
  cols: SampleColumns,
  words: Int32Array,
  n: number,
  unknown: Uint32Array,
  result: AppendResult,
): void {
  const { rows, times } = head.series;
  const { slabs } = head.pool;
  const { ts } = cols;
  let stored = 0;
  let maxT = head.maxT;
  const { cut } = head;
  const cutoff = cut === undefined ? Number.NEGATIVE_INFINITY : cut.cutoff;
  for (let i = 0; i < n; i++) {
    let id = ids[i] as number;
    if (id < 0) {
      if (id === AMBIGUOUS) id = resolveInFrame(head, cols.hashLo[i] as number, cols.hashHi[i] as number);
      else {
        unknown[result.unknownCount++] = i;
        continue;
      }
      if (id < 0) {
        unknown[unknown.length - ++result.ambiguousCount] = i;
        continue;
      }
    }
    const row = id << ROW_SHIFT;
    const t = ts[i] as number;
    const lo = words[2 * i] as number;
    const hi = words[2 * i + 1] as number;
    const lastAt = (row >> 1) + LAST_T_F64;
    const gap = t - (times[lastAt] as number);
    const delta = gap | 0;
    if (delta !== gap || delta <= 0 || delta >= (rows[row + LEFT] as number)) {
      appendRare(head, id, t, lo, hi, result);
      continue;
    }
    // In order and into the open chunk.
    const windowCount = rows[row + WINDOW_COUNT] as number;
    const count = (windowCount >>> 16) + 1;
    const bits = rows[row + TAIL_BITS] as number;
    const d = (delta - (rows[row + DELTA] as number)) | 0;
    rows[row + DELTA] = delta;
    rows[row + LEFT] = count === CHUNK_SAMPLES ? 0 : (rows[row + LEFT] as number) - delta;
    times[lastAt] = t;
    if (t > maxT) maxT = t;
    if (t < cutoff) keepAside(cut as CutLog, id, t, lo, hi);
    stored++;
    let tail = rows[row + TAIL] as number;
    const lastLo = rows[row + LAST_LO] as number;
    const lastHi = rows[row + LAST_HI] as number;
    if (lo === lastLo && hi === lastHi && d >= -64 && d < 64) {
      // The same value again, in time: 2 or 10 bits, mostly in the word that is there. Its free bits are 0, so that the 2
      // (both 0) need no look at the block.
      const used = bits & 31;
      const length = d === 0 ? 2 : 10;
      if (used !== 0 && used + length <= 32) {
        if (d !== 0) {
          const slab = slabs[tail >>> SLAB_SHIFT] as Int32Array;
          const word = (tail & SLAB_MASK) + 1 + (bits >>> 5);
          slab[word] = (slab[word] as number) | ((0x200 | ((d & 0x7f) << 1)) << (32 - used - length));
        }
        rows[row + TAIL_BITS] = bits + length;
        rows[row + WINDOW_COUNT] = (windowCount & 0xffff) | (count << 16);
        continue;
      }
    }
    let slab = slabs[tail >>> SLAB_SHIFT] as Int32Array;
    let at = tail & SLAB_MASK;
    let w = bits >>> 5;
    scratch[0] = (bits & 31) === 0 ? 0 : (slab[at + 1 + w] as number);
    const end = encodeSample(scratch, bits & 31, d, lo ^ lastLo, hi ^ lastHi, windowCount & 0xffff);
    const touched = (end + 31) >>> 5;
    for (let k = 0; k < touched; k++) {
      if (w === BLOCK_DATA_WORDS) {
        const next = allocateBlock(head.pool, BLOCK_ORDER);
        slab[at] = next;
        tail = next;
        slab = slabs[tail >>> SLAB_SHIFT] as Int32Array;
        at = tail & SLAB_MASK;
        w = 0;
        rows[row + TAIL] = tail;
      }
      w++;
      slab[at + w] = scratch[k] as number;
    }
    rows[row + TAIL_BITS] = (end & 31) === 0 ? w << 5 : ((w - 1) << 5) + (end & 31);
    rows[row + WINDOW_COUNT] = (scratch[SCRATCH_WINDOW] as number) | (count << 16);
    rows[row + LAST_LO] = lo;
    rows[row + LAST_HI] = hi;
  }
  if (maxT > head.maxT) head.maxT = maxT;
  result.accepted += stored;
}

/** A sample that does not simply extend the open chunk: a first one, one that seals the chunk, or one that is not newer. */
function appendRare(head: Head, id: number, t: number, lo: number, hi: number, result: AppendResult): void {
  const { rows, times } = head.series;
  const row = id << ROW_SHIFT;
  if (!Number.isSafeInteger(t)) {
    result.invalidTime++;
    return;
  }
  const last = times[(row >> 1) + LAST_T_F64] as number;
  if (t > last) {
    if (rows[row + OPEN] !== 0) sealOpenChunk(head, id);
    openChunk(head, id, t, lo, hi);
    if (head.cut !== undefined && t < head.cut.cutoff) keepAside(head.cut, id, t, lo, hi);
    result.accepted++;
  } else if (t === last && lo === rows[row + LAST_LO] && hi === rows[row + LAST_HI] && rows[row + LATE] === 0) {
    // A sender repeats its last request: common, so spared the search.
    result.duplicates++;
  } else if (t < last - head.options.outOfOrderWindowMs) {
    result.tooOld++;
  } else {
    const outcome = appendLate(head, id, t, lo, hi);
    if (outcome === SAME) {
      result.duplicates++;
      return;
    }
    if (head.cut !== undefined && t < head.cut.cutoff) keepAside(head.cut, id, t, lo, hi);
    result.accepted++;
    if (t < last) result.outOfOrder++;
    if (outcome === OTHER) result.overwritten++;
  }
}
