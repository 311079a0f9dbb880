import { Buffer } from "node:buffer";
import { grownBytes } from "../../lib/grow.ts";
import { copyHistogram, makeHistogramBytes } from "../../model/histogram-code.ts";
import type { Labels } from "../../model/labels.ts";
import { type HistogramBytes, writeHistogramRef } from "../../model/sample.ts";
import {
  DEFINITION_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_VERSION,
  MAX_LABELS,
  MAX_STRING_BYTES,
  SECTION_BOUND_ROWS,
  SECTION_CRITICAL,
  SECTION_DEFINITIONS,
  SECTION_ENTRY_BYTES,
  SECTION_EXEMPLARS,
  SECTION_HASH_HI,
  SECTION_HASH_LO,
  SECTION_HISTOGRAMS,
  SECTION_METADATA,
  SECTION_START_TIMES,
  SECTION_TIME,
  SECTION_TIME_DELTA,
  SECTION_VALUES,
} from "./frame-layout.ts";
import { clearRecords, type FrameRecords, makeFrameRecords } from "./frame-records.ts";

/**
 * A frame under construction: columns that grow, reused for frame after frame.
 *
 * Invariants: the first `samples` entries of each column are filled (`words` has two, low word first, so that the bits
 * of a NaN survive); the first `definitionBytes` bytes of `definitions` are whole definition records; `startTs` is 0 where
 * no start time was set.
 */
export interface FrameBuilder {
  samples: number;
  hashLo: Uint32Array;
  hashHi: Uint32Array;
  ts: Float64Array;
  words: Uint32Array;
  definitionCount: number;
  definitionBytes: number;
  definitions: Uint8Array;
  /** Pairs of (sample row, definition number) for rows whose hash alone does not name the series. */
  boundRows: number[];
  /** FRAME_BACKFILL or 0. */
  flags: number;
  /** Bytes of the histograms: a tagged value of a row is an offset in them. */
  readonly histograms: HistogramBytes;
  /** Start times of rows, only when `hasStart`; as long as `ts` then. */
  startTs: Float64Array;
  hasStart: boolean;
  readonly exemplars: FrameRecords;
  readonly metadata: FrameRecords;
}

export function makeFrameBuilder(capacity: number): FrameBuilder {
  return {
    samples: 0,
    hashLo: new Uint32Array(capacity),
    hashHi: new Uint32Array(capacity),
    ts: new Float64Array(capacity),
    words: new Uint32Array(2 * capacity),
    definitionCount: 0,
    definitionBytes: 0,
    definitions: new Uint8Array(4096),
    boundRows: [],
    flags: 0,
    histograms: makeHistogramBytes(),
    startTs: new Float64Array(0),
    hasStart: false,
    exemplars: makeFrameRecords(),
    metadata: makeFrameRecords(),
  };
}

/** Empties the builder; its memory and its flags stay. */
export function clearFrame(b: FrameBuilder): void {
  if (b.hasStart) b.startTs.fill(0, 0, b.samples);
  b.hasStart = false;
  b.histograms.length = 0;
  clearRecords(b.exemplars);
  clearRecords(b.metadata);
  b.samples = 0;
  b.definitionCount = 0;
  b.definitionBytes = 0;
  b.boundRows.length = 0;
}

/** An upper bound of the size of the encoded frame in bytes. */
export function frameBytes(b: FrameBuilder): number {
  return FRAME_HEADER_BYTES + 11 * (SECTION_ENTRY_BYTES + 8) + contentBytes(b) + 4 * b.boundRows.length;
}

/** What the builder holds, about, in bytes. */
export function contentBytes(b: FrameBuilder): number {
  const records = b.exemplars.length + b.metadata.length;
  return (b.hasStart ? 32 : 24) * b.samples + b.definitionBytes + b.histograms.length + records;
}

/** Whether there is nothing to send. */
export function isEmptyFrame(b: FrameBuilder): boolean {
  return b.samples === 0 && b.exemplars.count === 0 && b.metadata.count === 0;
}

/** Makes room for `more` samples. */
export function reserveRows(b: FrameBuilder, more: number): void {
  const need = b.samples + more;
  if (need <= b.ts.length) return;
  const size = Math.max(need, 2 * b.ts.length);
  b.hashLo = grown(b.hashLo, new Uint32Array(size));
  b.hashHi = grown(b.hashHi, new Uint32Array(size));
  b.words = grown(b.words, new Uint32Array(2 * size));
  b.ts = grownFloats(b.ts, size);
  if (b.startTs.length > 0) b.startTs = grownFloats(b.startTs, size);
}

function grownFloats(from: Float64Array, size: number): Float64Array {
  const to = new Float64Array(size);
  to.set(from);
  return to;
}

