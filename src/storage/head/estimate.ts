/** What reading series of the head would go through, told by the headers of their chunks. */
import { shareWithin } from "../../lib/share.ts";
import type { Touched } from "../../model/series-source.ts";
import { CHUNK_COUNT, CHUNK_HEADER_WORDS, type ChunkArena, chunkBefore, chunkMaxT, chunkMinT } from "./chunk-arena.ts";
import type { Head } from "./head.ts";
import { lateBufferCount, lateChunk, lateChunksAscend } from "./late-buffer.ts";
import { openChunkMinT, openChunkWords } from "./open-chunk.ts";
import { LAST_T_F64, LATE, OPEN, ROW_SHIFT, SEALED, WINDOW_COUNT } from "./series-table.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

const SPENT_EVERY = 1024;
const WORD_BYTES = 4;
/** Time and value. */
const LATE_SAMPLE_BYTES = 16;

/**
 * Samples of these series in [minT, maxT], of chunks that reach out of it the share that they would have were they evenly spaced, and
 * bytes of their chunks; of native histograms without what the histograms themselves take.
 */
export function estimateChunks(
  head: Head,
  ids: Uint32Array,
  minT: number,
  maxT: number,
  spent: (work: number) => void,
): Touched {
  const { rows, times } = head.series;
  const out: Touched = { rows: 0, bytes: 0 };
  for (let k = 0; k < ids.length; k++) {
    const id = ids[k] as number;
    const row = id << ROW_SHIFT;
    if ((k + 1) % SPENT_EVERY === 0) spent(SPENT_EVERY);
    const newest = times[(row >> 1) + LAST_T_F64] as number;
    // Late samples are older still.
    if (newest < minT) continue;
    addChain(head.chunks, (rows[row + SEALED] as number) >>> 0, minT, maxT, true, out);
    if (rows[row + OPEN] !== 0) {
      const first = openChunkMinT(head, id);
      if (first <= maxT) {
        out.rows += shareWithin((rows[row + WINDOW_COUNT] as number) >>> 16, first, newest, minT, maxT);
        out.bytes += openChunkWords(head, id) * WORD_BYTES;
      }
    }
    const late = rows[row + LATE] as number;
    if (late === 0) continue;
    addChain(head.chunks, lateChunk(head.pool, late), minT, maxT, lateChunksAscend(head.pool, late), out);
    const waiting = lateBufferCount(head.pool, late);
    out.rows += waiting;
    out.bytes += waiting * LATE_SAMPLE_BYTES;
  }
  return out;
}

/** Adds a chain's chunks; `ordered`: those before one that is too old are so as well. */
function addChain(arena: ChunkArena, newest: number, minT: number, maxT: number, ordered: boolean, out: Touched): void {
  for (let chunk = newest; chunk !== 0; chunk = chunkBefore(arena, chunk)) {
    const last = chunkMaxT(arena, chunk);
    if (last < minT) {
      if (ordered) break;
      continue;
    }
    const first = chunkMinT(arena, chunk);
    if (first > maxT) continue;
    const counts = (arena.slabs[chunk >>> SLAB_SHIFT] as Int32Array)[(chunk & SLAB_MASK) + CHUNK_COUNT] as number;
    out.rows += shareWithin(counts & 0xffff, first, last, minT, maxT);
    out.bytes += ((counts >>> 16) + CHUNK_HEADER_WORDS) * WORD_BYTES;
  }
}
