import type { Histogram } from "../../model/histogram.ts";
import { histogramOf, type SelectedSeries } from "./selected-series.ts";
import { encodeSteps } from "./snappy-block.ts";
import {
  makeWireWriter,
  putBareDouble,
  putBytes,
  putDouble,
  putInt64,
  putMessage,
  putString,
  putTag,
  putVarint,
  putWords,
  putZigzag,
  type WireWriter,
  wireBytes,
} from "./wire-writer.ts";

/** Samples encoded between two turns of the event loop. */
const TURN = 8_192;
/** Steps of the compression between two turns. */
const STEPS = 16;

/** prometheus.ReadResponse of the response type SAMPLES, in Snappy's block format: one list of series a query. */
export async function sampledAnswer(results: readonly (readonly SelectedSeries[])[]): Promise<Uint8Array> {
  const response = makeWireWriter();
  let work = 0;
  for (const series of results) {
    const result = makeWireWriter();
    for (const one of series) {
      putMessage(result, 1, (message) => putSeries(message, one));
      work += one.to - one.from + 16;
      if (work < TURN) continue;
      work = 0;
      await new Promise(setImmediate);
    }
    putBytes(response, 1, wireBytes(result));
  }
  const steps = encodeSteps(wireBytes(response));
  for (let i = 1; ; i++) {
    const step = steps.next();
    if (step.done) return step.value;
    if (i % STEPS === 0) await new Promise(setImmediate);
  }
}

export function putLabels(w: WireWriter, { labels }: SelectedSeries): void {
  for (let i = 0; i < labels.length; i += 2) {
    putMessage(w, 1, (label) => {
      putString(label, 1, labels[i] as string);
      putString(label, 2, labels[i + 1] as string);
    });
  }
}

function putSeries(w: WireWriter, series: SelectedSeries): void {
  putLabels(w, series);
  const { ts, words, from, to } = series;
  for (let i = from; i < to; i++) {
    const t = ts[i] as number;
    const h = histogramOf(series, i);
    if (h !== undefined) putMessage(w, 4, (message) => putHistogram(message, t, h));
    else {
      putMessage(w, 2, (message) => {
        putWords(message, 1, words[2 * i] as number, words[2 * i + 1] as number);
        putTag(message, 2, 0);
        putInt64(message, t);
      });
    }
  }
}

/** prometheus.Histogram, as remote write has it. */
function putHistogram(w: WireWriter, ts: number, h: Histogram): void {
  if (h.float) putDouble(w, 2, h.count);
  else {
    putTag(w, 1, 0);
    putVarint(w, h.count);
  }
  putDouble(w, 3, h.sum);
  putTag(w, 4, 0);
  putZigzag(w, h.schema);
  putDouble(w, 5, h.zeroThreshold);
  if (h.float) putDouble(w, 7, h.zeroCount);
  else {
    putTag(w, 6, 0);
    putVarint(w, h.zeroCount);
  }
  putBuckets(w, 8, h.negativeSpans, h.negative, h.float);
  putBuckets(w, 11, h.positiveSpans, h.positive, h.float);
  putTag(w, 14, 0);
  putVarint(w, h.resetHint);
  putTag(w, 15, 0);
  putInt64(w, ts);
  if (h.customBounds.length > 0) {
    putMessage(w, 16, (packed) => {
      for (const bound of h.customBounds) putBareDouble(packed, bound);
    });
  }
}

/** Spans, then deltas (the field behind) or counts (the one behind that). */
function putBuckets(
  w: WireWriter,
  field: number,
  spans: readonly number[],
  counts: readonly number[],
  float: boolean,
): void {
  for (let i = 0; i < spans.length; i += 2) {
    putMessage(w, field, (span) => {
      putTag(span, 1, 0);
      putZigzag(span, spans[i] as number);
      putTag(span, 2, 0);
      putVarint(span, spans[i + 1] as number);
    });
  }
  if (counts.length === 0) return;
  putMessage(w, float ? field + 2 : field + 1, (packed) => {
    let before = 0;
    for (const count of counts) {
      if (float) putBareDouble(packed, count);
      else putZigzag(packed, count - before);
      before = count;
    }
  });
}
