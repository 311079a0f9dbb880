/** What tombstones take away from what is read, and making them. */
import { firstWordAt } from "../../lib/search.ts";
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import type { Block } from "./block.ts";
import { matchSeries } from "./match.ts";
import { writeTombstones } from "./tombstones.ts";

/**
 * Deletes the samples in [minT, maxT] (of rollups: the buckets that start there) of the tenant's series that satisfy every matcher:
 * from now on they are not read, and merging leaves them out. Durable when it resolves. Resolves to the number of series that may
 * have had such samples; without any nothing is written. Rejects with `DiskError`, `BlockError`, and `RegexError`.
 */
export async function deleteFromBlock(
  block: Block,
  tenant: string,
  matchers: readonly Matcher[],
  minT: number,
  maxT: number,
): Promise<number> {
  for (const m of matchers) compileMatcher(m);
  if (!(minT <= maxT) || minT > block.meta.maxT || maxT < block.meta.minT) return 0;
  const found = matchSeries(block, tenant, matchers);
  if (found.length === 0) return 0;
  const list = [...block.tombstones.list, { tenant, matchers, minT, maxT }];
  await writeTombstones(block.disk, block.dir, list);
  block.tombstones = { list, series: undefined };
  return found.length;
}

/** The series of each tombstone. */
function deletedSeries(block: Block): readonly Uint32Array[] {
  const { tombstones } = block;
  tombstones.series ??= tombstones.list.map((t) => matchSeries(block, t.tenant, t.matchers));
  return tombstones.series;
}

/**
 * Calls `take` with each span [minT, maxT] that is deleted of a series.
 */
export function eachDeleted(block: Block, id: number, take: (minT: number, maxT: number) => void): void {
  const { list } = block.tombstones;
  if (list.length === 0) return;
  const series = deletedSeries(block);
  for (let i = 0; i < list.length; i++) {
    const tombstone = list[i];
    if (tombstone !== undefined && holds(series[i] as Uint32Array, id)) take(tombstone.minT, tombstone.maxT);
  }
}

/** Of the ascending ids those that a tombstone does not take away entirely between minT and maxT. */
export function withoutDeleted(block: Block, ids: Uint32Array, minT: number, maxT: number): Uint32Array {
  const { list } = block.tombstones;
  const from = Math.max(minT, block.meta.minT);
  const to = Math.min(maxT, block.meta.maxT);
  let left = ids;
  for (let i = 0; i < list.length; i++) {
    const tombstone = list[i];
    if (tombstone === undefined || tombstone.minT > from || tombstone.maxT < to) continue;
    const gone = deletedSeries(block)[i] as Uint32Array;
    left = left.filter((id) => !holds(gone, id));
  }
  return left;
}

function holds(ascending: Uint32Array, id: number): boolean {
  return ascending[firstWordAt(ascending, 0, ascending.length, id)] === id;
}
