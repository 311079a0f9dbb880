/** What reading series of a block would go through, told by the index alone. */
import { shareWithin } from "../../lib/share.ts";
import type { Touched } from "../../model/series-source.ts";
import type { Block } from "./block.ts";
import { sectionPart } from "./section.ts";

const SPENT_EVERY = 1024;

/**
 * Rows of these series in [minT, maxT], of chunks that reach out of it the share that they would have were they evenly spaced; bytes
 * of the pages that have them, each page once. What was deleted counts as if it was there. Throws `BlockError` when the index is
 * damaged.
 */
export function estimateChunks(
  block: Block,
  ids: Uint32Array,
  minT: number,
  maxT: number,
  spent: (work: number) => void,
): Touched {
  const { chunks, pages } = block;
  const { lengths } = pages.table;
  const seen = new Uint8Array(lengths.length);
  const out: Touched = { rows: 0, bytes: 0 };
  for (let k = 0; k < ids.length; k++) {
    const id = ids[k] as number;
    const part = sectionPart(chunks, id >>> chunks.table.shift);
    const i = id & chunks.mask;
    const end = part.ends[i + 1] as number;
    for (let c = part.ends[i] as number; c < end; c++) {
      const first = part.minT[c] as number;
      const last = part.maxT[c] as number;
      if (last < minT || first > maxT) continue;
      out.rows += shareWithin(part.rows[c] as number, first, last, minT, maxT);
      const page = part.page[c] as number;
      if (seen[page] === 1) continue;
      seen[page] = 1;
      out.bytes += lengths[page] ?? 0;
    }
    if ((k + 1) % SPENT_EVERY === 0) spent(SPENT_EVERY);
  }
  return out;
}
