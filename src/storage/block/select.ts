/** Series of a block by matchers and time. */
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import type { Block } from "./block.ts";
import { withoutDeleted } from "./deleted.ts";
import { matchSeries } from "./match.ts";
import { sectionPart } from "./section.ts";

/**
 * Numbers of the tenant's series that satisfy every matcher and have a chunk that reaches into [minT, maxT], ascending. Throws
 * `RegexError` for a bad pattern, `BlockError` for a damaged index.
 */
export function selectSeries(
  block: Block,
  tenantName: string,
  matchers: readonly Matcher[],
  minT: number,
  maxT: number,
): Uint32Array {
  if (minT > block.meta.maxT || maxT < block.meta.minT) {
    // A bad pattern is an error wherever it is used.
    for (const m of matchers) compileMatcher(m);
    return new Uint32Array(0);
  }
  const ids = matchSeries(block, tenantName, matchers);
  return withoutDeleted(block, inTime(block, ids, minT, maxT), minT, maxT);
}

function inTime(block: Block, ids: Uint32Array, minT: number, maxT: number): Uint32Array {
  if (minT <= block.meta.minT && maxT >= block.meta.maxT) return ids;
  const { chunks } = block;
  return ids.filter((id) => {
    const part = sectionPart(chunks, id >>> chunks.table.shift);
    const i = id & chunks.mask;
    const end = part.ends[i + 1] as number;
    for (let c = part.ends[i] as number; c < end; c++) {
      if ((part.maxT[c] as number) >= minT && (part.minT[c] as number) <= maxT) return true;
    }
    return false;
  });
}
