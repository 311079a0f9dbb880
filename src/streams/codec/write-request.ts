import { isHistogramWord, ORDINARY_NAN_HI, ORDINARY_NAN_LO } from "../../model/sample.ts";
import { beginMetadata, pushExemplar, pushExemplarText, pushText } from "./batch-extras.ts";
import type { ByteArena } from "./byte-arena.ts";
import { malformed, readInt64, readLength, readUint64, skipField, varintEnd } from "./protobuf.ts";
import { growSamples, type HashSeeds, pushSeries, type SampleBatch, setStart } from "./sample-batch.ts";
import { scanHistogram } from "./wire-histogram.ts";

/**
 * The protobuf message of Prometheus's remote write 1.0 (prometheus.WriteRequest), read by hand: no object and no string
 * is made, the labels of a series stay bytes.
 *
 *     WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
 *     TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
 *     Label        { string name = 1; string value = 2; }
 *     Sample       { double value = 1; int64 timestamp = 2; }
 *     Exemplar     { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
 *     MetricMetadata { MetricType type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
 *
 * Fields may come in any order, unknown ones are skipped, as protobuf asks for.
 */

/**
 * Reads the request in the first `size` bytes of the batch's arena into the batch. Throws `MalformedBody` naming the byte at which the message breaks.
 */
export function scanWriteRequest(batch: SampleBatch, size: number, seeds: HashSeeds): void {
  const bytes = batch.arena.bytes;
  let number = 0;
  for (let i = 0; i < size; ) {
    const isSeries = bytes[i] === 0x0a;
    i = scanTopField(batch, i, size, number, seeds);
    if (isSeries) number++;
  }
}

/** Scans the field of the request that starts at byte `i`; returns where the next one does. `number` is that of the next series. */
export function scanTopField(batch: SampleBatch, i: number, size: number, number: number, seeds: HashSeeds): number {
  const bytes = batch.arena.bytes;
  const tag = bytes[i] as number;
  if (tag === 0x22 || tag === 0x2a) {
    throw malformed(i, "this looks like a remote write 2.0 message, sent as one of 1.0");
  }
  if (tag !== 0x0a && tag !== 0x1a) return skipField(bytes, i, size);
  const length = readLength(bytes, i + 1, size);
  const start = varintEnd();
  if (tag === 0x0a) scanSeries(batch, start, start + length, number, seeds);
  else scanMetadata(batch, start, start + length);
  return start + length;
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
      i = varintEnd() + long;
    }
  }
  if (i > end) throw malformed(start, "a label runs over the end of its series");
  let labelsEnd = i;
  const { exemplars } = batch.extras;
  const before = batch.samples;
  const exemplarsBefore = exemplars.series.length;
  while (i < end) {
    const tag = bytes[i] as number;
    if (tag === 0x12) {
      const length = readLength(bytes, i + 1, end);
      i = varintEnd();
      scanSample(batch, batch.arena, i, i + length, false);
      i += length;
    } else if (tag === 0x0a) {
      // Labels after samples: moved to the others. What they overwrite has been read.
      const length = readLength(bytes, i + 1, end);
      const next = varintEnd() + length;
      bytes.copyWithin(labelsEnd, i, next);
      labelsEnd += next - i;
      i = next;
    } else if (tag === 0x22 || tag === 0x1a) {
      const length = readLength(bytes, i + 1, end);
      i = varintEnd();
      if (tag === 0x22) scanHistogram(batch, batch.arena, i, i + length, number);
      else scanExemplar(batch, i, i + length);
      i += length;
    } else i = skipField(bytes, i, end);
  }
  if (batch.samples > before || exemplars.series.length > exemplarsBefore) {
    pushSeries(batch, start, labelsEnd, number, seeds);
  }
}

/**
 * Appends the Sample in `arena.bytes[start, end)` to the batch. `starts`: field 3 is its start time, as in remote write 2.0.
 */
