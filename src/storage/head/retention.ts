/** Old samples out of the head. Series and their labels stay. */
import { chunkIsGone, dropOldSlabs } from "./chunk-arena.ts";
import type { Head } from "./head.ts";
import { freeLateBuffer, isOldLateBuffer, lateChunk, setLateChunk } from "./late-buffer.ts";
import { freeOpenChunk } from "./open-chunk.ts";
import { LAST_T_F64, LATE, OPEN, ROW_SHIFT, SEALED } from "./series-table.ts";

/**
 * Gives back memory of samples older than `before` (Unix ms): sealed chunks a slab at a time, when all of the slab is old,
 * and what is still open when all of it is. Younger samples stay, and some older ones beside them. Returns whether sealed
 * chunks went.
 */
export function dropOldSamples(head: Head, before: number): boolean {
  const { chunks, pool, series } = head;
  const { rows, times, firstT } = series;
  const dropped = dropOldSlabs(chunks, before) > 0;
  for (let id = 0; id < series.count; id++) {
    const row = id << ROW_SHIFT;
    if (rows[row + OPEN] !== 0 && (times[(row >> 1) + LAST_T_F64] as number) < before) freeOpenChunk(head, id);
    if (dropped && chunkIsGone(chunks, (rows[row + SEALED] as number) >>> 0)) rows[row + SEALED] = 0;
    const late = rows[row + LATE] as number;
    if (late !== 0) {
      if (dropped && chunkIsGone(chunks, lateChunk(pool, late))) setLateChunk(pool, late, 0);
      if (lateChunk(pool, late) === 0 && isOldLateBuffer(pool, late, before)) {
        freeLateBuffer(pool, late);
        rows[row + LATE] = 0;
      }
    }
    if ((firstT[id] as number) < before) firstT[id] = before;
  }
  head.minT = Math.max(head.minT, before);
  return dropped;
}
