/**
 * The cut: samples older than a cutoff leave the head for blocks, while frames go on being applied.
 *
 *   beginCut      from now on samples older than the cutoff that are stored are also kept aside (cut-log.ts)
 *   (the caller reads the windows before the cutoff, series by series, and publishes blocks of them)
 *   finishCut     drops what is older than the cutoff, and puts what was kept aside in again; or
 *   abortCut      nothing has happened
 *
 * So a sample older than the cutoff that was there at the beginning is in the blocks; one that came later is in the head, and
 * perhaps in the blocks as well; where they differ the head's is the newer one. Between the publishing and the end a sample may
 * be in both. No series may be collected meanwhile.
 */

import { makeSampleBuffer } from "../../model/sample.ts";
import { chunkBefore, chunkMinT } from "./chunk-arena.ts";
import { makeCutLog, takeAside } from "./cut-log.ts";
import type { Head } from "./head.ts";
import { dropOldHistograms } from "./histogram-arena.ts";
import { putLate } from "./late.ts";
import { copyLateBuffer, lateChunk } from "./late-buffer.ts";
import { CHUNK_RANGE, openChunkMinT, rangeEnd, sealOpenChunk } from "./open-chunk.ts";
import { dropSeriesSamples, updateMinT } from "./retention.ts";
import { LAST_T_F64, LATE, OPEN, ROW_SHIFT, SEALED } from "./series-table.ts";
import type { Pause } from "./sliced-sort.ts";

/** Series looked at between two pauses: one to some milliseconds. */
const SLICE = 2000;

/** Begins a cut at a multiple of CHUNK_RANGE (Unix ms). `most`: bound of the samples kept aside. */
export function beginCut(head: Head, cutoff: number, most?: number): void {
  if (cutoff % CHUNK_RANGE !== 0) throw new RangeError(`a cut at ${cutoff}, which is no multiple of ${CHUNK_RANGE}`);
  if (head.cut !== undefined) throw new Error("a cut is going on");
  const { histograms } = head;
  head.cut = makeCutLog(cutoff, histograms.first + Math.max(0, histograms.slabs.length - 1), most);
}

/** Starts of the windows of CHUNK_RANGE that have samples before the cutoff, ascending. */
export async function windowsBefore(head: Head, cutoff: number, pause: Pause): Promise<number[]> {
  const windows = new Set<number>();
  const add = (t: number): void => {
    if (t < cutoff) windows.add(rangeEnd(t) - CHUNK_RANGE);
  };
  for (let id = 0; id < head.series.count; id++) {
    if ((head.series.firstT[id] as number) < cutoff) eachWindow(head, id, add);
    if (id % SLICE === SLICE - 1) await pause();
  }
  return [...windows].sort((a, b) => a - b);
}

const late = makeSampleBuffer(64);

/** Calls `add` with at least one time of each window that the series has samples in. */
function eachWindow(head: Head, id: number, add: (t: number) => void): void {
  const { chunks, pool } = head;
  const { rows } = head.series;
  const row = id << ROW_SHIFT;
  for (let c = (rows[row + SEALED] as number) >>> 0; c !== 0; c = chunkBefore(chunks, c)) add(chunkMinT(chunks, c));
  if (rows[row + OPEN] !== 0) add(openChunkMinT(head, id));
  const buffer = rows[row + LATE] as number;
  if (buffer === 0) return;
  for (let c = lateChunk(pool, buffer); c !== 0; c = chunkBefore(chunks, c)) add(chunkMinT(chunks, c));
  late.length = 0;
  copyLateBuffer(pool, buffer, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, late);
  for (let i = 0; i < late.length; i++) add(late.ts[i] as number);
}

/**
 * Ends the cut, after its blocks were published. Each series changes at once, so what is read in between is complete. Open
 * chunks of series that have been silent since their range ended are sealed on the way. `slice`: series between two pauses.
 */
export async function finishCut(head: Head, pause: Pause, slice = SLICE): Promise<void> {
  const log = head.cut;
  if (log === undefined) throw new Error("no cut is going on");
  const { series } = head;
  while (log.done < series.count) {
    const end = Math.min(series.count, log.done + slice);
    for (let id = log.done; id < end; id++) {
      sealSilent(head, id);
      if (log.kept.has(id)) continue;
      dropSeriesSamples(head, id, log.cutoff);
      for (const i of takeAside(log, id)) {
        const { ts, words } = log;
        putLate(head, id, ts[i] as number, words[2 * i] as number, words[2 * i + 1] as number);
      }
    }
    log.done = end;
    await pause();
  }
  // Slabs that were filled since the beginning may hold what was kept aside.
  if (log.kept.size === 0) dropOldHistograms(head.histograms, log.cutoff, log.histogramSlab);
  updateMinT(head);
  head.cut = undefined;
}

function sealSilent(head: Head, id: number): void {
  const { rows, times } = head.series;
  const row = id << ROW_SHIFT;
  if (rows[row + OPEN] !== 0 && rangeEnd(times[(row >> 1) + LAST_T_F64] as number) <= head.maxT)
    sealOpenChunk(head, id);
}

/** Gives the cut up: the head keeps everything. */
export function abortCut(head: Head): void {
  head.cut = undefined;
}
