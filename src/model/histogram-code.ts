/**
 * A native histogram as bytes: docs/format/histogram.md says what they mean. Two histograms are the same sample exactly when
 * their bytes are equal: numbers have one form each.
 */
import { grownBytes } from "../lib/grow.ts";
import { type Cursor, readVarint, VarintError, writeVarint } from "../lib/varint.ts";
import { CUSTOM_BUCKETS_SCHEMA, clearHistogram, type Histogram, makeHistogram } from "./histogram.ts";
import { type HistogramBytes, ORDINARY_NAN_HI, ORDINARY_NAN_LO, STALE_NAN_HI, STALE_NAN_LO } from "./sample.ts";

export const HISTOGRAM_CODE_VERSION = 1;
/** Longest code; a histogram of 160 buckets has some 300 bytes. */
export const MAX_HISTOGRAM_BYTES = 1 << 16;

const FLOAT = 4;
/** Zero threshold 2^(code - ONE): 2^-191 to 2^62. */
const ONE = 192;
const THRESHOLD_RAW = 255;

/** Bytes that are no histogram. */
export class HistogramCodeError extends Error {
  constructor(message: string) {
    super(`bad histogram: ${message}`);
    this.name = "HistogramCodeError";
  }
}

export function makeHistogramBytes(capacity = 0): HistogramBytes {
  return { bytes: new Uint8Array(capacity), length: 0 };
}

/** Makes room for `more` bytes behind those in use. */
function reserveHistogramBytes(into: HistogramBytes, more: number): void {
  if (into.length + more <= into.bytes.length) return;
  into.bytes = grownBytes(into.bytes, into.length, Math.max(into.length + more, 256));
}

/** Appends bytes of histograms; returns by how much references to them move. */
export function appendHistogramBytes(bytes: Uint8Array, to: HistogramBytes): number {
  reserveHistogramBytes(to, bytes.length);
  const at = to.length;
  to.bytes.set(bytes, at);
  to.length = at + bytes.length;
  return at;
}

/** The bytes in use. */
export function histogramBytes({ bytes, length }: HistogramBytes): Uint8Array {
  return bytes.subarray(0, length);
}

/** Appends a histogram's code that lies at `at`; returns where it went. */
export function copyHistogram(from: Uint8Array, at: number, into: HistogramBytes): number {
  const size = histogramSize(from, at);
  reserveHistogramBytes(into, size);
  const to = into.length;
  into.bytes.set(from.subarray(at, at + size), to);
  into.length = to + size;
  return to;
}

const word = new Float64Array(1);
const wordBytes = new Uint8Array(word.buffer);
const wordHalves = new Uint32Array(word.buffer);

/** Appends a histogram (one without a `histogramProblem`); returns where its code starts. */
export function encodeHistogram(h: Histogram, into: HistogramBytes): number {
  const { float } = h;
  reserveHistogramBytes(into, encodedBound(h));
  const { bytes } = into;
  const start = into.length;
  // The size goes before what it counts: room for three bytes, closed up at the end.
  const body = start + 3;
  let at = body;
  bytes[at++] = (HISTOGRAM_CODE_VERSION << 4) | (float ? FLOAT : 0) | h.resetHint;
  bytes[at++] = h.schema;
  at = writeThreshold(bytes, at, h.zeroThreshold);
  if (h.stale) {
    wordHalves[0] = STALE_NAN_LO;
    wordHalves[1] = STALE_NAN_HI;
    bytes.set(wordBytes, at);
    at += 8;
  } else at = writeFloat(bytes, at, h.sum);
  at = float ? writeFloat(bytes, at, h.count) : writeVarint(bytes, at, h.count);
  at = float ? writeFloat(bytes, at, h.zeroCount) : writeVarint(bytes, at, h.zeroCount);
  if (h.schema === CUSTOM_BUCKETS_SCHEMA) {
    at = writeVarint(bytes, at, h.customBounds.length);
    for (const bound of h.customBounds) at = writeFloat(bytes, at, bound);
  }
  at = writeBuckets(bytes, at, h.positiveSpans, h.positive, float);
  at = writeBuckets(bytes, at, h.negativeSpans, h.negative, float);
  const size = at - body;
  const from = writeVarint(bytes, start, size);
  bytes.copyWithin(from, body, at);
  into.length = from + size;
  return start;
}

function encodedBound(h: Histogram): number {
  const buckets = h.positive.length + h.negative.length;
  return 64 + 8 * (buckets + h.customBounds.length) + 8 * (h.positiveSpans.length + h.negativeSpans.length);
}

function writeFloat(bytes: Uint8Array, at: number, value: number): number {
  word[0] = value;
  if (Number.isNaN(value)) {
    wordHalves[0] = ORDINARY_NAN_LO;
    wordHalves[1] = ORDINARY_NAN_HI;
  }
  bytes.set(wordBytes, at);
  return at + 8;
}

function writeThreshold(bytes: Uint8Array, at: number, threshold: number): number {
  const exponent = Math.log2(threshold);
  if (Object.is(threshold, 0)) bytes[at] = 0;
  else if (
    Number.isInteger(exponent) &&
    exponent > -ONE &&
    exponent < THRESHOLD_RAW - ONE &&
    2 ** exponent === threshold
  )
    bytes[at] = exponent + ONE;
  else {
    bytes[at] = THRESHOLD_RAW;
    return writeFloat(bytes, at + 1, threshold);
  }
  return at + 1;
}