export function scanSample(batch: SampleBatch, arena: ByteArena, start: number, end: number, starts: boolean): void {
  const { bytes, view } = arena;
  growSamples(batch);
  const n = batch.samples;
  // Value, then a time of six bytes (the years 1971 to 2109), and nothing else: nearly all samples.
  if (
    end - start === 16 &&
    bytes[start] === 0x09 &&
    bytes[start + 9] === 0x10 &&
    (bytes[start + 15] as number) < 0x80
  ) {
    let low = view.getUint32(start + 1, true);
    let high = view.getUint32(start + 5, true);
    if (isHistogramWord(high)) {
      low = ORDINARY_NAN_LO;
      high = ORDINARY_NAN_HI;
    }
    const w = view.getUint32(start + 10, true);
    if ((w & 0x80808080) === (0x80808080 | 0) && (bytes[start + 14] as number) >= 0x80) {
      batch.ts[n] =
        ((w & 0x7f) | ((w >>> 1) & 0x3f80) | ((w >>> 2) & 0x1fc000) | ((w >>> 3) & 0xfe00000)) +
        (((bytes[start + 14] as number) & 0x7f) | ((bytes[start + 15] as number) << 7)) * 0x10000000;
      batch.words[2 * n] = low;
      batch.words[2 * n + 1] = high;
      batch.samples = n + 1;
      return;
    }
  }
  scanSampleFields(batch, arena, start, end, starts);
}

/** A sample in any encoding: fields in any order, absent, or unknown. */
function scanSampleFields(
  batch: SampleBatch,
  { bytes, view }: ByteArena,
  start: number,
  end: number,
  starts: boolean,
): void {
  const n = batch.samples;
  let low = 0;
  let high = 0;
  let ts = 0;
  let startTs = 0;
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
      i = varintEnd();
    } else if (tag === 0x18 && starts) {
      startTs = readInt64(bytes, i + 1, end);
      i = varintEnd();
    } else i = skipField(bytes, i, end);
  }
  if (startTs !== 0) setStart(batch, n, startTs);
  const looksTagged = isHistogramWord(high);
  batch.ts[n] = ts;
  batch.words[2 * n] = looksTagged ? ORDINARY_NAN_LO : low;
  batch.words[2 * n + 1] = looksTagged ? ORDINARY_NAN_HI : high;
  batch.samples = n + 1;
}

function scanExemplar(batch: SampleBatch, start: number, end: number): void {
  const { bytes, view } = batch.arena;
  let low = 0;
  let high = 0;
  let ts = 0;
  let i = start;
  while (i < end) {
    const tag = bytes[i] as number;
    if (tag === 0x0a) {
      const length = readLength(bytes, i + 1, end);
      i = varintEnd();
      scanExemplarLabel(batch, i, i + length);
      i += length;
    } else if (tag === 0x11) {
      if (i + 9 > end) throw malformed(i, "a value is cut off");
      low = view.getUint32(i + 1, true);
      high = view.getUint32(i + 5, true);
      i += 9;
    } else if (tag === 0x18) {
      ts = readInt64(bytes, i + 1, end);
      i = varintEnd();
    } else i = skipField(bytes, i, end);
  }
  pushExemplar(batch.extras, batch.series, ts, low, high);
}

function scanExemplarLabel(batch: SampleBatch, start: number, end: number): void {
  const { bytes } = batch.arena;
  const spans = [0, 0, 0, 0];
  let i = start;
  while (i < end) {
    const tag = bytes[i] as number;
    if (tag === 0x0a || tag === 0x12) {
      const length = readLength(bytes, i + 1, end);
      i = varintEnd();
      const to = tag === 0x0a ? 0 : 2;
      spans[to] = i;
      spans[to + 1] = i + length;
      i += length;
    } else i = skipField(bytes, i, end);
  }
  pushExemplarText(batch.extras, bytes, spans[0] as number, spans[1] as number);
  pushExemplarText(batch.extras, bytes, spans[2] as number, spans[3] as number);
}

function scanMetadata(batch: SampleBatch, start: number, end: number): void {
  const { bytes } = batch.arena;
  const { extras } = batch;
  // Family, help and unit: fields 2, 4 and 5.
  const spans = [0, 0, 0, 0, 0, 0];
  let type = 0;
  let i = start;
  while (i < end) {
    const tag = bytes[i] as number;
    if (tag === 0x08) {
      type = readUint64(bytes, i + 1, end);
      i = varintEnd();
    } else if (tag === 0x12 || tag === 0x22 || tag === 0x2a) {
      const length = readLength(bytes, i + 1, end);
      i = varintEnd();
      const to = tag === 0x12 ? 0 : tag === 0x22 ? 2 : 4;
      spans[to] = i;
      spans[to + 1] = i + length;
      i += length;
    } else i = skipField(bytes, i, end);
  }
  beginMetadata(extras, type);
  for (let k = 0; k < 6; k += 2) {
    const at = pushText(extras, bytes, spans[k] as number, spans[k + 1] as number);
    extras.metadata.spans.push(at, extras.textLength);
  }
}
