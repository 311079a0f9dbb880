import { isHistogramWord, ORDINARY_NAN_HI, ORDINARY_NAN_LO } from "../../model/sample.ts";
import { appendRow, type FrameBuilder, reserveRows } from "../codec/frame-encode.ts";
import { MAX_TIME_MS } from "../codec/frame-layout.ts";
import { joinOpenFrame, type PartitionQueue, pump, sealFrame, type Ticket } from "../ingest/partition-queue.ts";
import { ANNOUNCED, type SeriesBook, writeDefinition } from "./series-book.ts";

export interface AppendTarget {
  readonly book: SeriesBook;
  readonly queues: readonly PartitionQueue[];
  readonly maxFrameBytes: number;
  /** A series that was not written for so long is sent with its labels again. */
  readonly idleSeconds: number;
}

/** Throws RangeError for what can never be taken: nothing of it was. */
export function checkColumns(book: SeriesBook, series: Uint32Array, ts: Float64Array | number, values: number): void {
  const n = series.length;
  if (values !== n || (typeof ts !== "number" && ts.length !== n)) {
    throw new RangeError(`${n} series, ${typeof ts === "number" ? 1 : ts.length} times, ${values} values`);
  }
  const { count } = book;
  for (let i = 0; i < n; i++) {
    if ((series[i] as number) >= count) throw new RangeError(`row ${i}: there is no series ${series[i]}`);
  }
  if (typeof ts === "number") checkTime(ts, 0);
  else {
    for (let i = 0; i < n; i++) {
      const t = ts[i] as number;
      if (Math.floor(t) !== t || t > MAX_TIME_MS || t < -MAX_TIME_MS) checkTime(t, i);
    }
  }
}

function checkTime(t: number, row: number): void {
  if (!Number.isInteger(t) || Math.abs(t) > MAX_TIME_MS) {
    throw new RangeError(`row ${row}: time ${t} is no whole number of Unix milliseconds`);
  }
}

/**
 * Puts checked columns into the open frames of their partitions: one time for all rows or one each, the values as words (two
 * a value, low first), which keeps the bits of a staleness marker.
 */
export function appendColumns(
  target: AppendTarget,
  series: Uint32Array,
  ts: Float64Array | number,
  words: Uint32Array,
  nowSeconds: number,
  ticket: Ticket,
): void {
  const { book, queues, maxFrameBytes, idleSeconds } = target;
  const { lo, hi, partition, state, used, ambiguous } = book;
  const n = series.length;
  const times = typeof ts === "number" ? undefined : ts;
  const time = typeof ts === "number" ? ts : 0;
  for (let i = 0; i < n; i++) {
    const s = series[i] as number;
    const q = queues[partition[s] as number] as PartitionQueue;
    if (!hasRoom(q.open, maxFrameBytes)) {
      sealFrame(q);
      pump(q);
    }
    const open = q.open;
    let definition = -1;
    if (state[s] !== ANNOUNCED || ambiguous[s] !== 0 || nowSeconds - (used[s] as number) >= idleSeconds) {
      definition = announce(book, q, s);
    }
    used[s] = nowSeconds;
    if (open.samples === open.ts.length) reserveRows(open, 1);
    let low = words[2 * i] as number;
    let high = words[2 * i + 1] as number;
    if (isHistogramWord(high)) {
      low = ORDINARY_NAN_LO;
      high = ORDINARY_NAN_HI;
    }
    if (definition >= 0) open.boundRows.push(open.samples, definition);
    appendRow(open, lo[s] as number, hi[s] as number, times === undefined ? time : (times[i] as number), low, high);
    if (q.openTickets[q.openTickets.length - 1] !== ticket) joinOpenFrame(q, ticket);
  }
}

function hasRoom(b: FrameBuilder, maxFrameBytes: number): boolean {
  return 24 * b.samples + b.definitionBytes < maxFrameBytes;
}

/**
 * Sends the labels of a series along, unless the open frame has them already. Returns the number of its definition when the
 * row must name it, else -1.
 */
function announce(book: SeriesBook, q: PartitionQueue, s: number): number {
  const isAmbiguous = book.ambiguous[s] !== 0;
  if (!isAmbiguous && book.state[s] === q.serial) return -1;
  const definition = writeDefinition(book, s, q.open);
  q.openDefined.push(book.lo[s] as number, book.hi[s] as number);
  book.state[s] = q.serial;
  return isAmbiguous ? definition : -1;
}
