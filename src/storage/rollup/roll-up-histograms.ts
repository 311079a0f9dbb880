import { copyHistogram } from "../../model/histogram-code.ts";
import { makeRollupHistograms, type RollupBuffer, type RollupHistograms } from "../../model/rollup.ts";
import { histogramRef, isHistogramAt, type SampleBuffer } from "../../model/sample.ts";

/**
 * The native histograms' part of rollups: how many a bucket has, and the outermost ones as they were.
 * Rows that have none hold 0, and -1 as references.
 */

/** Makes the buffer ready for the histograms of another series; without any, the part goes. */
export function beginHistograms(any: boolean, out: RollupBuffer): void {
  if (!any) delete out.histograms;
  else if (out.histograms === undefined) out.histograms = makeRollupHistograms(out.start.length);
  else out.histograms.bytes.length = 0;
}

/** The histograms among the samples [from, to) of one bucket. */
export function rollUpHistograms(
  samples: SampleBuffer,
  from: number,
  to: number,
  out: RollupHistograms,
  row: number,
): void {
  const { ts, words, startTs, histograms } = samples;
  let count = 0;
  let first = -1;
  let last = -1;
  for (let k = from; k < to; k++) {
    if (!isHistogramAt(words, k)) continue;
    if (first < 0) first = k;
    last = k;
    count++;
  }
  clearRow(out, row);
  if (count === 0 || histograms === undefined) return;
  const { numbers, refs, bytes } = out;
  numbers.count[row] = count;
  numbers.firstT[row] = ts[first] as number;
  numbers.lastT[row] = ts[last] as number;
  numbers.firstStart[row] = startTs === undefined ? 0 : (startTs[first] as number);
  numbers.lastStart[row] = startTs === undefined ? 0 : (startTs[last] as number);
  refs.first[row] = copyHistogram(histograms.bytes, histogramRef(words, first), bytes);
  refs.last[row] =
    first === last ? (refs.first[row] as number) : copyHistogram(histograms.bytes, histogramRef(words, last), bytes);
}

/** The rows [first, end) of narrow buckets, all of one wide bucket. */
export function joinHistograms(
  from: RollupHistograms,
  first: number,
  end: number,
  out: RollupHistograms,
  row: number,
): void {
  let count = 0;
  let head = -1;
  let tail = -1;
  for (let k = first; k < end; k++) {
    if (from.numbers.count[k] === 0) continue;
    if (head < 0) head = k;
    tail = k;
    count += from.numbers.count[k] as number;
  }
  clearRow(out, row);
  if (count === 0) return;
  const { numbers, refs, bytes } = out;
  numbers.count[row] = count;
  numbers.firstT[row] = from.numbers.firstT[head] as number;
  numbers.lastT[row] = from.numbers.lastT[tail] as number;
  numbers.firstStart[row] = from.numbers.firstStart[head] as number;
  numbers.lastStart[row] = from.numbers.lastStart[tail] as number;
  refs.first[row] = copyHistogram(from.bytes.bytes, from.refs.first[head] as number, bytes);
  refs.last[row] = copyHistogram(from.bytes.bytes, from.refs.last[tail] as number, bytes);
}

/** Of row `k` of a and row `i` of b, whose histograms lie among each other and are joined in row `row`: the outermost of both. */
export function keepOutermost(
  a: RollupHistograms,
  k: number,
  b: RollupHistograms,
  i: number,
  out: RollupHistograms,
  row: number,
): void {
  if (a.numbers.count[k] === 0 || b.numbers.count[i] === 0) return;
  const isFirst = (a.numbers.firstT[k] as number) <= (b.numbers.firstT[i] as number);
  const [first, f] = isFirst ? [a, k] : [b, i];
  const isLast = (a.numbers.lastT[k] as number) >= (b.numbers.lastT[i] as number);
  const [last, l] = isLast ? [a, k] : [b, i];
  out.numbers.firstT[row] = first.numbers.firstT[f] as number;
  out.numbers.firstStart[row] = first.numbers.firstStart[f] as number;
  out.refs.first[row] = copyHistogram(first.bytes.bytes, first.refs.first[f] as number, out.bytes);
  out.numbers.lastT[row] = last.numbers.lastT[l] as number;
  out.numbers.lastStart[row] = last.numbers.lastStart[l] as number;
  out.refs.last[row] = copyHistogram(last.bytes.bytes, last.refs.last[l] as number, out.bytes);
}

function clearRow({ numbers, refs }: RollupHistograms, row: number): void {
  numbers.count[row] = 0;
  numbers.firstT[row] = 0;
  numbers.lastT[row] = 0;
  numbers.firstStart[row] = 0;
  numbers.lastStart[row] = 0;
  refs.first[row] = -1;
  refs.last[row] = -1;
}
