import { doubled } from "../../lib/grow.ts";
import { hash96 } from "../../lib/hash64.ts";
import { makeHistogramBytes } from "../../model/histogram-code.ts";
import { MalformedBody } from "../../model/ingest.ts";
import { type HistogramBytes, isHistogramWord, ORDINARY_NAN_HI, ORDINARY_NAN_LO } from "../../model/sample.ts";
import { type BatchExtras, clearExtras, makeExtras } from "./batch-extras.ts";
import { type ByteArena, makeArena } from "./byte-arena.ts";

/**
 * The samples of one request, whatever format it had: columns, reused from request to request.
 *
 * Invariants:
 * - a series' labels are `arena.bytes[labelStart[s], labelEnd[s])`: label fields of a remote-write TimeSeries, one after
 *   the other, not yet checked;
 * - `hashes` has three words a series, the seeded hash of these bytes;
 * - the samples of series s are the rows from `sampleEnd[s - 1]` (0 for the first) to `sampleEnd[s]`; a series without samples
 *   has exemplars;
 * - a row has a time (Unix ms, NaN when it cannot be represented) and a value as two words, low first; where the batch has
 *   `histogramRows`, a tagged value is a native histogram and its reference an offset in `histograms`;
 * - `startTs` is as long as `ts` or empty, and 0 wherever no start time was set; it counts when `hasStart`.
 */
export interface SampleBatch {
  readonly arena: ByteArena;
  /** The request, where its labels are not taken from it as they are (remote write 2.0). */
  readonly source: ByteArena;
  series: number;
  samples: number;
  labelStart: Uint32Array;
  labelEnd: Uint32Array;
  hashes: Uint32Array;
  sampleEnd: Uint32Array;
  ts: Float64Array;
  words: Uint32Array;
  histogramRows: number;
  readonly histograms: HistogramBytes;
  startTs: Float64Array;
  hasStart: boolean;
  /** Number of each series in the request, where some may have been left out; for messages. */
  seen: Uint32Array;
  readonly extras: BatchExtras;
}

/** Secret of a process that keeps made-up collisions of the raw label hash out; one set a tenant. */
export interface HashSeeds {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** A request with more samples is refused: its columns would take too much memory. */
export const MAX_BATCH_SAMPLES = 1 << 22;

/** Columns and arenas that grew larger than this for one request are let go after it. */
const KEEP_SAMPLES = 1 << 17;
const KEEP_BYTES = 1 << 24;

export function makeBatch(arena: ByteArena = makeArena(1 << 16)): SampleBatch {
  return {
    arena,
    source: makeArena(0),
    ...columns(4096),
    series: 0,
    samples: 0,
    histogramRows: 0,
    histograms: makeHistogramBytes(),
    startTs: new Float64Array(0),
    hasStart: false,
    extras: makeExtras(),
  };
}

function columns(n: number) {
  return {
    labelStart: new Uint32Array(n),
    labelEnd: new Uint32Array(n),
    hashes: new Uint32Array(3 * n),
    sampleEnd: new Uint32Array(n),
    seen: new Uint32Array(n),
    ts: new Float64Array(n),
    words: new Uint32Array(2 * n),
  };
}

/** Empties the batch; gives back the memory of an unusually large one. */
export function clearBatch(batch: SampleBatch): void {
  emptyBatch(batch);
  if (batch.ts.length > KEEP_SAMPLES) Object.assign(batch, columns(4096), { startTs: new Float64Array(0) });
  if (batch.source.bytes.length > KEEP_BYTES) Object.assign(batch.source, makeArena(0));
  if (batch.arena.bytes.length > KEEP_BYTES) Object.assign(batch.arena, makeArena(1 << 16));
}

/** Empties the batch; its columns and arenas stay what they are. */
export function emptyBatch(batch: SampleBatch): void {
  if (batch.hasStart) batch.startTs.fill(0, 0, batch.samples);
  if (batch.histograms.bytes.length > KEEP_BYTES) batch.histograms.bytes = new Uint8Array(0);
  clearExtras(batch.extras);
  batch.histograms.length = 0;
  batch.histogramRows = 0;
  batch.hasStart = false;
  batch.series = 0;
  batch.samples = 0;
}

/** Makes room for one more sample. Throws `MalformedBody` beyond MAX_BATCH_SAMPLES. */
export function growSamples(batch: SampleBatch): void {
  const n = batch.samples;
  if (n < batch.ts.length) return;
  if (n >= MAX_BATCH_SAMPLES) {
    throw new MalformedBody(
      "too_many_samples",
      `more than ${MAX_BATCH_SAMPLES} samples in a request: send them in several`,
    );
  }
  batch.ts = grownFloats(batch.ts, 2 * n);
  if (batch.startTs.length > 0) batch.startTs = grownFloats(batch.startTs, 2 * n);
  batch.words = doubled(batch.words);
}

function grownFloats(from: Float64Array, size: number): Float64Array {
  const to = new Float64Array(size);
  to.set(from);
  return to;
}

/** Sets the start time (Unix ms) of a row. */
export function setStart(batch: SampleBatch, row: number, start: number): void {
  if (batch.startTs.length < batch.ts.length) batch.startTs = grownFloats(batch.startTs, batch.ts.length);
  batch.startTs[row] = start;
  batch.hasStart = true;
}

/** Makes room for one more series. */
export function growSeries(batch: SampleBatch): void {
  if (batch.series < batch.labelStart.length) return;
  batch.labelStart = doubled(batch.labelStart);
  batch.labelEnd = doubled(batch.labelEnd);
  batch.hashes = doubled(batch.hashes);
  batch.sampleEnd = doubled(batch.sampleEnd);
  batch.seen = doubled(batch.seen);
}

/** Appends a sample given by a number: for the formats outside of the hot path. */
export function pushSample(batch: SampleBatch, ts: number, value: number): void {
  growSamples(batch);
  one[0] = value;
  const i = batch.samples++;
  batch.ts[i] = ts;
  const high = oneWords[1] as number;
  batch.words[2 * i] = isHistogramWord(high) ? ORDINARY_NAN_LO : (oneWords[0] as number);
  batch.words[2 * i + 1] = isHistogramWord(high) ? ORDINARY_NAN_HI : high;
}

const one = new Float64Array(1);
const oneWords = new Uint32Array(one.buffer);

/** Closes a series: its labels lie at `[start, end)` of the arena, its samples were pushed before. `number` is for messages. */
export function pushSeries(batch: SampleBatch, start: number, end: number, number: number, seeds: HashSeeds): void {
  growSeries(batch);
  const s = batch.series++;
  batch.labelStart[s] = start;
  batch.labelEnd[s] = end;
  batch.sampleEnd[s] = batch.samples;
  batch.seen[s] = number;
  hash96(batch.arena.view, start, end, seeds.a, seeds.b, seeds.c, batch.hashes, 3 * s);
}
