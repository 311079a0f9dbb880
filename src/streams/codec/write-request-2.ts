import { doubled } from "../../lib/grow.ts";
import { beginMetadata, pushExemplar, pushExemplarText, pushText, tooMuch } from "./batch-extras.ts";
import { reserveArena } from "./byte-arena.ts";
import { malformed, readInt64, readLength, readUint64, skipField, varintEnd } from "./protobuf.ts";
import { type HashSeeds, pushSeries, type SampleBatch, setStart } from "./sample-batch.ts";
import { scanHistogram } from "./wire-histogram.ts";
import { scanSample } from "./write-request.ts";

/**
 * The protobuf message of Prometheus's remote write 2.0 (io.prometheus.write.v2.Request): all strings stand once in a table, the
 * series refer to them.
 *
 *     Request    { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
 *     TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3;
 *                  repeated Exemplar exemplars = 4; Metadata metadata = 5; int64 created_timestamp = 6; }
 *     Sample     { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
 *     Exemplar   { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
 *     Metadata   { MetricType type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
 *
 * `created_timestamp` is how release candidates of 2.0 said the start of all samples of a series; 2.0 says it of each sample.
 */

/**
 * What a request may name. A reference of one byte may name a text of many: without a bound a small body would take all memory.
 * The usual request of a thousand series names less than a megabyte.
 */
const MAX_LABEL_BYTES = 64 << 20;
const MAX_SYMBOLS = 1 << 22;
/** Of one series or exemplar. */
const MAX_REFS = 1 << 16;

/** The strings of the request: where they lie in `source.bytes`. Reused from request to request. */
const symbols: { count: number; start: Uint32Array; end: Uint32Array } = {
  count: 0,
  start: new Uint32Array(1024),
  end: new Uint32Array(1024),
};
const refs: number[] = [];
/** What was said of a metric name (by its symbol) in this request already. */
const said = new Map<number, number>();
let labelsAt = 0;
let created = 0;
const meta = { type: 0, help: 0, unit: 0, there: false };

/**
 * Reads the request in the first `size` bytes of `batch.source` into the batch; the labels of its series go to the batch's arena as
 * label fields of remote write 1.0, so that everything behind is the same for both. Throws `MalformedBody`.
 */
export function scanWriteRequest2(batch: SampleBatch, size: number, seeds: HashSeeds): void {
  const { bytes } = batch.source;
  readSymbols(bytes, size);
  said.clear();
  labelsAt = 0;
  let number = 0;
  let i = 0;
  while (i < size) {
    if (bytes[i] !== 0x2a) {
      i = skipField(bytes, i, size);
      continue;
    }
    const length = readLength(bytes, i + 1, size);
    i = varintEnd();
    scanSeries(batch, i, i + length, number++, seeds);
    i += length;
  }
}

function readSymbols(bytes: Uint8Array, size: number): void {
  symbols.count = 0;
  let i = 0;
  while (i < size) {
    const tag = bytes[i] as number;
    if (tag !== 0x22) {
      if (tag === 0x0a) throw malformed(i, "this looks like a remote write 1.0 message, sent as one of 2.0");
      i = skipField(bytes, i, size);
      continue;
    }
    const length = readLength(bytes, i + 1, size);
    i = varintEnd();
    if (symbols.count === MAX_SYMBOLS) throw tooMuch(`${MAX_SYMBOLS} symbols`);
    if (symbols.count === symbols.start.length) {
      symbols.start = doubled(symbols.start);
      symbols.end = doubled(symbols.end);
    }
    symbols.start[symbols.count] = i;
    i += length;
    symbols.end[symbols.count++] = i;
  }
}

