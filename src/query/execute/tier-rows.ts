import { isStaleHistogram } from "../../model/histogram-code.ts";
import {
  columnMask,
  HISTOGRAM_ROLLUPS,
  makeRollupBuffer,
  type RollupBuffer,
  type RollupColumn,
  reserveRollup,
} from "../../model/rollup.ts";
import { histogramRef, isHistogramAt, type SampleBuffer } from "../../model/sample.ts";
import type { RangeFunction } from "../plan/shard-plan.ts";

/**
 * One series as buckets, ascending: rows of rollups, and raw samples as buckets of one sample and one millisecond. So a window
 * may reach over both. `end[i]` is the included end of bucket i; no row has count 0.
 */
export interface TierRows {
  readonly buffer: RollupBuffer;
  end: Float64Array;
  /** Ends of the buckets that have native histograms, ascending, whether these count or not. */
  readonly histogramEnds: number[];
}

export function makeTierRows(): TierRows {
  return { buffer: makeRollupBuffer(256), end: new Float64Array(256), histogramEnds: [] };
}

const RATE: readonly RollupColumn[] = [
  "count",
  "first",
  "last",
  "firstT",
  "lastT",
  "resets",
  "firstStart",
  "lastStart",
];
const COLUMNS: Readonly<Partial<Record<RangeFunction, readonly RollupColumn[]>>> = {
  rate: RATE,
  increase: RATE,
  delta: ["count", "first", "last", "firstT", "lastT"],
  changes: ["count", "first", "last", "changes"],
  resets: ["count", "first", "last", "firstT", "lastT", "resetCount", "firstStart", "lastStart"],
  sum_over_time: ["count", "sum"],
  avg_over_time: ["count", "sum"],
  min_over_time: ["count", "min"],
  max_over_time: ["count", "max"],
  count_over_time: ["count"],
};

/** Functions whose answers over windows with native histograms are not in the buckets: these have sums and such of floats only. */
const LACKS_HISTOGRAMS: ReadonlySet<RangeFunction> = new Set([
  "rate",
  "increase",
  "delta",
  "changes",
  "resets",
  "sum_over_time",
  "avg_over_time",
]);

/** Whether the function must read samples where there are native histograms. */
export function lacksHistograms(func: RangeFunction): boolean {
  return LACKS_HISTOGRAMS.has(func);
}

/** The columns that a function needs; undefined: it does not work on buckets. */
export function columnsFor(func: RangeFunction): number | undefined {
  const columns = COLUMNS[func];
  if (columns === undefined) return undefined;
  return columnMask(columns) | (func === "count_over_time" ? HISTOGRAM_ROLLUPS : 0);
}

/**
 * Sets the ends of the rows [from, length) and takes out those of them that have no sample. Native histograms count where they
 * were asked for.
 */
export function settleRows(rows: TierRows, from: number, width: number, mask: number): void {
  const { buffer } = rows;
  if (rows.end.length < buffer.start.length) {
    const end = new Float64Array(buffer.start.length);
    end.set(rows.end.subarray(0, from));
    rows.end = end;
  }
  const { start, length } = buffer;
  const { count: counts } = buffer.columns;
  const { end } = rows;
  const { histograms } = buffer;
  if (histograms !== undefined) {
    const { count } = histograms.numbers;
    for (let i = from; i < length; i++) {
      if ((count[i] as number) > 0) rows.histogramEnds.push((start[i] as number) + width);
    }
    if ((mask & HISTOGRAM_ROLLUPS) !== 0) {
      for (let i = from; i < length; i++) counts[i] = (counts[i] as number) + (count[i] as number);
    }
    delete buffer.histograms;
  }
  let out = from;
  for (let i = from; i < length; i++) {
    if (counts[i] === 0) continue;
    if (out !== i) moveRow(buffer, i, out, mask);
    end[out] = (start[i] as number) + width;
    out++;
  }
  buffer.length = out;
}

const NAMES = Object.entries(makeRollupBuffer(0).columns) as [RollupColumn, Float64Array][];

function moveRow(buffer: RollupBuffer, from: number, to: number, mask: number): void {
  buffer.start[to] = buffer.start[from] as number;
  for (let c = 0; c < NAMES.length; c++) {
    if ((mask & (1 << c)) === 0) continue;
    const column = buffer.columns[(NAMES[c] as [RollupColumn, Float64Array])[0]];
    column[to] = column[from] as number;
  }
}

/** Notes the native histograms among raw samples, which are buckets of their own. */
export function noteHistograms({ values, words, ts, length, histograms }: SampleBuffer, rows: TierRows): void {
  if (histograms === undefined || histograms.length === 0) return;
  for (let i = 0; i < length; i++) {
    if (!Number.isNaN(values[i]) || !isHistogramAt(words, i)) continue;
    if (!isStaleHistogram(histograms.bytes, histogramRef(words, i))) rows.histogramEnds.push(ts[i] as number);
  }
}

/** Appends raw samples (floats only: no staleness markers, no histograms) as rows of one sample. */
export function appendSampleRows(samples: SampleBuffer, rows: TierRows, mask: number): void {
  const { ts, values, startTs, length: n } = samples;
  const { buffer } = rows;
  const from = buffer.length;
  reserveRollup(buffer, from + n);
  const c = buffer.columns;
  for (let i = 0; i < n; i++) buffer.start[from + i] = (ts[i] as number) - 1;
  c.count.fill(1, from, from + n);
  const copy = (name: RollupColumn, column: Float64Array): void => {
    if ((mask & columnMask([name])) !== 0) c[name].set(column.subarray(0, n), from);
  };
  for (const name of ["sum", "min", "max", "first", "last"] as const) copy(name, values);
  copy("firstT", ts);
  copy("lastT", ts);
  for (const name of ["firstStart", "lastStart"] as const) {
    if (startTs === undefined) c[name].fill(0, from, from + n);
    else copy(name, startTs);
  }
  for (const name of ["resets", "resetCount", "changes"] as const) c[name].fill(0, from, from + n);
  buffer.length = from + n;
  settleRows(rows, from, 1, mask);
}
