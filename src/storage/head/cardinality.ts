/** Which names and values the head's series have, by number: what makes cardinality grow. */
import { makeTop, offer, ranking } from "../../lib/top.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import type { Cardinality } from "../../model/shard.ts";
import { type Head, tenantList } from "./head.ts";
import { findField, listLength } from "./postings.ts";
import { findSymbol, passingText } from "./symbols.ts";

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
