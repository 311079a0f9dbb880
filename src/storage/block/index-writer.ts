/** Writing a block's index when all its series are known: symbols, labels, tenants, and for many series posting lists. */
import { type ByteSink, makeSink, sinkBytes } from "./byte-sink.ts";
import { appendPart, type DataWriter, rest } from "./data-writer.ts";
import { encodeNumbers } from "./index-tables.ts";
import { putLabels } from "./label-table.ts";
import type { PartEffort } from "./part-code.ts";
import { LARGE_SHIFT, SMALL_SHIFT } from "./part-size.ts";
import { writePostings } from "./postings-writer.ts";
import type { SeriesCollector } from "./series-collector.ts";
import { type Pause, sortStrings } from "./sort-strings.ts";
import { putStrings } from "./string-table.ts";
import { wordAt } from "./word-list.ts";

const HASH_SHIFT = 10;

/** Writes every section but pages and chunks; of a small block without posting lists, in parts for thousands of series. */
export async function writeIndex(
  c: SeriesCollector,
  data: DataWriter,
  small: boolean,
  effort: PartEffort,
  pause: Pause | undefined,
): Promise<void> {
  const shift = small ? SMALL_SHIFT : LARGE_SHIFT;
  const { symbols } = c;
  const order = await sortStrings(symbols.bytes, symbols.starts, symbols.count, pause);
  const rank = new Uint32Array(symbols.count);
  for (let i = 0; i < order.length; i++) rank[order[i] as number] = i;
  data.sections.symbols.shift = shift;
  for (let from = 0; from < order.length; from += 2 ** shift) {
    const to = Math.min(from + 2 ** shift, order.length);
    const sink = makeSink(4096);
    putStrings(sink, symbols.bytes, symbols.starts, order, from, to);
    appendPart(data, "symbols", sinkBytes(sink), to - from, effort);
    await rest(data, pause);
  }
  await writeLabels(c, data, rank, shift, effort, pause);
  if (!small) await writePostings(c, data, order, rank, pause);
  writeTenants(c, data, rank, !small);
  if (!c.hashesFollow) await writeHashes(c, data, pause);
}

async function writeLabels(
  c: SeriesCollector,
  data: DataWriter,
  rank: Uint32Array,
  shift: number,
  effort: PartEffort,
  pause: Pause | undefined,
): Promise<void> {
  data.sections.labels.shift = shift;
  const starts = new Uint32Array(2 ** shift + 1);
  let pairs = new Uint32Array(1024);
  let at = 0;
  for (let from = 0; from < c.count; from += 2 ** shift) {
    const n = Math.min(2 ** shift, c.count - from);
    let end = 0;
    for (let i = 0; i < n; i++) {
      const labels = wordAt(c.flat, at++);
      if (2 * (end + labels) > pairs.length) {
        const more = new Uint32Array(2 * (2 * (end + labels)));
        more.set(pairs);
        pairs = more;
      }
      for (let k = 0; k < labels; k++) {
        const pair = wordAt(c.flat, at++);
        pairs[2 * end] = rank[c.fieldNames[c.pairField[pair] as number] as number] as number;
        pairs[2 * end + 1] = rank[c.pairValue[pair] as number] as number;
        end++;
      }
      starts[i + 1] = end;
    }
    const sink: ByteSink = makeSink(4096);
    putLabels(sink, pairs, starts, n, effort === "plain");
    appendPart(data, "labels", sinkBytes(sink), n, effort);
    await rest(data, pause);
  }
}

function writeTenants(c: SeriesCollector, data: DataWriter, rank: Uint32Array, withFields: boolean): void {
  data.sections.tenants.shift = LARGE_SHIFT;
  let series = 0;
  let fields = 0;
  for (let from = 0; from < c.tenants.length; from += 2 ** LARGE_SHIFT) {
    const some = c.tenants.slice(from, from + 2 ** LARGE_SHIFT);
    const names = some.map((t) => rank[t.symbol] as number);
    let fieldsEnd = fields;
    const fieldEnds = some.map((t) => (fieldsEnd += withFields ? t.fields.size : 0));
    const content = encodeNumbers([
      { rows: names, base: names[0] as number },
      { rows: some.map((t) => t.seriesEnd), base: series },
      { rows: fieldEnds, base: fields },
    ]);
    appendPart(data, "tenants", content, some.length, "plain");
    series = some.at(-1)?.seriesEnd ?? series;
    fields = fieldsEnd;
  }
}

async function writeHashes(c: SeriesCollector, data: DataWriter, pause: Pause | undefined): Promise<void> {
  data.sections.hashes.shift = HASH_SHIFT;
  for (let from = 0; from < c.count; from += 2 ** HASH_SHIFT) {
    const n = Math.min(2 ** HASH_SHIFT, c.count - from);
    const words = Uint32Array.from({ length: 3 * n }, (_, i) => wordAt(c.hashes, 3 * from + i));
    appendPart(data, "hashes", new Uint8Array(words.buffer), n, "plain");
    await rest(data, pause);
  }
}
