import { makeTop, offer, ranking } from "../lib/top.ts";
import type { Cardinality, Ranking } from "../model/shard.ts";

/** Puts the shards' counts together: a name's counts are added, except where every shard may have the same values. */
export function mergeCardinality(parts: readonly Cardinality[], limit: number): Cardinality {
  const sum = (pick: (c: Cardinality) => number) => parts.reduce((n, c) => n + pick(c), 0);
  const add = (pick: (c: Cardinality) => Ranking, join: (a: number, b: number) => number): Ranking => {
    const counts = new Map<string, number>();
    for (const [name, count] of parts.flatMap(pick)) counts.set(name, join(counts.get(name) ?? 0, count));
    const top = makeTop(limit);
    for (const [name, count] of counts) offer(top, count, () => name);
    return ranking(top);
  };
  const plus = (a: number, b: number) => a + b;
  return {
    series: sum((c) => c.series),
    labelPairs: Math.max(0, ...parts.map((c) => c.labelPairs)),
    seriesByMetricName: add((c) => c.seriesByMetricName, plus),
    valuesByLabelName: add((c) => c.valuesByLabelName, Math.max),
    bytesByLabelName: add((c) => c.bytesByLabelName, plus),
    seriesByLabelPair: add((c) => c.seriesByLabelPair, plus),
  };
}
