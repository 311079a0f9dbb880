import type { SeriesRef } from "../../model/ingest.ts";
import { STALE_NAN_HI, STALE_NAN_LO, writeStale } from "../../model/sample.ts";

/** Samples on their way to the gateway, as the columns that `Ingest.append` takes. `words` aliases `values`. */
export interface SampleBatch {
  readonly refs: SeriesRef[];
  ts: Float64Array<ArrayBuffer>;
  values: Float64Array<ArrayBuffer>;
  words: Uint32Array<ArrayBuffer>;
}

export function makeSampleBatch(capacity = 64): SampleBatch {
  const values = new Float64Array(capacity);
  return { refs: [], ts: new Float64Array(capacity), values, words: new Uint32Array(values.buffer) };
}

/** Adds a sample; `t` in Unix milliseconds. */
export function pushSample(batch: SampleBatch, ref: SeriesRef, t: number, value: number): void {
  const i = batch.refs.length;
  if (i === batch.ts.length) grow(batch);
  batch.refs.push(ref);
  batch.ts[i] = t;
  batch.values[i] = value;
  // A staleness marker stands for "the series has ended" and is ours to write: a NaN that came from outside is a plain one.
  if (Number.isNaN(value) && batch.words[2 * i] === STALE_NAN_LO && batch.words[2 * i + 1] === STALE_NAN_HI) {
    batch.words[2 * i + 1] = 0x7ff80000;
  }
}

/** Adds a staleness marker: from `t` on the series has no value. */
export function pushStale(batch: SampleBatch, ref: SeriesRef, t: number): void {
  const i = batch.refs.length;
  if (i === batch.ts.length) grow(batch);
  batch.refs.push(ref);
  batch.ts[i] = t;
  writeStale(batch.words, i);
}

function grow(batch: SampleBatch): void {
  const ts = new Float64Array(batch.ts.length * 2);
  const values = new Float64Array(ts.length);
  const words = new Uint32Array(values.buffer);
  ts.set(batch.ts);
  words.set(batch.words);
  batch.ts = ts;
  batch.values = values;
  batch.words = words;
}