function grown(from: Uint32Array, to: Uint32Array): Uint32Array {
  to.set(from);
  return to;
}

/** Appends a sample; room for it must be there (`reserveRows`). `ts` is whole Unix milliseconds. */
export function appendRow(
  b: FrameBuilder,
  hashLo: number,
  hashHi: number,
  ts: number,
  low: number,
  high: number,
): void {
  const i = b.samples;
  b.hashLo[i] = hashLo;
  b.hashHi[i] = hashHi;
  b.ts[i] = ts;
  b.words[2 * i] = low;
  b.words[2 * i + 1] = high;
  b.samples = i + 1;
}

/** Appends a histogram whose code lies in `from` at `at`; room for a row must be there. */
export function appendHistogramRow(
  b: FrameBuilder,
  hashLo: number,
  hashHi: number,
  ts: number,
  from: Uint8Array,
  at: number,
): void {
  const i = b.samples;
  appendRow(b, hashLo, hashHi, ts, 0, 0);
  writeHistogramRef(b.words, i, copyHistogram(from, at, b.histograms));
}

/** Sets the start time (Unix ms) of a row that was appended. */
export function setRowStart(b: FrameBuilder, row: number, start: number): void {
  if (b.startTs.length < b.ts.length) b.startTs = grownFloats(b.startTs, b.ts.length);
  b.startTs[row] = start;
  b.hasStart = true;
}

/** Makes room for a definition of `bytes` bytes and returns where to write it. */
export function reserveDefinition(b: FrameBuilder, bytes: number): number {
  const need = b.definitionBytes + bytes;
  if (need > b.definitions.length) b.definitions = grownBytes(b.definitions, b.definitionBytes, need);
  return b.definitionBytes;
}

/** Appends a sample given by a number: for callers outside of the hot path. A NaN becomes the ordinary one. */
export function addSample(b: FrameBuilder, hash: { lo: number; hi: number }, ts: number, value: number): void {
  reserveRows(b, 1);
  one[0] = value;
  appendRow(b, hash.lo, hash.hi, ts, oneWords[0] as number, oneWords[1] as number);
}

const one = new Float64Array(1);
const oneWords = new Uint32Array(one.buffer);

/** Appends a definition given by strings; `labels` is a valid label set. Returns its number in the frame. */
export function addDefinition(
  b: FrameBuilder,
  hash: { lo: number; hi: number },
  tenant: string,
  labels: Labels,
): number {
  const tenantBytes = Buffer.byteLength(tenant);
  const count = labels.length / 2;
  let text = tenantBytes;
  for (const s of labels) text += Buffer.byteLength(s);
  const at = reserveDefinition(b, DEFINITION_HEADER_BYTES + 4 * count + text);
  const out = Buffer.from(b.definitions.buffer, b.definitions.byteOffset, b.definitions.byteLength);
  let lengths = writeDefinitionHeader(b.definitions, at, hash.lo, hash.hi, count, tenantBytes, text);
  let end = lengths + 4 * count;
  end += out.write(tenant, end);
  for (const s of labels) {
    const n = out.write(s, end);
    if (n > MAX_STRING_BYTES) throw new RangeError(`label of ${n} bytes: a frame holds at most ${MAX_STRING_BYTES}`);
    out.writeUInt16LE(n, lengths);
    lengths += 2;
    end += n;
  }
  b.definitionBytes = end;
  return b.definitionCount++;
}

/** Writes the fixed part of a definition at `at`; returns where its length table starts. `text`: bytes of all strings. */
export function writeDefinitionHeader(
  into: Uint8Array,
  at: number,
  hashLo: number,
  hashHi: number,
  labels: number,
  tenantBytes: number,
  text: number,
): number {
  if (labels > MAX_LABELS) throw new RangeError(`${labels} labels: a frame holds at most ${MAX_LABELS}`);
  if (tenantBytes > MAX_STRING_BYTES) throw new RangeError(`tenant of ${tenantBytes} bytes`);
  writeU32(into, at, hashLo);
  writeU32(into, at + 4, hashHi);
  writeU32(into, at + 8, DEFINITION_HEADER_BYTES + 4 * labels + text);
  into[at + 12] = labels;
  into[at + 13] = labels >>> 8;
  into[at + 14] = tenantBytes;
  into[at + 15] = tenantBytes >>> 8;
  return at + DEFINITION_HEADER_BYTES;
}

function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}

