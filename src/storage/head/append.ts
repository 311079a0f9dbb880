/**
 * Samples into the head. The common case, a sample shortly after the newest one of its series, is one loop over typed
 * arrays; a sample that begins a chunk goes through `appendFirst`, one that is not newer through append-old.ts.
 */
import { HISTOGRAM_TAG_HI, histogramRefOf, makeSampleBuffer, type SampleColumns } from "../../model/sample.ts";
import { encodeSample, SCRATCH_WINDOW, SCRATCH_WORDS } from "../chunk/encode.ts";
import { appendOld, takeHistogram, taken } from "./append-old.ts";
import { type AppendOptions, type AppendResult, noResult } from "./append-result.ts";
import { type CutLog, keepAside } from "./cut-log.ts";
import { type Head, resolveInFrame } from "./head.ts";
import { BLOCK_DATA_WORDS, BLOCK_ORDER, CHUNK_SAMPLES, openChunk, sealOpenChunk } from "./open-chunk.ts";
import {
  AMBIGUOUS,
  DELTA,
  LAST_HI,
  LAST_LO,
  LAST_T_F64,
  LEFT,
  lookupHashes,
  OPEN,
  ROW_SHIFT,
  TAIL,
  TAIL_BITS,
  WINDOW_COUNT,
} from "./series-table.ts";
import { obtainCompanion, pushStart, type StartColumns } from "./start-times.ts";
import { allocateBlock, SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

const scratch = new Int32Array(SCRATCH_WORDS);
const FRESH_RULES: AppendOptions = {};
/** The high word of a histogram, as int32, and the bits that say so. */
const TAG = HISTOGRAM_TAG_HI | 0;
const TAG_BITS = -1 << 18;

export type { AppendOptions, AppendResult } from "./append-result.ts";

/**
 * Appends a frame's samples in the order of the columns. `unknown` (at least `cols.length` long) receives the rows that
 * could not be stored for want of labels, see `AppendResult`.
 */
export function appendColumns(
  head: Head,
  cols: SampleColumns,
  unknown: Uint32Array,
  options: AppendOptions = FRESH_RULES,
): AppendResult {
  const n = cols.length;
  if (head.ids.length < n) head.ids = new Int32Array(2 * n);
  const { ids } = head;
  lookupHashes(head.series, cols.hashLo, cols.hashHi, n, ids);
  const result = noResult();
  const { values } = cols;
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * n);
  appendLoop(head, ids, cols, words, n, unknown, options, result);
  if (cols.startTs !== undefined) {
    const { oldest } = appendStarts(head, ids, cols, options);
    if (oldest < result.oldest) result.oldest = oldest;
  }
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
  options: AppendOptions,
  result: AppendResult,
): void {
  const { rows, times } = head.series;
  const { slabs } = head.pool;
  const { ts } = cols;
  let stored = 0;
  let maxT = head.maxT;
  let minT = Number.POSITIVE_INFINITY;
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
    let lo = words[2 * i] as number;
    let hi = words[2 * i + 1] as number;
    if ((hi & TAG_BITS) === TAG) {
      const before = result.accepted;
      if (!takeHistogram(head, id, t, cols, histogramRefOf(lo, hi), options, result)) {
        if (result.accepted > before && t < minT) minT = t;
        continue;
      }
      lo = taken[0] as number;
      hi = taken[1] as number;
    }
    const lastAt = (row >> 1) + LAST_T_F64;
    const gap = t - (times[lastAt] as number);
    const delta = gap | 0;
    if (delta !== gap || delta <= 0 || delta >= (rows[row + LEFT] as number)) {
      const before = result.accepted;
      if (gap <= 0) i += appendOld(head, ids, id, cols, words, i, options, result);
      else appendFirst(head, id, t, lo, hi, result);
      // Of rows that were taken together this is the oldest.
      if (result.accepted > before && t < minT) minT = t;
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
    if (t < minT) minT = t;
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
  if (minT < result.oldest) result.oldest = minT;
  result.accepted += stored;
}

/** A sample that begins a chunk: a first one, or one that seals the chunk before it. */
function appendFirst(head: Head, id: number, t: number, lo: number, hi: number, result: AppendResult): void {
  // NaN as well: it is no time, and no gap either.
  if (!Number.isSafeInteger(t)) {
    result.invalidTime++;
    return;
  }
  if (head.series.rows[(id << ROW_SHIFT) + OPEN] !== 0) sealOpenChunk(head, id);
  openChunk(head, id, t, lo, hi);
  if (head.cut !== undefined && t < head.cut.cutoff) keepAside(head.cut, id, t, lo, hi);
  result.accepted++;
}

const starts: StartColumns = { length: 0, ids: new Int32Array(64), samples: makeSampleBuffer(64) };
const NOTHING = new Uint32Array(0);

/** Start times of a frame's samples, as samples of the companions. */
function appendStarts(head: Head, ids: Int32Array, cols: SampleColumns, options: AppendOptions): AppendResult {
  const startTs = cols.startTs as Float64Array;
  starts.length = 0;
  for (let i = 0; i < cols.length; i++) {
    if (startTs[i] === 0) continue;
    let id = ids[i] as number;
    if (id === AMBIGUOUS) id = resolveInFrame(head, cols.hashLo[i] as number, cols.hashHi[i] as number);
    if (id < 0 || !Number.isSafeInteger(cols.ts[i])) continue;
    pushStart(starts, obtainCompanion(head.starts, head.series, id), cols.ts[i] as number, startTs[i] as number);
  }
  const n = starts.length;
  const { ts, values } = starts.samples;
  const columns: SampleColumns = { length: n, hashLo: NOTHING, hashHi: NOTHING, ts, values };
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * n);
  // What becomes of them was counted with their samples.
  const uncounted = { ...options, onTooOld: undefined };
  const result = noResult();
  appendLoop(head, starts.ids, columns, words, n, NOTHING, uncounted, result);
  return result;
}
