import { hash96 } from "../../lib/hash64.ts";
import { MalformedBody } from "../../model/ingest.ts";
import { type ByteArena, makeArena } from "./byte-arena.ts";

/**
 * The samples of one request, whatever format it had: columns, reused from request to request.
 *
 * Invariants:
 * - a series' labels are `arena.bytes[labelStart[s], labelEnd[s])`: label fields of a remote-write TimeSeries, one after
 *   the other, not yet checked;
 * - `hashes` has three words a series, the seeded hash of these bytes;
 * - the samples of series s are the rows from `sampleEnd[s - 1]` (0 for the first) to `sampleEnd[s]`; every series has some;
 * - a row has a time (Unix ms, NaN when it cannot be represented) and a value as two words, low first.
 */
export interface SampleBatch {
  readonly arena: ByteArena;
  series: number;
  samples: number;
  labelStart: Uint32Array;
  labelEnd: Uint32Array;
  hashes: Uint32Array;
  sampleEnd: Uint32Array;
  ts: Float64Array;
  words: Uint32Array;
  /** Native histograms found (and skipped); `firstHistogram` is the number of the series that has the first, -1 if none. */
  histograms: number;
  firstHistogram: number;
  /** Number of the series now scanned, with those that have no samples and are left out; for messages. */
  seen: Uint32Array;
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
  return { arena, ...columns(4096), series: 0, samples: 0, histograms: 0, firstHistogram: -1 };
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
  if (batch.ts.length > KEEP_SAMPLES) Object.assign(batch, columns(4096));
  if (batch.arena.bytes.length > KEEP_BYTES) Object.assign(batch.arena, makeArena(1 << 16));
  batch.series = 0;
  batch.samples = 0;
  batch.histograms = 0;
  batch.firstHistogram = -1;
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
  const ts = new Float64Array(2 * n);
  ts.set(batch.ts);
  batch.ts = ts;
  batch.words = doubled(batch.words);
}

/** Makes room for one more series: there are never more than samples. */
export function growSeries(batch: SampleBatch): void {
  if (batch.series < batch.labelStart.length) return;
  batch.labelStart = doubled(batch.labelStart);
  batch.labelEnd = doubled(batch.labelEnd);
  batch.hashes = doubled(batch.hashes);
  batch.sampleEnd = doubled(batch.sampleEnd);
  batch.seen = doubled(batch.seen);
}

function doubled(from: Uint32Array): Uint32Array {
  const to = new Uint32Array(2 * from.length);
  to.set(from);
  return to;
}

/** Appends a sample given by a number: for the formats outside of the hot path. */
export function pushSample(batch: SampleBatch, ts: number, value: number): void {
  growSamples(batch);
  one[0] = value;
  const i = batch.samples++;
  batch.ts[i] = ts;
  batch.words[2 * i] = oneWords[0] as number;
  batch.words[2 * i + 1] = oneWords[1] as number;
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
