/** Samples of one series from several places put together: the newer place wins where both have a time. */
import { firstAt } from "../../lib/search.ts";
import {
  appendSamples,
  copySamples,
  moveHistogramRef,
  reserveSampleColumns,
  takeHistograms,
} from "../../model/copy-samples.ts";
import { makeSampleBuffer, type SampleBuffer } from "../../model/sample.ts";

const merged = makeSampleBuffer(1024);

/** Merges `newer` into `out`, both ascending in time without repetition; so is the result. `newer` is left as it is. */
export function mergeSamples(out: SampleBuffer, newer: SampleBuffer): void {
  const n = out.length;
  const m = newer.length;
  if (m === 0) return;
  if (n === 0 || (out.ts[n - 1] as number) < (newer.ts[0] as number)) {
    appendSamples(newer, out);
    return;
  }
  const shift = takeHistograms(newer, out);
  const withStart = out.startTs !== undefined || newer.startTs !== undefined;
  // Whatever lies before the newer samples stays where it is.
  const keep = firstAt(out.ts, 0, n, newer.ts[0] as number);
  reserveSampleColumns(merged, n - keep + m, withStart);
  const { ts, words } = merged;
  const starts = withStart ? merged.startTs : undefined;
  const { ts: oldTs, words: oldWords, startTs: oldStarts } = out;
  const { ts: newTs, words: newWords, startTs: newStarts } = newer;
  let i = keep;
  let j = 0;
  let k = 0;
  for (; i < n && j < m; k++) {
    const a = oldTs[i] as number;
    const b = newTs[j] as number;
    if (a < b) {
      ts[k] = a;
      words[2 * k] = oldWords[2 * i] as number;
      words[2 * k + 1] = oldWords[2 * i + 1] as number;
      if (starts !== undefined) starts[k] = oldStarts?.[i] ?? 0;
      i++;
      continue;
    }
    ts[k] = b;
    words[2 * k] = newWords[2 * j] as number;
    words[2 * k + 1] = newWords[2 * j + 1] as number;
    if (starts !== undefined) starts[k] = newStarts?.[j] ?? 0;
    if (shift !== 0) moveHistogramRef(words, k, shift);
    j++;
    if (a === b) i++;
  }
  // One side has come to its end.
  copySamples(out, i, n, merged, k, 0);
  copySamples(newer, j, m, merged, k + n - i, shift);
  k += n - i + m - j;
  reserveSampleColumns(out, keep + k, withStart);
  copySamples(merged, 0, k, out, keep, 0);
  out.length = keep + k;
}
