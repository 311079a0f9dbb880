import { histogramRef, isHistogramAt, isHistogramWord, ORDINARY_NAN_HI, ORDINARY_NAN_LO } from "../../model/sample.ts";
import {
  appendHistogramRow,
  appendRow,
  contentBytes,
  type FrameBuilder,
  frameBytes,
  reserveRows,
  setRowStart,
} from "../codec/frame-encode.ts";
import { MAX_TIME_MS } from "../codec/frame-layout.ts";
import { type Canonical, writeDefinition } from "./canonical.ts";
import { joinOpenFrame, type PartitionQueue, pump, sealFrame, type Ticket } from "./partition-queue.ts";
import { type Rejections, reject } from "./rejections.ts";
import {
  AMBIGUOUS,
  ANNOUNCED,
  HIGH,
  LOW,
  PLACE,
  type SeriesCache,
  STATE,
  USED,
  wordAt,
  wordsOf,
} from "./series-cache.ts";

/** What the appending loops share, for as long as the gateway lives. */
export interface AppendCore {
  readonly cache: SeriesCache;
  /** Of the mode that the request at hand has: the frames of late history are not those of fresh samples. */
  queues: readonly PartitionQueue[];
  readonly canonical: Canonical;
  readonly maxFrameBytes: number;
  /** A series that was not seen for so long is sent with its labels again. */
  readonly idleSeconds: number;
}

/** One request while its samples are put into frames. */
export interface Run {
  readonly tenant: Uint8Array;
  /** Columns of samples; two words a value, low first. */
  readonly ts: Float64Array;
  readonly words: Uint32Array;
  /** What tagged values point into. Undefined: there are no histograms, and what looks like one is some NaN. */
  readonly histograms?: Uint8Array | undefined;
  /** Start times (Unix ms, 0 unknown), where there are any. */
  readonly startTs?: Float64Array | undefined;
  readonly ticket: Ticket;
  readonly rejected: Rejections;
  /** Seconds on the cache's clock. */
  readonly nowSeconds: number;
  /** Latest time that is taken, Unix ms. */
  readonly maxTime: number;
  /** Earliest time that is kept, Unix ms. */
  readonly minTime: number;
  /** Samples put into frames so far. */
  accepted: number;
  /** Of these: native histograms. */
  acceptedHistograms: number;
  /** Makes `canonical` that of a series of the request; true unless the series cannot be taken. */
  define(series: number): boolean;
  /** The series and its place in the request, for messages. */
  describe(series: number): string;
}

/**
 * Appends rows [from, to) of the run, all of series number `series`, whose cache entry (the one that speaks) is `entry`.
 * Sends the labels along where the shard may not know them. Samples with unusable times are rejected.
 */
export function appendRows(core: AppendCore, run: Run, entry: number, series: number, from: number, to: number): void {
  const words = wordsOf(core.cache, entry);
  const w = wordAt(entry);
  const place = words[w + PLACE] as number;
  const q = core.queues[place & 0xffff] as PartitionQueue;
  // An idle series may be forgotten by the shard; the clock of the cache only ever goes forward here.
  if (run.nowSeconds - (words[w + USED] as number) >= core.idleSeconds) words[w + STATE] = 0;
  words[w + USED] = run.nowSeconds;
  const open = q.open;
  const state = words[w + STATE] as number;
  if (
    to - from === 1 &&
    run.startTs === undefined &&
    place < AMBIGUOUS &&
    (state === ANNOUNCED || state === q.serial) &&
    hasRoom(open, core.maxFrameBytes)
  ) {
    const t = run.ts[from] as number;
    const valueHigh = run.words[2 * from + 1] as number;
    if (t <= run.maxTime && t >= run.minTime && !isHistogramWord(valueHigh)) {
      if (open.samples === open.ts.length) reserveRows(open, 1);
      const low = run.words[2 * from] as number;
      appendRow(open, words[w + LOW] as number, words[w + HIGH] as number, t, low, valueHigh);
      run.accepted++;
      if (q.openTickets[q.openTickets.length - 1] !== run.ticket) joinOpenFrame(q, run.ticket);
      return;
    }
  }
  appendMany(core, run, q, entry, series, from, to);
}