/** Encodes the builder's content into new memory. The builder is left as it is. */
export function encodeFrame(b: FrameBuilder): Uint8Array {
  const n = b.samples;
  const base = n > 0 ? (b.ts[0] as number) : 0;
  const times = timeSection(b.ts, n, base);
  const sections: [type: number, bytes: number][] = [];
  if (b.definitionCount > 0) sections.push([SECTION_DEFINITIONS, b.definitionBytes]);
  if (n > 0) sections.push([SECTION_HASH_LO, 4 * n], [SECTION_HASH_HI, 4 * n]);
  if (times !== 0) sections.push([times, (times === SECTION_TIME ? 8 : 4) * n]);
  if (n > 0) sections.push([SECTION_VALUES, 8 * n]);
  if (b.boundRows.length > 0) sections.push([SECTION_BOUND_ROWS, 4 * b.boundRows.length]);
  if (b.histograms.length > 0) sections.push([SECTION_HISTOGRAMS, b.histograms.length]);
  if (b.hasStart) sections.push([SECTION_START_TIMES, 8 * n]);
  if (b.exemplars.count > 0) sections.push([SECTION_EXEMPLARS, b.exemplars.length]);
  if (b.metadata.count > 0) sections.push([SECTION_METADATA, b.metadata.length]);

  const headerBytes = FRAME_HEADER_BYTES + SECTION_ENTRY_BYTES * sections.length;
  let size = headerBytes;
  for (const [, bytes] of sections) size = align8(size) + bytes;
  const frame = Buffer.allocUnsafeSlow(align8(size)).fill(0, 0, headerBytes);
  const view = new DataView(frame.buffer);
  view.setUint32(0, FRAME_MAGIC, true);
  view.setUint16(4, FRAME_VERSION, true);
  view.setUint16(6, headerBytes, true);
  view.setUint32(8, frame.length, true);
  view.setUint32(12, b.definitionCount, true);
  view.setUint32(16, n, true);
  view.setUint16(20, sections.length, true);
  view.setUint16(22, b.flags, true);
  view.setFloat64(24, base, true);
  let at = headerBytes;
  for (let s = 0; s < sections.length; s++) {
    const [type, bytes] = sections[s] as [number, number];
    const offset = align8(at);
    frame.fill(0, at, offset);
    const entry = FRAME_HEADER_BYTES + SECTION_ENTRY_BYTES * s;
    view.setUint16(entry, type, true);
    view.setUint16(entry + 2, type <= SECTION_HISTOGRAMS ? SECTION_CRITICAL : 0, true);
    view.setUint32(entry + 4, offset, true);
    view.setUint32(entry + 8, bytes, true);
    writeSection(b, type, frame.buffer, offset, base);
    at = offset + bytes;
  }
  frame.fill(0, at);
  return frame;
}

/** The narrowest column that holds the times: none when all are equal. */
function timeSection(ts: Float64Array, n: number, base: number): number {
  let min = base;
  let max = base;
  for (let i = 0; i < n; i++) {
    const t = ts[i] as number;
    if (t < min) min = t;
    else if (t > max) max = t;
  }
  if (min === max) return 0;
  return max - base <= 0x7fffffff && base - min <= 0x7fffffff ? SECTION_TIME_DELTA : SECTION_TIME;
}

function writeSection(b: FrameBuilder, type: number, frame: ArrayBufferLike, offset: number, base: number): void {
  const n = b.samples;
  switch (type) {
    case SECTION_DEFINITIONS:
      new Uint8Array(frame, offset).set(b.definitions.subarray(0, b.definitionBytes));
      return;
    case SECTION_HASH_LO:
      new Uint32Array(frame, offset, n).set(b.hashLo.subarray(0, n));
      return;
    case SECTION_HASH_HI:
      new Uint32Array(frame, offset, n).set(b.hashHi.subarray(0, n));
      return;
    case SECTION_TIME_DELTA: {
      const deltas = new Int32Array(frame, offset, n);
      const ts = b.ts;
      for (let i = 0; i < n; i++) deltas[i] = (ts[i] as number) - base;
      return;
    }
    case SECTION_TIME:
      new Float64Array(frame, offset, n).set(b.ts.subarray(0, n));
      return;
    case SECTION_VALUES:
      new Uint32Array(frame, offset, 2 * n).set(b.words.subarray(0, 2 * n));
      return;
    case SECTION_BOUND_ROWS:
      new Uint32Array(frame, offset, b.boundRows.length).set(b.boundRows);
      return;
    case SECTION_HISTOGRAMS:
      new Uint8Array(frame, offset).set(b.histograms.bytes.subarray(0, b.histograms.length));
      return;
    case SECTION_START_TIMES:
      new Float64Array(frame, offset, n).set(b.startTs.subarray(0, n));
      return;
    case SECTION_EXEMPLARS:
      new Uint8Array(frame, offset).set(b.exemplars.bytes.subarray(0, b.exemplars.length));
      return;
    case SECTION_METADATA:
      new Uint8Array(frame, offset).set(b.metadata.bytes.subarray(0, b.metadata.length));
      return;
  }
}

function align8(n: number): number {
  return (n + 7) & ~7;
}
