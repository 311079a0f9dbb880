/** Which names and values the head's series have, by number: what makes cardinality grow. */
import { addToSketch, type BottomK, makeBottomK, takeSketch } from "../../lib/bottom-k.ts";
import { makeTop, offer, ranking } from "../../lib/top.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import type { Cardinality } from "../../model/shard.ts";
import { type Head, tenantList } from "./head.ts";
import { findField, listLength } from "./postings.ts";
import { findSymbol, passingText } from "./symbols.ts";

/** Hashes in all sketches of an answer together, 2 MiB. */
const MAX_HASHES = 1 << 18;
/** From this length on Prometheus has four bytes for it, before it has one. */
const LONG = 255;

/**
 * Counts a tenant's series in the head; each ranking has at most `limit` entries, and the sketch of a label's values at most `sketch`
 * hashes. Looks at every posting list once, and at those with a sketch twice.
 */
export function cardinality(head: Head, tenant: string, limit: number, sketch: number): Cardinality {
  const { postings, symbols } = head;
  const tenantSymbol = findSymbol(symbols, tenant);
  const everything = tenantSymbol < 0 ? -1 : tenantList(head, tenantSymbol);
  const metricField = tenantSymbol < 0 ? -1 : fieldOf(head, tenantSymbol, METRIC_NAME);
  const fields = everything < 0 ? NO_FIELDS : fieldsOf(head, tenantSymbol);
  const metrics = makeTop(limit);
  const pairs = makeTop(limit);
  const values = makeTop(limit);
  const bytes = makeTop(limit);
  let labelPairs = 0;
  for (const [name, field] of fields) {
    const nameText = passingText(symbols, name);
    const nameSize = sizeOf(symbols.starts, name);
    const count = postings.fieldLists[field] as number;
    labelPairs += count;
    offer(values, count, () => nameText);
    let size = 0;
    for (let next = postings.fieldFirst[field] as number; next !== 0; next = postings.listNext[next - 1] as number) {
      const value = postings.listValue[next - 1] as number;
      const series = listLength(postings, next - 1);
      size += series * (nameSize + sizeOf(symbols.starts, value));
      if (field === metricField) offer(metrics, series, () => passingText(symbols, value));
      offer(pairs, series, () => `${nameText}=${passingText(symbols, value)}`);
    }
    offer(bytes, size, () => nameText);
  }
  const valuesByLabelName = ranking(values);
  return {
    series: everything < 0 ? 0 : listLength(postings, everything),
    labelPairs,
    seriesByMetricName: ranking(metrics),
    valuesByLabelName,
    valueSketches: sketch === 0 ? [] : sketches(head, fields, valuesByLabelName, sketch),
    bytesByLabelName: ranking(bytes),
    seriesByLabelPair: ranking(pairs),
  };
}

const NO_FIELDS: ReadonlyMap<number, number> = new Map();

function sizeOf(starts: Uint32Array, symbol: number): number {
  const length = (starts[symbol + 1] as number) - (starts[symbol] as number);
  return length + (length < LONG ? 1 : 4);
}

/** Sketches of the values of the names, in their order, as many as there is room for. */
function sketches(
  head: Head,
  fields: ReadonlyMap<number, number>,
  names: Cardinality["valuesByLabelName"],
  k: number,
): Float64Array[] {
  const sketch = makeBottomK(k);
  let room = MAX_HASHES;
  return names.map(([name, count]) => {
    room -= Math.min(count, k);
    return room < 0 ? NOTHING : valueSketch(head, fields.get(findSymbol(head.symbols, name)) as number, sketch);
  });
}

const NOTHING = new Float64Array(0);

function valueSketch({ postings, symbols }: Head, field: number, sketch: BottomK): Float64Array {
  const { bytes, starts } = symbols;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let next = postings.fieldFirst[field] as number; next !== 0; next = postings.listNext[next - 1] as number) {
    const value = postings.listValue[next - 1] as number;
    addToSketch(sketch, view, starts[value] as number, starts[value + 1] as number);
  }
  return takeSketch(sketch);
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