/** Whether more fits into the frame. */
export function hasRoom(b: FrameBuilder, maxFrameBytes: number): boolean {
  return contentBytes(b) < maxFrameBytes;
}

/**
 * Makes the open frame of the queue one with room, in which the series can be named; returns the number of its definition there
 * when the row must say it, -1 when the hash is enough.
 */
export function openFor(core: AppendCore, run: Run, q: PartitionQueue, entry: number, series: number): number {
  const words = wordsOf(core.cache, entry);
  const w = wordAt(entry);
  if (!hasRoom(q.open, core.maxFrameBytes)) {
    sealFrame(q);
    pump(q);
  }
  const state = words[w + STATE] as number;
  const ambiguous = ((words[w + PLACE] as number) & AMBIGUOUS) !== 0;
  if (!ambiguous && (state === ANNOUNCED || state === q.serial)) return -1;
  // It was taken when it entered the cache, so it is taken now.
  run.define(series);
  const definition = writeDefinition(q.open, core.canonical, run.tenant);
  q.openDefined.push(words[w + LOW] as number, words[w + HIGH] as number);
  words[w + STATE] = q.serial;
  return ambiguous ? definition : -1;
}

function appendMany(
  core: AppendCore,
  run: Run,
  q: PartitionQueue,
  entry: number,
  series: number,
  from: number,
  to: number,
): void {
  const words = wordsOf(core.cache, entry);
  const w = wordAt(entry);
  const low = words[w + LOW] as number;
  const high = words[w + HIGH] as number;
  let row = from;
  while (row < to) {
    const definition = openFor(core, run, q, entry, series);
    const open = q.open;
    const room = Math.max(1, Math.floor((core.maxFrameBytes - frameBytes(open)) / 32));
    const end = Math.min(to, row + room);
    reserveRows(open, end - row);
    const before = open.samples;
    for (; row < end; row++) {
      const t = run.ts[row] as number;
      if (!(t <= run.maxTime && t >= run.minTime)) {
        rejectTime(run, series, t);
        continue;
      }
      if (definition >= 0) open.boundRows.push(open.samples, definition);
      if (appendAny(open, run, row, low, high) && !hasRoom(open, core.maxFrameBytes)) {
        row++;
        break;
      }
    }
    if (open.samples > before) {
      run.accepted += open.samples - before;
      joinOpenFrame(q, run.ticket);
    }
  }
}

/** Appends a row that may have a start time or be a histogram; true when it is one. */
function appendAny(open: FrameBuilder, run: Run, row: number, low: number, high: number): boolean {
  const t = run.ts[row] as number;
  const start = run.startTs === undefined ? 0 : (run.startTs[row] as number);
  if (Math.abs(start) <= MAX_TIME_MS && start !== 0) setRowStart(open, open.samples, start);
  if (!isHistogramAt(run.words, row)) {
    appendRow(open, low, high, t, run.words[2 * row] as number, run.words[2 * row + 1] as number);
    return false;
  }
  if (run.histograms === undefined) {
    appendRow(open, low, high, t, ORDINARY_NAN_LO, ORDINARY_NAN_HI);
    return false;
  }
  appendHistogramRow(open, low, high, t, run.histograms, histogramRef(run.words, row));
  run.acceptedHistograms++;
  return true;
}

/** Counts a sample with a time that cannot be taken. */
export function rejectTime(run: Run, series: number, t: number): void {
  if (t > run.maxTime && t <= MAX_TIME_MS) {
    reject(run.rejected, "too_far_in_future", 1, () => {
      return `${run.describe(series)}: time ${new Date(t).toISOString()} is too far in the future, check the sender's clock`;
    });
  } else if (t < run.minTime && t >= -MAX_TIME_MS) {
    reject(run.rejected, "beyond_retention", 1, () => {
      return `${run.describe(series)}: time ${new Date(t).toISOString()} is before what is kept (storage.retention.raw)`;
    });
  } else {
    reject(
      run.rejected,
      "invalid_timestamp",
      1,
      () => `${run.describe(series)}: time ${t} is not a usable Unix time in ms`,
    );
  }
}
