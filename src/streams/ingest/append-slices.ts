/**
 * A large batch is appended in slices, so that other requests have their turn between them.
 *
 * Invariants:
 * - a batch that gave way is a copy, since the one that was given is filled anew meanwhile, unless it is the caller's own;
 * - one such copy is there at a time.
 */
import { makeHistogramBytes } from "../../model/histogram-code.ts";
import { type BatchExtras, makeExtras } from "../codec/batch-extras.ts";
import { makeArena } from "../codec/byte-arena.ts";
import type { SampleBatch } from "../codec/sample-batch.ts";
import type { Appended } from "./append-batch.ts";

/** Series of a slice; and so many of a batch may be new, which take some microseconds each, before others have their turn. */
export const SLICE_SERIES = 2_048;
/** A slice ends early where its series have more samples or exemplars than these, and more than one of them gives way. */
const SLICE_ROWS = 1 << 15;
const SLICE_EXEMPLARS = 1 << 12;
/** Samples of known series that are appended before others have their turn, of a batch of the caller's own. */
const OWN_ROWS = 1 << 17;

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
  /** The same for batches that nobody else fills: they are not copied, and whether it is busy does not matter. */
  appendOwn(batches: readonly SampleBatch[], add: (slice: SampleBatch) => Appended | undefined): Promise<Appended>;
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
  const some = (
    batch: SampleBatch,
    from: number,
    sum: Sum,
    add: (slice: SampleBatch) => Appended | undefined,
    rows = Number.POSITIVE_INFINITY,
  ) => {
    const since = worked();
    const row = rowOf(batch, from);
    while (from < batch.series && worked() - since < SLICE_SERIES && rowOf(batch, from) - row < rows) {
      const to = sliceEnd(batch, from);
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
    appendOwn: async (batches, add) => {
      const sum: Sum = { samples: 0, histograms: 0, exemplars: 0 };
      for (const batch of batches) {
        // What is there besides series goes with the first slice, also when it has none.
        if (batch.series === 0) add(batch);
        for (let at = 0; at < batch.series; ) {
          at = some(batch, at, sum, add, OWN_ROWS);
          await giveWay();
        }
      }
      return sum;
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

/** Where the slice ends that begins at series `from`: it has one series at least. */
function sliceEnd(batch: SampleBatch, from: number): number {
  let to = Math.min(batch.series, from + SLICE_SERIES);
  const { series } = batch.extras.exemplars;
  const over = series[firstExemplar(series, from) + SLICE_EXEMPLARS];
  if (over !== undefined && over < to) to = Math.max(from + 1, over);
  const row = rowOf(batch, from);
  while (to > from + 1 && rowOf(batch, to) - row > SLICE_ROWS) to = from + ((to - from) >> 1);
  return to;
}

/** The first exemplar of series `from` or of one behind it: they stand in the order of their series, as these were read. */
function firstExemplar(series: readonly number[], from: number): number {
  let low = 0;
  let high = series.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((series[middle] as number) < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

function rowOf(batch: SampleBatch, series: number): number {
  return series === 0 ? 0 : (batch.sampleEnd[series - 1] as number);
}

function sliceExtras(extras: BatchExtras, from: number, to: number): BatchExtras {
  const { exemplars, text, textLength } = extras;
  const none = makeExtras();
  const first = from === 0 ? { metadata: extras.metadata, refused: extras.refused } : {};
  const mine = { ...none.exemplars };
  for (let e = firstExemplar(exemplars.series, from); (exemplars.series[e] as number) < to; e++) {
    mine.series.push((exemplars.series[e] as number) - from);
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