function scanSeries(batch: SampleBatch, start: number, end: number, number: number, seeds: HashSeeds): void {
  const { bytes } = batch.source;
  const { exemplars } = batch.extras;
  const before = batch.samples;
  const exemplarsBefore = exemplars.series.length;
  refs.length = 0;
  created = 0;
  meta.there = false;
  let i = start;
  while (i < end) {
    const tag = bytes[i] as number;
    switch (tag) {
      case 0x0a:
      case 0x08:
        i = readRefs(bytes, i, end, refs);
        break;
      case 0x12:
      case 0x1a:
      case 0x22:
      case 0x2a: {
        const length = readLength(bytes, i + 1, end);
        i = varintEnd();
        if (tag === 0x12) scanSample(batch, batch.source, i, i + length, true);
        else if (tag === 0x1a) scanHistogram(batch, batch.source, i, i + length, number);
        else if (tag === 0x22) scanExemplar(batch, i, i + length);
        else readMeta(bytes, i, i + length);
        i += length;
        break;
      }
      case 0x30:
        created = readInt64(bytes, i + 1, end);
        i = varintEnd();
        break;
      default:
        i = skipField(bytes, i, end);
    }
  }
  if (refs.length % 2 !== 0) throw malformed(start, `a series has ${refs.length} references to label names and values`);
  if (created !== 0) {
    for (let row = before; row < batch.samples; row++) {
      if (!batch.hasStart || batch.startTs[row] === 0) setStart(batch, row, created);
    }
  }
  if (meta.there) pushMeta(batch);
  if (batch.samples === before && exemplars.series.length === exemplarsBefore) return;
  const from = labelsAt;
  writeLabels(batch);
  pushSeries(batch, from, labelsAt, number, seeds);
}

/** References to symbols, packed or one by one; each is checked. */
function readRefs(bytes: Uint8Array, start: number, end: number, into: number[]): number {
  let i = start + 1;
  let listEnd = start + 2;
  let bound = end;
  if (bytes[start] === 0x0a) {
    const length = readLength(bytes, i, end);
    i = varintEnd();
    listEnd = i + length;
    bound = listEnd;
  }
  while (i < listEnd) {
    let ref = bytes[i] as number;
    if (ref < 0x80 && i < bound) i++;
    else {
      ref = readUint64(bytes, i, bound);
      i = varintEnd();
    }
    if (ref >= symbols.count) throw malformed(start, `symbol ${ref} of ${symbols.count} is referred to`);
    if (into.length === MAX_REFS) throw tooMuch(`${MAX_REFS} references to names and values of one series`);
    into.push(ref);
  }
  return i;
}

/** Writes the labels that `refs` name as label fields at `labelsAt`. */
function writeLabels(batch: SampleBatch): void {
  const { start, end } = symbols;
  const source = batch.source.bytes;
  let room = 0;
  for (let k = 0; k < refs.length; k++)
    room += 9 + (end[refs[k] as number] as number) - (start[refs[k] as number] as number);
  if (labelsAt + room > MAX_LABEL_BYTES) throw tooMuch(`${MAX_LABEL_BYTES} bytes of labels`);
  reserveArena(batch.arena, labelsAt + room, labelsAt);
  const to = batch.arena.bytes;
  let at = labelsAt;
  for (let k = 0; k < refs.length; k += 2) {
    const nameAt = start[refs[k] as number] as number;
    const nameSize = (end[refs[k] as number] as number) - nameAt;
    const valueAt = start[refs[k + 1] as number] as number;
    const valueSize = (end[refs[k + 1] as number] as number) - valueAt;
    to[at] = 0x0a;
    at = writeSize(to, at + 1, nameSize + valueSize + 2 + sizeLength(nameSize) + sizeLength(valueSize));
    to[at] = 0x0a;
    at = writeSize(to, at + 1, nameSize);
    for (let b = 0; b < nameSize; b++) to[at + b] = source[nameAt + b] as number;
    at += nameSize;
    to[at] = 0x12;
    at = writeSize(to, at + 1, valueSize);
    for (let b = 0; b < valueSize; b++) to[at + b] = source[valueAt + b] as number;
    at += valueSize;
  }
  labelsAt = at;
}

function writeSize(bytes: Uint8Array, start: number, size: number): number {
  let at = start;
  let v = size;
  for (; v >= 0x80; v >>>= 7) bytes[at++] = v | 0x80;
  bytes[at++] = v;
  return at;
}

function sizeLength(size: number): number {
  return size < 0x80 ? 1 : size < 0x4000 ? 2 : size < 0x20_0000 ? 3 : size < 0x1000_0000 ? 4 : 5;
}

