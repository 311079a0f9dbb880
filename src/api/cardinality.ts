import { unionCount } from "../lib/bottom-k.ts";
import { makeTop, offer, ranking } from "../lib/top.ts";
import type { Cardinality, Ranking } from "../model/shard.ts";

/** What all shards have together; `notes` says in words what of it is not exact. */
export interface MergedCardinality extends Omit<Cardinality, "valueSketches"> {
  readonly notes: readonly string[];
}

const EMPTY = new Float64Array(0);

/**
 * Puts the shards' counts together. A series is in one shard, so series and their bytes are added; the values of a label may be in
 * several, and are counted by their sketches.
 * @param asked how many entries each shard was asked for
 * @param limit how many to give
 */
export function mergeCardinality(parts: readonly Cardinality[], asked: number, limit: number): MergedCardinality {
  const notes: string[] = [];
  const add = (what: string, pick: (c: Cardinality) => Ranking): Ranking => {
    const merged = addRankings(parts.map(pick), asked, limit);
    if (merged.missing > 0) notes.push(tooLow(what, merged.missing, asked));
    return merged.top;
  };
  const values = unionOfValues(parts);
  const top = makeTop(limit);
  for (const [name, { count }] of values) offer(top, count, () => name);
  const valuesByLabelName = ranking(top);
  const estimated = valuesByLabelName.filter(([name]) => values.get(name)?.exact === false).map(([name]) => name);
  if (estimated.length > 0) {
    const names = `${estimated.slice(0, 10).join(", ")}${estimated.length > 10 ? ", ..." : ""}`;
    notes.push(`labelValueCountByLabelName: estimated, within a few percent: ${names}`);
  }
  const listed = [...values.values()].reduce((n, { count }) => n + count, 0);
  // Of names that a shard did not list, with fewer values than those that it did.
  const unlisted = Math.max(0, ...parts.map((c) => c.labelPairs - c.valuesByLabelName.reduce((n, [, v]) => n + v, 0)));
  if (unlisted > 0) notes.push(`headStats.numLabelPairs: a lower bound, there are more than ${asked} label names`);
  return {
    series: parts.reduce((n, c) => n + c.series, 0),
    labelPairs: listed + unlisted,
    seriesByMetricName: add("seriesCountByMetricName", (c) => c.seriesByMetricName),
    valuesByLabelName,
    bytesByLabelName: add("memoryInBytesByLabelName", (c) => c.bytesByLabelName),
    seriesByLabelPair: add("seriesCountByLabelValuePair", (c) => c.seriesByLabelPair),
    notes,
  };
}

const tooLow = (what: string, missing: number, asked: number) =>
  `${what}: counts may be up to ${missing} too low: each partition told its largest ${asked} only`;

function unionOfValues(parts: readonly Cardinality[]) {
  const sets = new Map<string, { readonly count: number; readonly smallest: Float64Array }[]>();
  for (const { valuesByLabelName, valueSketches } of parts) {
    valuesByLabelName.forEach(([name, count], i) => {
      const set = { count, smallest: valueSketches[i] ?? EMPTY };
      const others = sets.get(name);
      if (others === undefined) sets.set(name, [set]);
      else others.push(set);
    });
  }
  return new Map([...sets].map(([name, of]) => [name, unionCount(of)] as const));
}

/**
 * The sums of rankings, the largest `limit` of them. What a shard did not tell is at most its last count; `missing` is the most by which
 * a sum can be too low for that, or a name that is not listed larger than the last one that is; 0: all is exact.
 */
function addRankings(
  rankings: readonly Ranking[],
  asked: number,
  limit: number,
): { readonly top: Ranking; readonly missing: number } {
  const sums = new Map<string, { count: number; untold: number }>();
  const untold = rankings.map((r) => (r.length < asked ? 0 : (r.at(-1)?.[1] ?? 0)));
  const most = untold.reduce((sum, n) => sum + n, 0);
  rankings.forEach((r, i) => {
    for (const [name, count] of r) {
      const sum = sums.get(name) ?? { count: 0, untold: most };
      sum.count += count;
      sum.untold -= untold[i] as number;
      sums.set(name, sum);
    }
  });
  const found = makeTop(limit);
  for (const [name, { count }] of sums) offer(found, count, () => name);
  const top = ranking(found);
  const shown = new Set(top.map(([name]) => name));
  const last = top.length < limit ? 0 : (top.at(-1)?.[1] ?? 0);
  // Names that nobody listed, and those that were listed but are not shown.
  let missing = Math.max(0, most - last);
  for (const [name, { count, untold: more }] of sums) {
    missing = Math.max(missing, shown.has(name) ? more : count + more - last);
  }
  return { top, missing };
}
