/** Samples of one series from several places put together: the newer place wins where both have a time. */
import {
  type HistogramBytes,
  histogramRef,
  isHistogramAt,
  makeSampleBuffer,
  reserveSamples,
  type SampleBuffer,
  writeHistogramRef,
} from "../../model/sample.ts";

const merged = makeSampleBuffer(1024);

/** Merges `newer` into `out`, both ascending in time without repetition; so is the result. `newer` is left as it is. */
export function mergeSamples(out: SampleBuffer, newer: SampleBuffer): void {
  const n = out.length;
  const m = newer.length;
  if (m === 0) return;
  const shift = takeHistograms(out, newer);
  const withStart = out.startTs !== undefined || newer.startTs !== undefined;
  if (n === 0 || (out.ts[n - 1] as number) < (newer.ts[0] as number)) {
    copyRows(newer, 0, m, out, n, shift, withStart);
    out.length = n + m;
    return;
  }
  // Whatever lies before the newer samples stays where it is.
  const keep = countBefore(out.ts, n, newer.ts[0] as number);
  merged.length = 0;
  const tail = n - keep;
  reserveColumns(merged, tail + m, withStart);
  let i = keep;
  let j = 0;
  let k = 0;
  while (i < n || j < m) {
    const a = i < n ? (out.ts[i] as number) : Number.POSITIVE_INFINITY;
    const b = j < m ? (newer.ts[j] as number) : Number.POSITIVE_INFINITY;
    if (a < b) copyRow(out, i, merged, k++, 0);
    else copyRow(newer, j, merged, k++, shift);
    if (a <= b) i++;
    if (b <= a) j++;
  }
  copyRows(merged, 0, k, out, keep, 0, withStart);
  out.length = keep + k;
}

/** How many of the ascending times are before t. */
function countBefore(ts: Float64Array, n: number, t: number): number {
  let low = 0;
  let high = n;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((ts[mid] as number) < t) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** Appends the bytes of `from`'s histograms to `to`; returns by how much their references move, 0 when there are none. */
function takeHistograms(to: SampleBuffer, from: SampleBuffer): number {
  const bytes = from.histograms;
  if (bytes === undefined || bytes.length === 0) return 0;
  to.histograms ??= { bytes: new Uint8Array(Math.max(1024, bytes.length)), length: 0 };
  const target: HistogramBytes = to.histograms;
  const at = target.length;
  if (target.bytes.length < at + bytes.length) {
    const larger = new Uint8Array(Math.max(at + bytes.length, 2 * target.bytes.length));
    larger.set(target.bytes.subarray(0, at));
    target.bytes = larger;
  }
  target.bytes.set(bytes.bytes.subarray(0, bytes.length), at);
  target.length = at + bytes.length;
  return at;
}

function reserveColumns(buffer: SampleBuffer, size: number, withStart: boolean): void {
  reserveSamples(buffer, size);
  if (withStart && buffer.startTs === undefined) buffer.startTs = new Float64Array(buffer.ts.length);
}

function copyRows(
  from: SampleBuffer,
  first: number,
  count: number,
  to: SampleBuffer,
  at: number,
  shift: number,
  withStart: boolean,
): void {
  reserveColumns(to, at + count, withStart);
  to.ts.set(from.ts.subarray(first, first + count), at);
  to.words.set(from.words.subarray(2 * first, 2 * (first + count)), 2 * at);
  const start = to.startTs;
  if (start !== undefined) {
    if (from.startTs === undefined) start.fill(0, at, at + count);
    else start.set(from.startTs.subarray(first, first + count), at);
  }
  if (shift !== 0) for (let i = at; i < at + count; i++) moveRef(to.words, i, shift);
}

function copyRow(from: SampleBuffer, i: number, to: SampleBuffer, k: number, shift: number): void {
  to.ts[k] = from.ts[i] as number;
  to.words[2 * k] = from.words[2 * i] as number;
  to.words[2 * k + 1] = from.words[2 * i + 1] as number;
  if (to.startTs !== undefined) to.startTs[k] = from.startTs?.[i] ?? 0;
  if (shift !== 0) moveRef(to.words, k, shift);
}

function moveRef(words: Uint32Array, i: number, shift: number): void {
  if (isHistogramAt(words, i)) writeHistogramRef(words, i, histogramRef(words, i) + shift);
}