const exemplarRefs: number[] = [];

function scanExemplar(batch: SampleBatch, start: number, end: number): void {
  const { bytes, view } = batch.source;
  exemplarRefs.length = 0;
  let low = 0;
  let high = 0;
  let ts = 0;
  let i = start;
  while (i < end) {
    const tag = bytes[i] as number;
    if (tag === 0x0a || tag === 0x08) i = readRefs(bytes, i, end, exemplarRefs);
    else if (tag === 0x11) {
      if (i + 9 > end) throw malformed(i, "a value is cut off");
      low = view.getUint32(i + 1, true);
      high = view.getUint32(i + 5, true);
      i += 9;
    } else if (tag === 0x18) {
      ts = readInt64(bytes, i + 1, end);
      i = varintEnd();
    } else i = skipField(bytes, i, end);
  }
  if (exemplarRefs.length % 2 !== 0) throw malformed(start, "an exemplar has a label without a value");
  for (const ref of exemplarRefs) {
    pushExemplarText(batch.extras, bytes, symbols.start[ref] as number, symbols.end[ref] as number);
  }
  pushExemplar(batch.extras, batch.series, ts, low, high);
}

function readMeta(bytes: Uint8Array, start: number, end: number): void {
  meta.type = 0;
  meta.help = 0;
  meta.unit = 0;
  let i = start;
  while (i < end) {
    const tag = bytes[i] as number;
    if (tag === 0x08 || tag === 0x18 || tag === 0x20) {
      const n = readUint64(bytes, i + 1, end);
      i = varintEnd();
      if (tag === 0x08) meta.type = n;
      else {
        if (n >= symbols.count) throw malformed(start, `symbol ${n} of ${symbols.count} is referred to`);
        if (tag === 0x18) meta.help = n;
        else meta.unit = n;
      }
    } else i = skipField(bytes, i, end);
  }
  // Nothing known is nothing said.
  meta.there = meta.type !== 0 || meta.help !== 0 || meta.unit !== 0;
}

const NAME = new TextEncoder().encode("__name__");

/** Adds the metadata of the series' family, once a request. */
function pushMeta(batch: SampleBatch): void {
  const { bytes } = batch.source;
  for (let k = 0; k < refs.length; k += 2) {
    if (!sameBytes(bytes, refs[k] as number, NAME)) continue;
    const name = refs[k + 1] as number;
    const what = meta.type + 8 * (meta.help + symbols.count * meta.unit);
    if (said.get(name) === what) return;
    said.set(name, what);
    const { extras } = batch;
    beginMetadata(extras, meta.type);
    const start = symbols.start[name] as number;
    const at = pushText(extras, bytes, start, familyEnd(bytes, start, symbols.end[name] as number, meta.type));
    extras.metadata.spans.push(at, extras.textLength);
    for (const ref of [meta.help, meta.unit]) {
      const text = pushText(extras, bytes, symbols.start[ref] as number, symbols.end[ref] as number);
      extras.metadata.spans.push(text, extras.textLength);
    }
    return;
  }
}

function sameBytes(bytes: Uint8Array, ref: number, text: Uint8Array): boolean {
  const at = symbols.start[ref] as number;
  if ((symbols.end[ref] as number) - at !== text.length) return false;
  for (let k = 0; k < text.length; k++) if (bytes[at + k] !== text[k]) return false;
  return true;
}

/** Suffixes of the series of a family, by the number of its type: histogram, gauge histogram, summary. */
const SUFFIXES: Readonly<Record<number, readonly Uint8Array[]>> = {
  3: ["_bucket", "_count", "_sum"].map((s) => new TextEncoder().encode(s)),
  4: ["_bucket", "_gcount", "_gsum"].map((s) => new TextEncoder().encode(s)),
  5: ["_count", "_sum"].map((s) => new TextEncoder().encode(s)),
};

function familyEnd(bytes: Uint8Array, start: number, end: number, type: number): number {
  for (const suffix of SUFFIXES[type] ?? []) {
    const at = end - suffix.length;
    if (at > start && suffix.every((b, k) => bytes[at + k] === b)) return at;
  }
  return end;
}
