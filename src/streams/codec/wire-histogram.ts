/**
 * The native histogram of remote write, the same in 1.0 and 2.0 but for the last field:
 *
 *     Histogram {
 *       oneof count { uint64 count_int = 1; double count_float = 2; }
 *       double sum = 3; sint32 schema = 4; double zero_threshold = 5;
 *       oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
 *       repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
 *       repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
 *       ResetHint reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16; int64 start_timestamp = 17;
 *     }
 *     BucketSpan { sint32 offset = 1; uint32 length = 2; }
 */
import { clearHistogram, type Histogram, MAX_SCHEMA, makeHistogram } from "../../model/histogram.ts";
import { STALE_NAN_HI, STALE_NAN_LO, writeHistogramRef } from "../../model/sample.ts";
import { refuseSample } from "./batch-extras.ts";
import type { ByteArena } from "./byte-arena.ts";
import { malformed, readInt64, readLength, readUint64, skipField, unzigzag, varintEnd } from "./protobuf.ts";
import { growSamples, type SampleBatch, setStart } from "./sample-batch.ts";
import { isOnlySent, mergeBuckets } from "./wire-histogram-resolution.ts";
import { storeHistogram, unstorable } from "./wire-histogram-stored.ts";

interface WireHistogram {
  readonly h: Histogram;
  ts: number;
  startTs: number;
  /** Counts as they came: differences of whole numbers, or floats. */
  readonly deltas: { readonly positive: number[]; readonly negative: number[] };
}

const wire: WireHistogram = { h: makeHistogram(), ts: 0, startTs: 0, deltas: { positive: [], negative: [] } };

/** Field and wire type of a tag of at most two bytes; the position behind it in `varintEnd`. */
const TAG_CUSTOM_VALUES = (16 << 3) | 2;
const TAG_CUSTOM_VALUE = (16 << 3) | 1;
const TAG_START = 17 << 3;

/**
 * Reads the histogram in `arena.bytes[start, end)` and appends it to the batch as a row. One that cannot be stored is left out and
 * counted with its reason; `number` is that of its series in the request. Throws `MalformedBody` where the message breaks.
 */
export function scanHistogram(batch: SampleBatch, arena: ByteArena, start: number, end: number, number: number): void {
  readWireHistogram(arena, start, end);
  const { h } = wire;
  const finer = isOnlySent(h.schema) ? h.schema - MAX_SCHEMA : 0;
  h.schema -= finer;
  const problem = unstorable(h);
  if (problem !== undefined) {
    refuseSample(batch.extras, number, problem);
    return;
  }
  if (finer > 0) mergeBuckets(h, finer);
  growSamples(batch);
  const n = batch.samples++;
  batch.histogramRows++;
  batch.ts[n] = wire.ts;
  writeHistogramRef(batch.words, n, storeHistogram(h, batch.histograms));
  if (wire.startTs !== 0) setStart(batch, n, wire.startTs);
}

function readWireHistogram(arena: ByteArena, start: number, end: number): void {
  const { bytes, view } = arena;
  const { h, deltas } = wire;
  clearHistogram(h);
  wire.ts = 0;
  wire.startTs = 0;
  deltas.positive.length = 0;
  deltas.negative.length = 0;
  let i = start;
  while (i < end) {
    const at = i;
    const tag = readUint64(bytes, i, end);
    i = varintEnd();
    switch (tag) {
      case 0x08:
      case 0x30: {
        const n = readUint64(bytes, i, end);
        i = varintEnd();
        if (tag === 0x08) {
          h.count = n;
          h.float = false;
        } else h.zeroCount = n;
        break;
      }
      case 0x11:
      case 0x19:
      case 0x29:
      case 0x39: {
        if (i + 8 > end) throw malformed(at, "a number of a histogram is cut off");
        const value = view.getFloat64(i, true);
        if (tag === 0x11) {
          h.count = value;
          h.float = true;
        } else if (tag === 0x19) {
          h.sum = value;
          h.stale = view.getUint32(i, true) === STALE_NAN_LO && view.getUint32(i + 4, true) === STALE_NAN_HI;
        } else if (tag === 0x29) h.zeroThreshold = value;
        else h.zeroCount = value;
        i += 8;
        break;
      }
      case 0x20:
        h.schema = unzigzag(readUint64(bytes, i, end));
        i = varintEnd();
        break;
      case 0x70:
        h.resetHint = readUint64(bytes, i, end) & 3;
        i = varintEnd();
        break;
      case 0x78:
        wire.ts = readInt64(bytes, i, end);
        i = varintEnd();
        break;
      case TAG_START:
        wire.startTs = readInt64(bytes, i, end);
        i = varintEnd();
        break;
      case 0x42:
        i = readSpan(bytes, i, end, h.negativeSpans);
        break;
      case 0x5a:
        i = readSpan(bytes, i, end, h.positiveSpans);
        break;
      case 0x4a:
      case 0x48:
        i = readDeltas(bytes, i, end, tag === 0x4a, deltas.negative);
        break;
      case 0x62:
      case 0x60:
        i = readDeltas(bytes, i, end, tag === 0x62, deltas.positive);
        break;
      case 0x52:
      case 0x51:
        i = readFloats(arena, i, end, tag === 0x52, h.negative);
        break;
      case 0x6a:
      case 0x69:
        i = readFloats(arena, i, end, tag === 0x6a, h.positive);
        break;
      case TAG_CUSTOM_VALUES:
      case TAG_CUSTOM_VALUE:
        i = readFloats(arena, i, end, tag === TAG_CUSTOM_VALUES, h.customBounds);
        break;
      default:
        i = skipField(bytes, at, end);
    }
  }
  if (h.float) return;
  sumUp(deltas.negative, h.negative);
  sumUp(deltas.positive, h.positive);
}

function sumUp(deltas: readonly number[], counts: number[]): void {
  counts.length = 0;
  let n = 0;
  for (const delta of deltas) {
    n += delta;
    counts.push(n);
  }
}

function readSpan(bytes: Uint8Array, start: number, end: number, spans: number[]): number {
  const length = readLength(bytes, start, end);
  let i = varintEnd();
  const spanEnd = i + length;
  let offset = 0;
  let buckets = 0;
  while (i < spanEnd) {
    const tag = bytes[i] as number;
    if (tag === 0x08 || tag === 0x10) {
      const n = readUint64(bytes, i + 1, spanEnd);
      i = varintEnd();
      if (tag === 0x08) offset = unzigzag(n);
      else buckets = n;
    } else i = skipField(bytes, i, spanEnd);
  }
  spans.push(offset, buckets);
  return spanEnd;
}

function readDeltas(bytes: Uint8Array, start: number, end: number, packed: boolean, into: number[]): number {
  let i = start;
  let listEnd = start + 1;
  if (packed) {
    const length = readLength(bytes, start, end);
    i = varintEnd();
    listEnd = i + length;
  }
  while (i < listEnd) {
    into.push(unzigzag(readUint64(bytes, i, packed ? listEnd : end)));
    i = varintEnd();
  }
  return i;
}

function readFloats({ bytes, view }: ByteArena, start: number, end: number, packed: boolean, into: number[]): number {
  let i = start;
  let listEnd = start + 8;
  if (packed) {
    const length = readLength(bytes, start, end);
    i = varintEnd();
    listEnd = i + length;
  }
  if (listEnd > end || (listEnd - i) % 8 !== 0) throw malformed(start, "numbers of a histogram are cut off");
  for (; i < listEnd; i += 8) into.push(view.getFloat64(i, true));
  return i;
}
