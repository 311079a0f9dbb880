/** Which series have which label: written field by field, value by value, from what the collector has. */
import { makeSink, reserveSink, sinkBytes } from "./byte-sink.ts";
import { appendPart, type DataWriter, rest } from "./data-writer.ts";
import { encodeNumbers } from "./index-tables.ts";
import { LARGE_SHIFT } from "./part-size.ts";
import { putList } from "./posting-list.ts";
import { pairNumber, type SeriesCollector } from "./series-collector.ts";
import type { Pause } from "./sort-strings.ts";
import { wordAt } from "./word-list.ts";

const LIST_SHIFT = 15;
/** Series numbers that are gathered in one pass over all labels: 64 MiB. */
const BATCH = 1 << 24;
const WORD = 0x1_0000_0000;

/** Writes fields, values and lists. */
export async function writePostings(
  c: SeriesCollector,
  data: DataWriter,
  order: Uint32Array,
  rank: Uint32Array,
  pause: Pause | undefined,
): Promise<void> {
  const fields = sortedFields(c, rank);
  const place = new Uint32Array(fields.length);
  for (let i = 0; i < fields.length; i++) place[fields[i] as number] = i;
  const keys = new Float64Array(c.pairCount);
  for (let p = 0; p < c.pairCount; p++) {
    keys[p] = (place[c.pairField[p] as number] as number) * WORD + (rank[c.pairValue[p] as number] as number);
  }
  keys.sort();
  const pairs = new Uint32Array(c.pairCount);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as number;
    const field = fields[Math.floor(key / WORD)] as number;
    pairs[i] = pairNumber(c, field, order[key % WORD] as number);
  }
  writeFields(c, data, rank, fields, keys);
  await writeValues(c, data, rank, pairs, pause);
}

/** All fields in order of tenant and name. */
function sortedFields(c: SeriesCollector, rank: Uint32Array): number[] {
  const sorted: number[] = [];
  for (const tenant of c.tenants) {
    const fields = [...tenant.fields].sort(([a], [b]) => (rank[a] as number) - (rank[b] as number));
    for (const [, field] of fields) sorted.push(field);
  }
  return sorted;
}

function writeFields(
  c: SeriesCollector,
  data: DataWriter,
  rank: Uint32Array,
  fields: readonly number[],
  keys: Float64Array,
): void {
  const ends = new Float64Array(fields.length);
  for (let i = 0; i < keys.length; i++) ends[Math.floor((keys[i] as number) / WORD)] = i + 1;
  data.sections.fields.shift = LARGE_SHIFT;
  for (let from = 0; from < fields.length; from += 2 ** LARGE_SHIFT) {
    const to = Math.min(from + 2 ** LARGE_SHIFT, fields.length);
    const names = fields.slice(from, to).map((f) => rank[c.fieldNames[f] as number] as number);
    const content = encodeNumbers([
      { rows: names, base: names[0] as number },
      { rows: ends.subarray(from, to), base: from === 0 ? 0 : (ends[from - 1] as number) },
    ]);
    appendPart(data, "fields", content, to - from, "plain");
  }
}

/** Writes the rows of the pairs, and the lists of those that more than one series has. */
async function writeValues(
  c: SeriesCollector,
  data: DataWriter,
  rank: Uint32Array,
  pairs: Uint32Array,
  pause: Pause | undefined,
): Promise<void> {
  data.sections.values.shift = LARGE_SHIFT;
  data.sections.lists.shift = LIST_SHIFT;
  const cursors = new Int32Array(c.pairCount).fill(-1);
  let ids = new Uint32Array(0);
  const lists = makeSink(2 << LIST_SHIFT);
  let listEnd = 0;
  let base = 0;
  const rows = { symbol: [] as number[], count: [] as number[], list: [] as number[], series: [] as number[] };
  for (let from = 0; from < pairs.length; ) {
    let to = from;
    let total = 0;
    while (to < pairs.length && (to === from || total + (c.pairSeries[pairs[to] as number] as number) <= BATCH)) {
      const pair = pairs[to++] as number;
      cursors[pair] = total;
      total += c.pairSeries[pair] as number;
    }
    if (ids.length < total) ids = new Uint32Array(total);
    await gather(c, cursors, ids, data, pause);
    let start = 0;
    for (let i = from; i < to; i++) {
      const pair = pairs[i] as number;
      const count = c.pairSeries[pair] as number;
      if (count > 1) {
        const before = lists.length;
        putList(lists, ids, start, start + count);
        listEnd += lists.length - before;
      }
      rows.symbol.push(rank[c.pairValue[pair] as number] as number);
      rows.count.push(count);
      rows.list.push(listEnd);
      rows.series.push(count === 1 ? (ids[start] as number) : (rows.series.at(-1) ?? 0));
      start += count;
      cursors[pair] = -1;
      if (rows.symbol.length === 2 ** LARGE_SHIFT || i === pairs.length - 1) {
        const content = encodeNumbers([
          { rows: rows.symbol, base: rows.symbol[0] as number },
          { rows: rows.count, base: rows.count[0] as number },
          { rows: rows.list, base },
          { rows: rows.series, base: rows.series[0] as number },
        ]);
        appendPart(data, "values", content, rows.symbol.length, "plain");
        base = listEnd;
        for (const column of Object.values(rows)) column.length = 0;
      }
      if (lists.length >= 2 ** LIST_SHIFT) {
        writeLists(lists, data, false);
        await rest(data, pause);
      }
    }
    from = to;
  }
  writeLists(lists, data, true);
  await rest(data, pause);
}

/** Puts the numbers of the series that have a pair to where the pair's cursor says; pairs without a cursor are left out. */
async function gather(
  c: SeriesCollector,
  cursors: Int32Array,
  ids: Uint32Array,
  data: DataWriter,
  pause: Pause | undefined,
): Promise<void> {
  let at = 0;
  for (let id = 0; id < c.count; id++) {
    for (let left = wordAt(c.flat, at++); left > 0; left--) {
      const pair = wordAt(c.flat, at++);
      const cursor = cursors[pair] as number;
      if (cursor < 0) continue;
      ids[cursor] = id;
      cursors[pair] = cursor + 1;
    }
    if ((id & 0x3fff) === 0x3fff) await rest(data, pause);
  }
}

/** Writes whole parts of lists, and at the end what is left. */
function writeLists(lists: ReturnType<typeof makeSink>, data: DataWriter, all: boolean): void {
  const bytes = sinkBytes(lists);
  let at = 0;
  while (bytes.length - at >= 2 ** LIST_SHIFT || (all && at < bytes.length)) {
    const part = bytes.subarray(at, at + 2 ** LIST_SHIFT);
    appendPart(data, "lists", part, part.length, "plain");
    at += part.length;
  }
  const left = bytes.slice(at);
  lists.length = 0;
  reserveSink(lists, left.length);
  lists.bytes.set(left);
  lists.length = left.length;
}
