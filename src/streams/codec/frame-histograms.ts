/** The histograms of a frame: its tagged values, and the section that they point into. */

import { makeHistogram } from "../../model/histogram.ts";
import { decodeHistogram, HistogramCodeError } from "../../model/histogram-code.ts";
import { histogramRef, isHistogramAt } from "../../model/sample.ts";
import { FrameError } from "./frame-layout.ts";

const scratch = makeHistogram();

/** Throws `FrameError` unless every tagged value leads to a whole histogram. `values` starts at byte 0 of its buffer. */
export function checkHistogramRows(values: Float64Array, histograms: Uint8Array): void {
  const words = new Uint32Array(values.buffer, 0, 2 * values.length);
  for (let i = 0; i < values.length; i++) {
    if (!isHistogramAt(words, i)) continue;
    const at = histogramRef(words, i);
    try {
      if (at >= histograms.length) throw new HistogramCodeError(`it starts at ${at} of ${histograms.length} bytes`);
      decodeHistogram(histograms, at, scratch);
    } catch (error) {
      if (error instanceof HistogramCodeError) throw new FrameError("histogram", `row ${i}: ${error.message}`);
      throw error;
    }
  }
}
