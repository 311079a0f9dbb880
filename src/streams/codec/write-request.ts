import { MalformedBody } from "../../model/ingest.ts";
import { growSamples, type HashSeeds, pushSeries, type SampleBatch } from "./sample-batch.ts";

/**
 * The protobuf message of Prometheus's remote write 1.0 (prometheus.WriteRequest), read by hand: no object and no string
 * is made, the labels of a series stay bytes.
 *
 *     WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
 *     TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
 *     Label        { string name = 1; string value = 2; }
 *     Sample       { double value = 1; int64 timestamp = 2; }
 *
 * Fields may come in any order, unknown ones are skipped, as protobuf asks for.
 */

/** Where a varint or a skipped field ended. */
let cursor = 0;

/**
 * Reads the request in the first `size` bytes of the batch's arena into the batch. Exemplars and metadata are skipped,
 * native histograms counted. Throws `MalformedBody` naming the byte at which the message breaks.
 */
export function scanWriteRequest(batch: SampleBatch, size: number, seeds: HashSeeds): void {
  const bytes = batch.arena.bytes;
  let i = 0;
  let number = 0;
  while (i < size) {
    const tag = bytes[i] as number;
    if (tag !== 0x0a) {
      if (tag === 0x22 || tag === 0x2a) {
        throw malformed(i, "this looks like a remote write 2.0 message, sent as one of 1.0");
      }
      i = skipField(bytes, i, size);
      continue;
    }
    const length = readLength(bytes, i + 1, size);
    i = cursor;
    scanSeries(batch, i, i + length, number++, seeds);
    i += length;
  }
}

function scanSeries(batch: SampleBatch, start: number, end: number, number: number, seeds: HashSeeds): void {
  const bytes = batch.arena.bytes;
  let i = start;
  // The usual encoding: all labels, then all samples.
  while (i < end && bytes[i] === 0x0a) {
    const length = bytes[i + 1] as number;
    if (length < 0x80 && i + 1 < end) i += 2 + length;
    else {
      const long = readLength(bytes, i + 1, end);
      i = cursor + long;
    }
  }
  if (i > end) throw malformed(start, "a label runs over the end of its series");
  let labelsEnd = i;
  const before = batch.samples;
  while (i < end) {
    const tag = bytes[i] as number;
    if (tag === 0x12) {
      const length = readLength(bytes, i + 1, end);
      i = cursor;
      scanSample(batch, i, i + length);
      i += length;
    } else if (tag === 0x0a) {
      // Labels after samples: moved to the others. What they overwrite has been read.
      const length = readLength(bytes, i + 1, end);
      const next = cursor + length;
      bytes.copyWithin(labelsEnd, i, next);
      labelsEnd += next - i;
      i = next;
    } else {
      if (tag === 0x22) {
        if (batch.firstHistogram < 0) batch.firstHistogram = number;
        batch.histograms++;
      }
      i = skipField(bytes, i, end);
    }
  }
  if (batch.samples > before) pushSeries(batch, start, labelsEnd, number, seeds);
}

function scanSample(batch: SampleBatch, start: number, end: number): void {
  const bytes = batch.arena.bytes;
  const view = batch.arena.view;
  growSamples(batch);
  const n = batch.samples;
  let low = 0;
  let high = 0;
  let ts = 0;
  // Value, then a time of six bytes (the years 1971 to 2109), and nothing else: nearly all samples.
  if (
    end - start === 16 &&
    bytes[start] === 0x09 &&
    bytes[start + 9] === 0x10 &&
    (bytes[start + 15] as number) < 0x80
  ) {
    low = view.getUint32(start + 1, true);
    high = view.getUint32(start + 5, true);
    const w = view.getUint32(start + 10, true);
    if ((w & 0x80808080) === (0x80808080 | 0) && (bytes[start + 14] as number) >= 0x80) {
      ts =
        ((w & 0x7f) | ((w >>> 1) & 0x3f80) | ((w >>> 2) & 0x1fc000) | ((w >>> 3) & 0xfe00000)) +
        (((bytes[start + 14] as number) & 0x7f) | ((bytes[start + 15] as number) << 7)) * 0x10000000;
      batch.ts[n] = ts;
      batch.words[2 * n] = low;
      batch.words[2 * n + 1] = high;
      batch.samples = n + 1;
      return;
    }
    low = 0;
    high = 0;
  }
  let i = start;
  while (i < end) {
    const tag = bytes[i] as number;
    if (tag === 0x09) {
      if (i + 9 > end) throw malformed(i, "a value is cut off");
      low = view.getUint32(i + 1, true);
      high = view.getUint32(i + 5, true);
      i += 9;
    } else if (tag === 0x10) {
      ts = readInt64(bytes, i + 1, end);
      i = cursor;
    } else i = skipField(bytes, i, end);
  }
  batch.ts[n] = ts;
  batch.words[2 * n] = low;
  batch.words[2 * n + 1] = high;
  batch.samples = n + 1;
}

/** Reads a length whose bytes must lie before `end`; `cursor` is where they start. */
export function readLength(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    if (i >= end || factor > 2 ** 28) throw malformed(start, "a length cannot be read");
    const byte = bytes[i++] as number;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  if (value > end - i) throw malformed(start, `a length of ${value} runs over the end`);
  cursor = i;
  return value;
}

/** Where the last varint ended. */
export function varintEnd(): number {
  return cursor;
}

/** Reads a 64-bit two's complement varint as a number, NaN beyond 2^53. */
function readInt64(bytes: Uint8Array, start: number, end: number): number {
  let low = 0;
  let middle = 0;
  let high = 0;
  let i = start;
  for (let k = 0; ; k++) {
    if (i >= end || k === 10) throw malformed(start, "a time cannot be read");
    const byte = bytes[i++] as number;
    const bits = byte & 0x7f;
    if (k < 4) low |= bits << (7 * k);
    else if (k < 8) middle |= bits << (7 * (k - 4));
    else high |= bits << (7 * (k - 8));
    if (byte < 0x80) break;
  }
  cursor = i;
  high &= 0xff;
  const negative = high >= 0x80;
  if (negative) {
    // Small negative numbers have all high bits set: complement first, so that no bit is rounded away.
    low = ~low & 0xfffffff;
    middle = ~middle & 0xfffffff;
    high = ~high & 0xff;
  }
  const value = low + middle * 2 ** 28 + high * 2 ** 56;
  if (value >= Number.MAX_SAFE_INTEGER) return Number.NaN;
  return negative ? -value - 1 : value;
}

/** Skips the field whose tag is at `start`; returns where the next one is. */
export function skipField(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  // The field's number is not needed, its wire type stands in the first byte.
  for (let k = 0; (bytes[i] as number) >= 0x80; k++, i++)
    if (i + 1 >= end || k === 4) throw malformed(start, "a tag is cut off");
  i++;
  switch ((bytes[start] as number) & 7) {
    case 0:
      for (let k = 0; ; k++, i++) {
        if (i >= end || k === 10) throw malformed(start, "a number is cut off");
        if ((bytes[i] as number) < 0x80) return i + 1;
      }
    case 1:
      i += 8;
      break;
    case 2: {
      const length = readLength(bytes, i, end);
      return cursor + length;
    }
    case 5:
      i += 4;
      break;
    default:
      throw malformed(start, `wire type ${(bytes[start] as number) & 7} is not allowed`);
  }
  if (i > end) throw malformed(start, "a field is cut off");
  return i;
}

function malformed(at: number, what: string): MalformedBody {
  return new MalformedBody("malformed_protobuf", `not a remote write message: at byte ${at}, ${what}`);
}
