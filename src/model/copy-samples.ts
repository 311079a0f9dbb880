/** Moving samples from buffer to buffer, with the bits of their values, their start timestamps and their histograms. */
import { appendHistogramBytes, histogramBytes, makeHistogramBytes } from "./histogram-code.ts";
import { histogramRef, isHistogramAt, reserveSamples, type SampleBuffer, writeHistogramRef } from "./sample.ts";

/** Appends the samples of `from`, all newer than those of `to`: all of them, or those at [first, end). */
export function appendSamples(from: SampleBuffer, to: SampleBuffer, first = 0, end: number = from.length): void {
  const at = to.length;
  const shift = takeHistograms(from, to);
  reserveSampleColumns(to, at + end - first, from.startTs !== undefined);
  copySamples(from, first, end, to, at, shift);
  to.length = at + end - first;
}

/** Appends the bytes of `from`'s histograms to those of `to`; returns by how much references to them move, 0 when there are none. */
export function takeHistograms(from: SampleBuffer, to: SampleBuffer): number {
  const { histograms } = from;
  if (histograms === undefined || histograms.length === 0) return 0;
  to.histograms ??= makeHistogramBytes(Math.max(1024, histograms.length));
  return appendHistogramBytes(histogramBytes(histograms), to.histograms);
}

/** Makes room for `capacity` samples; `withStart`: with start timestamps (0 for what is there, where there were none). */
export function reserveSampleColumns(buffer: SampleBuffer, capacity: number, withStart: boolean): void {
  reserveSamples(buffer, capacity);
  if (withStart) buffer.startTs ??= new Float64Array(buffer.ts.length);
}

/**
 * Writes the samples [first, end) of `from` over what is at `at` and behind it in `to`, where there is room. References to
 * histograms move by `shift`.
 */
export function copySamples(
  from: SampleBuffer,
  first: number,
  end: number,
  to: SampleBuffer,
  at: number,
  shift: number,
): void {
  const n = end - first;
  to.ts.set(from.ts.subarray(first, end), at);
  to.words.set(from.words.subarray(2 * first, 2 * end), 2 * at);
  if (to.startTs !== undefined) {
    if (from.startTs === undefined) to.startTs.fill(0, at, at + n);
    else to.startTs.set(from.startTs.subarray(first, end), at);
  }
  if (shift !== 0) for (let i = at; i < at + n; i++) moveHistogramRef(to.words, i, shift);
}

/** Writes sample `from` over sample `to` of the same buffer, for loops that leave samples out. */
export function moveSample({ ts, words, startTs }: SampleBuffer, from: number, to: number): void {
  ts[to] = ts[from] as number;
  // Words, not values: a NaN may lose its bits on the way through a number.
  words[2 * to] = words[2 * from] as number;
  words[2 * to + 1] = words[2 * from + 1] as number;
  if (startTs !== undefined) startTs[to] = startTs[from] as number;
}

/** Moves the reference of sample i by `shift` when it is a histogram. */
export function moveHistogramRef(words: Uint32Array, i: number, shift: number): void {
  if (isHistogramAt(words, i)) writeHistogramRef(words, i, histogramRef(words, i) + shift);
}
