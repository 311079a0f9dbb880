import {
  type HistogramBytes,
  histogramRef,
  isHistogramAt,
  reserveSamples,
  type SampleBuffer,
  writeHistogramRef,
} from "../../model/sample.ts";

/** Appends the samples of `from`, all newer than those of `to`, with their bits, start timestamps and histograms. */
export function appendSamples(from: SampleBuffer, to: SampleBuffer): void {
  const at = to.length;
  const n = from.length;
  if (from.startTs !== undefined && to.startTs === undefined) to.startTs = new Float64Array(to.ts.length);
  reserveSamples(to, at + n);
  to.ts.set(from.ts.subarray(0, n), at);
  to.words.set(from.words.subarray(0, 2 * n), 2 * at);
  if (to.startTs !== undefined) {
    if (from.startTs === undefined) to.startTs.fill(0, at, at + n);
    else to.startTs.set(from.startTs.subarray(0, n), at);
  }
  to.length = at + n;
  const { histograms } = from;
  if (histograms !== undefined && histograms.length > 0) appendHistograms(histograms, to, at);
}

function appendHistograms(histograms: HistogramBytes, to: SampleBuffer, at: number): void {
  to.histograms ??= { bytes: new Uint8Array(histograms.length), length: 0 };
  const target = to.histograms;
  const base = target.length;
  if (target.bytes.length < base + histograms.length) {
    const grown = new Uint8Array(2 * (base + histograms.length));
    grown.set(target.bytes.subarray(0, base));
    target.bytes = grown;
  }
  target.bytes.set(histograms.bytes.subarray(0, histograms.length), base);
  target.length = base + histograms.length;
  for (let i = at; i < to.length; i++) {
    if (isHistogramAt(to.words, i)) writeHistogramRef(to.words, i, histogramRef(to.words, i) + base);
  }
}
