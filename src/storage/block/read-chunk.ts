/** Rows of a chunk out of its page into the columns of a buffer. */
import { appendHistogramBytes, makeHistogramBytes } from "../../model/histogram-code.ts";
import {
  HISTOGRAM_ROLLUP_NUMBERS,
  HISTOGRAM_ROLLUP_REFS,
  makeRollupHistograms,
  ROLLUP_COLUMNS,
  type RollupBuffer,
  type RollupHistograms,
} from "../../model/rollup.ts";
import { histogramRef, isHistogramAt, type SampleBuffer, writeHistogramRef } from "../../model/sample.ts";
import { type Page, pageBytes, pageFloats, pageRows, pageTimes } from "../column/page.ts";
import { columnOfBit, HAS_HISTOGRAMS, HISTOGRAM_NUMBERS_BIT, HISTOGRAM_REFS_BIT } from "./chunk-columns.ts";

/** The bits' numbers of HAS_VALUES, HAS_HISTOGRAMS and HAS_STARTS. */
const VALUES_BIT = 0;
const HISTOGRAMS_BIT = 1;
const STARTS_BIT = 2;

/** Throws unless the column has as many rows as the chunk: more would not fit. */
function expectRows(page: Page, column: number, rows: number): void {
  const got = pageRows(page, column);
  if (got !== rows) throw new RangeError(`column ${column} has ${got} rows instead of ${rows}`);
}

/** Puts the chunk's rows at out[at...], which has room. Of times, values and start timestamps; throws when they are damaged. */
export function readSampleChunk(
  page: Page,
  column: number,
  rows: number,
  mask: number,
  out: SampleBuffer,
  at: number,
): void {
  expectRows(page, column, rows);
  pageTimes(page, column, out.ts, at);
  const values = column + columnOfBit(mask, VALUES_BIT);
  expectRows(page, values, rows);
  pageFloats(page, values, out.values, at);
  const { startTs } = out;
  if (startTs !== undefined) {
    const starts = columnOfBit(mask, STARTS_BIT);
    if (starts < 0) startTs.fill(0, at, at + rows);
    else {
      expectRows(page, column + starts, rows);
      pageFloats(page, column + starts, startTs, at);
    }
  }
  if (mask & HAS_HISTOGRAMS) readHistograms(page, column + columnOfBit(mask, HISTOGRAMS_BIT), rows, out, at);
}

/** Appends the histograms' codes and makes the values refer to them. */
function readHistograms(page: Page, column: number, rows: number, out: SampleBuffer, at: number): void {
  const { bytes, ends } = pageBytes(page, column);
  out.histograms ??= makeHistogramBytes(1024);
  const base = appendHistogramBytes(bytes, out.histograms);
  for (let i = at; i < at + rows; i++) {
    if (!isHistogramAt(out.words, i)) continue;
    const n = histogramRef(out.words, i);
    if (n >= ends.length) throw new RangeError(`a histogram ${n} of ${ends.length}`);
    writeHistogramRef(out.words, i, base + (n === 0 ? 0 : (ends[n - 1] as number)));
  }
}

/** The same for rollups. Only columns whose bit is in `need` are read. */
export function readRollupChunk(
  page: Page,
  column: number,
  rows: number,
  mask: number,
  need: number,
  out: RollupBuffer,
  at: number,
): void {
  expectRows(page, column, rows);
  pageTimes(page, column, out.start, at);
  for (let bit = 0; bit < ROLLUP_COLUMNS.length; bit++) {
    if ((need & (1 << bit)) === 0) continue;
    readFloats(page, column, rows, mask, bit, out.columns[ROLLUP_COLUMNS[bit] as (typeof ROLLUP_COLUMNS)[number]], at);
  }
  const has = mask >>> HISTOGRAM_NUMBERS_BIT !== 0;
  if (!has && out.histograms === undefined) return;
  out.histograms ??= makeRollupHistograms(out.start.length);
  const { histograms } = out;
  for (let i = 0; i < HISTOGRAM_ROLLUP_NUMBERS.length; i++) {
    const name = HISTOGRAM_ROLLUP_NUMBERS[i] as (typeof HISTOGRAM_ROLLUP_NUMBERS)[number];
    readFloats(page, column, rows, mask, HISTOGRAM_NUMBERS_BIT + i, histograms.numbers[name], at);
  }
  for (let i = 0; i < HISTOGRAM_ROLLUP_REFS.length; i++) {
    const refs = histograms.refs[HISTOGRAM_ROLLUP_REFS[i] as (typeof HISTOGRAM_ROLLUP_REFS)[number]];
    const offset = columnOfBit(mask, HISTOGRAM_REFS_BIT + i);
    if (offset < 0) refs.fill(-1, at, at + rows);
    else readRefs(page, column + offset, rows, histograms, refs, at);
  }
}

function readFloats(
  page: Page,
  column: number,
  rows: number,
  mask: number,
  bit: number,
  out: Float64Array,
  at: number,
): void {
  const offset = columnOfBit(mask, bit);
  if (offset < 0) {
    out.fill(0, at, at + rows);
    return;
  }
  expectRows(page, column + offset, rows);
  pageFloats(page, column + offset, out, at);
}

function readRefs(
  page: Page,
  column: number,
  rows: number,
  into: RollupHistograms,
  refs: Float64Array,
  at: number,
): void {
  expectRows(page, column, rows);
  const { bytes, ends } = pageBytes(page, column);
  const base = appendHistogramBytes(bytes, into.bytes);
  let start = 0;
  for (let i = 0; i < rows; i++) {
    const end = ends[i] as number;
    refs[at + i] = end === start ? -1 : base + start;
    start = end;
  }
}
