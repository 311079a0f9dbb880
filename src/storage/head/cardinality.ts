/** Which names and values the head's series have, by number: what makes cardinality grow. */
import { METRIC_NAME } from "../../model/labels.ts";
import { type Head, tenantList } from "./head.ts";
import { findField, listLength } from "./postings.ts";
import { findSymbol, passingText } from "./symbols.ts";

/** Name (or name=value) and a number, the largest first. */
export type Ranking = readonly (readonly [name: string, count: number])[];

export interface Cardinality {
  readonly series: number;
  readonly labelPairs: number;
  readonly seriesByMetricName: Ranking;
  readonly valuesByLabelName: Ranking;
  /** Bytes of the values, each as often as series have it. */
  readonly bytesByLabelName: Ranking;
  readonly seriesByLabelPair: Ranking;
}

/** Counts a tenant's series in the head; each ranking has at most `limit` entries. Looks at every posting list once. */
export function cardinality(head: Head, tenant: string, limit: number): Cardinality {
  const { postings, symbols } = head;
  const tenantSymbol = findSymbol(symbols, tenant);
  const everything = tenantSymbol < 0 ? -1 : tenantList(head, tenantSymbol);
  const metricField = tenantSymbol < 0 ? -1 : fieldOf(head, tenantSymbol, METRIC_NAME);
  const metrics = makeTop(limit);
  const pairs = makeTop(limit);
  const values = makeTop(limit);
  const bytes = makeTop(limit);
  let labelPairs = 0;
  for (const [name, field] of everything < 0 ? [] : fieldsOf(head, tenantSymbol)) {
    const nameText = passingText(symbols, name);
    const count = postings.fieldLists[field] as number;
    labelPairs += count;
    offer(values, count, () => nameText);
    let size = 0;
    for (let next = postings.fieldFirst[field] as number; next !== 0; next = postings.listNext[next - 1] as number) {
      const value = postings.listValue[next - 1] as number;
      const series = listLength(postings, next - 1);
      size += series * ((symbols.starts[value + 1] as number) - (symbols.starts[value] as number));
      if (field === metricField) offer(metrics, series, () => passingText(symbols, value));
      offer(pairs, series, () => `${nameText}=${passingText(symbols, value)}`);
    }
    offer(bytes, size, () => nameText);
  }
  return {
    series: everything < 0 ? 0 : listLength(postings, everything),
    labelPairs,
    seriesByMetricName: ranking(metrics),
    valuesByLabelName: ranking(values),
    bytesByLabelName: ranking(bytes),
    seriesByLabelPair: ranking(pairs),
  };
}

function fieldOf(head: Head, tenant: number, name: string): number {
  const symbol = findSymbol(head.symbols, name);
  return symbol < 0 ? -1 : findField(head.postings, tenant, symbol);
}

/** The label names (symbols) of a tenant and their fields. */
function fieldsOf(head: Head, tenant: number): Map<number, number> {
  const fields = new Map<number, number>();
  for (const shape of head.shapes) {
    if (shape.tenant !== tenant) continue;
    for (let i = 0; i < shape.names.length; i++) fields.set(shape.names[i] as number, shape.fields[i] as number);
  }
  return fields;
}

/** The largest counts so far, ascending; a text is only made for what enters. */
interface Top {
  readonly limit: number;
  readonly entries: { readonly count: number; readonly name: string }[];
}

function makeTop(limit: number): Top {
  return { limit, entries: [] };
}

function offer(top: Top, count: number, name: () => string): void {
  const { entries, limit } = top;
  if (entries.length >= limit && count <= (entries[0]?.count ?? Number.POSITIVE_INFINITY)) return;
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((entries[mid] as { count: number }).count < count) low = mid + 1;
    else high = mid;
  }
  entries.splice(low, 0, { count, name: name() });
  if (entries.length > limit) entries.shift();
}

function ranking(top: Top): Ranking {
  return top.entries
    .toSorted((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
    .map(({ name, count }) => [name, count] as const);
}

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
