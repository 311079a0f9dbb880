/**
 * A large batch is appended in slices, so that other requests have their turn between them.
 *
 * Invariants:
 * - a batch that gave way is a copy, since the one that was given is filled anew meanwhile;
 * - one such copy is there at a time.
 */
import { makeHistogramBytes } from "../../model/histogram-code.ts";
import { type BatchExtras, makeExtras } from "../codec/batch-extras.ts";
import { makeArena } from "../codec/byte-arena.ts";
import type { SampleBatch } from "../codec/sample-batch.ts";
import type { Appended } from "./append-batch.ts";

/** Series of a slice; and so many of a batch may be new, which take some microseconds each, before others have their turn. */
export const SLICE_SERIES = 2_048;

export interface Slicer {
  /** Whether a batch gave way and is not appended yet. */
  busy(): boolean;
  /** Resolves when that is over; look again then. */
  free(): Promise<void>;
  /**
   * Calls `add` with slice after slice of a batch, until it says undefined; must not be busy.
   * @returns the sums of what `add` says: at once unless it gives way
   */
  append(batch: SampleBatch, add: (slice: SampleBatch) => Appended | undefined): Appended | Promise<Appended>;
}

export interface SlicerOptions {
  /** How often a series was found new so far. */
  readonly worked: () => number;
  /** Resolves when others have had their turn. */
  readonly giveWay: () => Promise<unknown>;
  /** Called when a batch that gave way is appended. */
  readonly onDone: () => void;
}

export function makeSlicer({ worked, giveWay, onDone }: SlicerOptions): Slicer {
  let busy = false;
  let free = Promise.resolve();

  /** Appends from series `from` on until it is time to give way; returns up to where. */
  const some = (batch: SampleBatch, from: number, sum: Sum, add: (slice: SampleBatch) => Appended | undefined) => {
    const since = worked();
    while (from < batch.series && worked() - since < SLICE_SERIES) {
      const to = Math.min(batch.series, from + SLICE_SERIES);
      const part = add(sliceBatch(batch, from, to));
      if (part === undefined) return batch.series;
      sum.samples += part.samples;
      sum.histograms += part.histograms;
      sum.exemplars += part.exemplars;
      from = to;
    }
    return from;
  };

  return {
    busy: () => busy,
    free: () => free,
    append: (batch, add) => {
      const sum: Sum = { samples: 0, histograms: 0, exemplars: 0 };
      const from = some(batch, 0, sum, add);
      if (from === batch.series) return sum;
      const rest = copyBatch(batch, from);
      busy = true;
      const goOn = async () => {
        try {
          for (let at = 0; at < rest.series; ) {
            await giveWay();
            at = some(rest, at, sum, add);
          }
          return sum;
        } finally {
          busy = false;
          onDone();
        }
      };
      const done = goOn();
      free = done.then(
        () => {},
        () => {},
      );
      return done;
    },
  };
}

type Sum = { -readonly [K in keyof Appended]: Appended[K] };

/**
 * The series [from, to) of a batch, as a batch of their own that refers to it: with their exemplars, and with all the other extras in
 * the first slice, which begins at 0.
 */
function sliceBatch(batch: SampleBatch, from: number, to: number): SampleBatch {
  const row = rowOf(batch, from);
  const end = rowOf(batch, to);
  return {
    ...batch,
    series: to - from,
    samples: end - row,
    labelStart: batch.labelStart.subarray(from, to),
    labelEnd: batch.labelEnd.subarray(from, to),
    hashes: batch.hashes.subarray(3 * from, 3 * to),
    sampleEnd: batch.sampleEnd.slice(from, to).map((e) => e - row),
    ts: batch.ts.subarray(row, end),
    words: batch.words.subarray(2 * row, 2 * end),
    startTs: batch.hasStart ? batch.startTs.subarray(row, end) : batch.startTs,
    seen: batch.seen.subarray(from, to),
    extras: sliceExtras(batch.extras, from, to),
  };
}

function rowOf(batch: SampleBatch, series: number): number {
  return series === 0 ? 0 : (batch.sampleEnd[series - 1] as number);
}

function sliceExtras(extras: BatchExtras, from: number, to: number): BatchExtras {
  const { exemplars, text, textLength } = extras;
  const none = makeExtras();
  const first = from === 0 ? { metadata: extras.metadata, refused: extras.refused } : {};
  const mine = { ...none.exemplars };
  for (let e = 0; e < exemplars.series.length; e++) {
    const series = exemplars.series[e] as number;
    if (series < from || series >= to) continue;
    mine.series.push(series - from);
    mine.ts.push(exemplars.ts[e] as number);
    mine.words.push(exemplars.words[2 * e] as number, exemplars.words[2 * e + 1] as number);
    for (let i = e === 0 ? 0 : (exemplars.spanEnd[e - 1] as number); i < (exemplars.spanEnd[e] as number); i++)
      mine.spans.push(exemplars.spans[i] as number);
    mine.spanEnd.push(mine.spans.length);
  }
  return { ...none, text, textLength, exemplars: mine, ...first };
}

/** A copy of the series from `from` on, more than 0, that stays when the batch is filled anew. */
function copyBatch(batch: SampleBatch, from: number): SampleBatch {
  const rest = sliceBatch(batch, from, batch.series);
  let start = rest.labelStart[0] as number;
  let end = start;
  for (let s = 0; s < rest.series; s++) {
    start = Math.min(start, rest.labelStart[s] as number);
    end = Math.max(end, rest.labelEnd[s] as number);
  }
  const arena = makeArena(end - start);
  arena.bytes.set(batch.arena.bytes.subarray(start, end));
  const histograms = makeHistogramBytes(0);
  if (batch.histogramRows > 0) {
    histograms.bytes = batch.histograms.bytes.slice(0, batch.histograms.length);
    histograms.length = batch.histograms.length;
  }
  return {
    ...rest,
    arena,
    source: makeArena(0),
    labelStart: rest.labelStart.map((at) => at - start),
    labelEnd: rest.labelEnd.map((at) => at - start),
    hashes: rest.hashes.slice(),
    ts: rest.ts.slice(),
    words: rest.words.slice(),
    histograms,
    startTs: rest.startTs.slice(),
    seen: rest.seen.slice(),
    extras: { ...rest.extras, text: rest.extras.text.slice(0, rest.extras.textLength) },
  };
}