function writeBuckets(
  bytes: Uint8Array,
  start: number,
  spans: readonly number[],
  counts: readonly number[],
  float: boolean,
): number {
  let at = writeVarint(bytes, start, spans.length >> 1);
  for (let i = 0; i < spans.length; i += 2) {
    at = writeVarint(bytes, at, zigzag(spans[i] as number));
    at = writeVarint(bytes, at, spans[i + 1] as number);
  }
  let before = 0;
  for (let i = 0; i < counts.length; i++) {
    const n = counts[i] as number;
    at = float ? writeFloat(bytes, at, n) : writeVarint(bytes, at, zigzag(n - before));
    before = n;
  }
  return at;
}

const zigzag = (n: number) => (n < 0 ? -2 * n - 1 : 2 * n);
const unzigzag = (n: number) => (n % 2 === 0 ? n / 2 : -(n + 1) / 2);

const cursor: Cursor = { at: 0 };

/** Bytes of the histogram that starts at `at`, with the number that says so. Throws `HistogramCodeError`. */
export function histogramSize(bytes: Uint8Array, at: number): number {
  cursor.at = at;
  const size = number(bytes, bytes.length);
  if (size < 1 || size > MAX_HISTOGRAM_BYTES || cursor.at + size > bytes.length) {
    throw new HistogramCodeError(`${size} bytes at ${at} of ${bytes.length}`);
  }
  return cursor.at + size - at;
}

/** Whether two histograms are the same, bit by bit. */
export function equalHistograms(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  const size = histogramSize(a, aAt);
  if (size !== histogramSize(b, bAt)) return false;
  for (let i = 0; i < size; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

/** Whether the histogram at `at` is a staleness marker. Throws `HistogramCodeError`. */
export function isStaleHistogram(bytes: Uint8Array, at: number): boolean {
  const end = at + histogramSize(bytes, at);
  // Flags, the schema, the threshold; then the sum.
  cursor.at += 2;
  if (byte(bytes, end) === THRESHOLD_RAW) cursor.at += 8;
  readFloat(bytes, end);
  return wordHalves[0] === STALE_NAN_LO && wordHalves[1] === STALE_NAN_HI;
}

/** Takes the histogram at `at` apart, into `out` where it is given. Trusts nothing; throws `HistogramCodeError`. */
export function decodeHistogram(bytes: Uint8Array, at: number, out: Histogram = makeHistogram()): Histogram {
  const end = at + histogramSize(bytes, at);
  clearHistogram(out);
  const flags = byte(bytes, end);
  if (flags >>> 4 !== HISTOGRAM_CODE_VERSION || (flags & 8) !== 0) {
    throw new HistogramCodeError(`version ${flags >>> 4}, this program reads version ${HISTOGRAM_CODE_VERSION}`);
  }
  out.float = (flags & FLOAT) !== 0;
  out.resetHint = flags & 3;
  out.schema = (byte(bytes, end) << 24) >> 24;
  const code = byte(bytes, end);
  out.zeroThreshold = code === 0 ? 0 : code === THRESHOLD_RAW ? readFloat(bytes, end) : 2 ** (code - ONE);
  out.sum = readFloat(bytes, end);
  out.stale = wordHalves[0] === STALE_NAN_LO && wordHalves[1] === STALE_NAN_HI;
  out.count = out.float ? readFloat(bytes, end) : number(bytes, end);
  out.zeroCount = out.float ? readFloat(bytes, end) : number(bytes, end);
  if (out.schema === CUSTOM_BUCKETS_SCHEMA) {
    const n = number(bytes, end);
    if (8 * n > end - cursor.at) throw new HistogramCodeError(`${n} bounds in ${end - cursor.at} bytes`);
    for (let i = 0; i < n; i++) out.customBounds.push(readFloat(bytes, end));
  }
  readBuckets(bytes, end, out.positiveSpans, out.positive, out.float);
  readBuckets(bytes, end, out.negativeSpans, out.negative, out.float);
  if (cursor.at !== end) throw new HistogramCodeError(`${end - cursor.at} bytes too many`);
  return out;
}

function readBuckets(bytes: Uint8Array, end: number, spans: number[], counts: number[], float: boolean): void {
  const n = number(bytes, end);
  if (2 * n > end - cursor.at) throw new HistogramCodeError(`${n} spans in ${end - cursor.at} bytes`);
  let buckets = 0;
  for (let i = 0; i < n; i++) {
    spans.push(unzigzag(number(bytes, end)));
    const length = number(bytes, end);
    spans.push(length);
    buckets += length;
  }
  if (buckets * (float ? 8 : 1) > end - cursor.at)
    throw new HistogramCodeError(`${buckets} buckets in ${end - cursor.at} bytes`);
  let count = 0;
  for (let i = 0; i < buckets; i++) {
    count = float ? readFloat(bytes, end) : count + unzigzag(number(bytes, end));
    counts.push(count);
  }
}

function byte(bytes: Uint8Array, end: number): number {
  if (cursor.at >= end) throw new HistogramCodeError("it ends too early");
  return bytes[cursor.at++] as number;
}

/** Also leaves the bits in `wordHalves`. */
function readFloat(bytes: Uint8Array, end: number): number {
  if (cursor.at + 8 > end) throw new HistogramCodeError("it ends too early");
  for (let i = 0; i < 8; i++) wordBytes[i] = bytes[cursor.at + i] as number;
  cursor.at += 8;
  return word[0] as number;
}

function number(bytes: Uint8Array, end: number): number {
  try {
    return readVarint(bytes, cursor, end);
  } catch (error) {
    if (error instanceof VarintError) throw new HistogramCodeError(error.message);
    throw error;
  }
}
