import { encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { DEFAULT_TENANT, writeHistogramRef } from "../../../src/model/sample.ts";
import type { SeriesSource } from "../../../src/model/series-source.ts";
import { appendColumns } from "../../../src/storage/head/append.ts";
import { createHead, defineSeries } from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { makeMemorySource, partitionOf } from "../promqltest/memory-source.ts";
import type { FuzzSeries } from "./dataset.ts";

/** The samples as a column, and the bytes of the histograms that it refers to. */
function valuesOf({ words, histograms }: FuzzSeries) {
  const own = words.slice();
  const bytes = makeHistogramBytes();
  for (const [i, h] of histograms ?? []) writeHistogramRef(own, i, encodeHistogram(h, bytes));
  return { values: new Float64Array(own.buffer), bytes };
}

/** The data spread over three shards: two real heads and one source over plain arrays. */
export function makeSources(data: readonly FuzzSeries[]): SeriesSource[] {
  const parts: FuzzSeries[][] = [[], [], []];
  for (const s of data) parts[partitionOf(labelsFromObject(s.labels), 3)]!.push(s);
  return [overHead(parts[0]!), overHead(parts[1]!), inMemory(parts[2]!)];
}

/** The series in plain arrays. */
export function inMemory(data: readonly FuzzSeries[]): SeriesSource {
  const source = makeMemorySource();
  for (const series of data) {
    const { values, bytes } = valuesOf(series);
    source.add(labelsFromObject(series.labels), series.ts, values, undefined, bytes);
  }
  return source;
}

function overHead(data: readonly FuzzSeries[]): SeriesSource {
  const head = createHead({ outOfOrderWindowMs: 4 * 3_600_000 });
  data.forEach((series, i) => {
    const { labels, ts } = series;
    const hashLo = Math.imul(i + 1, 0x9e3779b1) >>> 0;
    defineSeries(head, hashLo, i, DEFAULT_TENANT, labelsFromObject(labels));
    const n = ts.length;
    const { values, bytes } = valuesOf(series);
    const columns = {
      length: n,
      hashLo: new Uint32Array(n).fill(hashLo),
      hashHi: new Uint32Array(n).fill(i),
      ts: Float64Array.from(ts),
      values,
      histograms: bytes.length === 0 ? undefined : bytes.bytes,
    };
    const { accepted } = appendColumns(head, columns, new Uint32Array(n));
    if (accepted !== n) throw new Error(`the head took ${accepted} of ${n} samples`);
  });
  return headSource(head);
}
