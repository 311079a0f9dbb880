/**
 * The parts of a frame that are records, not columns, because there are few of them: exemplars and metadata
 * (docs/format/frame.md). Written by the gateway from bytes, without making strings; read with every byte checked.
 */

import { isUtf8 } from "node:buffer";
import { grownBytes } from "../../lib/grow.ts";
import { asBuffer } from "../../lib/utf8.ts";
import { FrameError, MAX_TIME_MS } from "./frame-layout.ts";

export const EXEMPLAR_HEADER_BYTES = 32;
export const METADATA_HEADER_BYTES = 12;

/** Records one behind another, in memory that is reused. */
export interface FrameRecords {
  count: number;
  length: number;
  bytes: Uint8Array;
}

export function makeFrameRecords(): FrameRecords {
  return { count: 0, length: 0, bytes: new Uint8Array(0) };
}

export function clearRecords(records: FrameRecords): void {
  records.count = 0;
  records.length = 0;
}

/** Ranges of text in someone's bytes: names and values in turn, two numbers (start, end) each. */
export interface TextSpans {
  readonly bytes: Uint8Array;
  readonly spans: readonly number[];
}

function reserve(records: FrameRecords, more: number): DataView {
  const need = records.length + more;
  if (need > records.bytes.length) records.bytes = grownBytes(records.bytes, records.length, Math.max(need, 1024));
  return new DataView(records.bytes.buffer);
}

/** Appends an exemplar of a series: `definition` is the number of the definition that names it, -1 when its hash does. */
export function writeExemplar(
  to: FrameRecords,
  series: { readonly low: number; readonly high: number; readonly definition: number },
  ts: number,
  valueLow: number,
  valueHigh: number,
  labels: TextSpans,
): void {
  const { spans } = labels;
  const count = spans.length / 4;
  const text = textBytes(spans);
  const size = EXEMPLAR_HEADER_BYTES + 4 * count + text;
  const view = reserve(to, size);
  const at = to.length;
  view.setUint32(at, series.low, true);
  view.setUint32(at + 4, series.high, true);
  view.setFloat64(at + 8, ts, true);
  view.setUint32(at + 16, valueLow, true);
  view.setUint32(at + 20, valueHigh, true);
  view.setUint32(at + 24, series.definition + 1, true);
  view.setUint16(at + 28, count, true);
  view.setUint16(at + 30, text, true);
  writeTexts(to.bytes, view, at + EXEMPLAR_HEADER_BYTES, labels);
  to.length += size;
  to.count++;
}

function textBytes(spans: readonly number[]): number {
  let n = 0;
  for (let i = 0; i < spans.length; i += 2) n += (spans[i + 1] as number) - (spans[i] as number);
  return n;
}

/** Lengths as u16, then the texts. */
function writeTexts(into: Uint8Array, view: DataView, start: number, { bytes, spans }: TextSpans): void {
  let lengths = start;
  let end = start + spans.length;
  for (let i = 0; i < spans.length; i += 2) {
    const from = spans[i] as number;
    const length = (spans[i + 1] as number) - from;
    view.setUint16(lengths, length, true);
    lengths += 2;
    for (let k = 0; k < length; k++) into[end++] = bytes[from + k] as number;
  }
}

/** Exemplars of a frame: record i is `bytes[at[i], at[i + 1])` of the frame, checked. */
export interface FrameExemplars {
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly at: readonly number[];
}

export const NO_EXEMPLARS: FrameExemplars = { count: 0, bytes: new Uint8Array(0), at: [0] };

/** Checks the section in `bytes[start, end)`. Throws `FrameError`. */
export function readExemplars(bytes: Uint8Array, start: number, end: number, definitions: number): FrameExemplars {
  if (start === end) return NO_EXEMPLARS;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = [start];
  let i = start;
  while (i < end) {
    const labels = i + EXEMPLAR_HEADER_BYTES <= end ? view.getUint16(i + 28, true) : 0;
    const size =
      i + EXEMPLAR_HEADER_BYTES <= end ? EXEMPLAR_HEADER_BYTES + 4 * labels + view.getUint16(i + 30, true) : 0;
    if (size === 0 || i + size > end) throw new FrameError("record", `exemplar ${at.length - 1} is cut off`);
    const t = view.getFloat64(i + 8, true);
    if (!(Math.abs(t) <= MAX_TIME_MS) || t !== Math.floor(t)) throw new FrameError("time", `time ${t} of an exemplar`);
    if (view.getUint32(i + 24, true) > definitions) throw new FrameError("record", "an exemplar of no definition");
    checkTexts(bytes, view, i + EXEMPLAR_HEADER_BYTES, 2 * labels, i + size);
    i += size;
    at.push(i);
  }
  return { count: at.length - 1, bytes, at };
}

/** `texts` lengths and then texts that end at `end`, each UTF-8. */
function checkTexts(bytes: Uint8Array, view: DataView, lengths: number, texts: number, end: number): void {
  let i = lengths + 2 * texts;
  if (!isUtf8(bytes.subarray(i, end))) throw new FrameError("utf8", "text of a record");
  for (let k = 0; k < texts; k++) {
    if (i < end && ((bytes[i] as number) & 0xc0) === 0x80) throw new FrameError("utf8", "text of a record");
    i += view.getUint16(lengths + 2 * k, true);
  }
  if (i !== end) throw new FrameError("record", "texts are longer or shorter than their record");
}

/** Types of a metric family, by their numbers in the wire formats. */
export const METRIC_TYPES = [
  "unknown",
  "counter",
  "gauge",
  "histogram",
  "gaugehistogram",
  "summary",
  "info",
  "stateset",
] as const;
export type MetricType = (typeof METRIC_TYPES)[number];

export interface FrameMetadata {
  readonly tenant: string;
  readonly family: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}

/** Appends metadata; `texts` are tenant, family, help and unit, each at most 65535 bytes. */
export function writeMetadata(to: FrameRecords, type: number, texts: readonly Uint8Array[]): void {
  const size = METADATA_HEADER_BYTES + texts.reduce((n, t) => n + t.length, 0);
  const view = reserve(to, size);
  const at = to.length;
  view.setUint8(at, type);
  view.setUint8(at + 1, 0);
  view.setUint16(at + 2, 0, true);
  let end = at + METADATA_HEADER_BYTES;
  for (let k = 0; k < 4; k++) {
    const text = texts[k] as Uint8Array;
    view.setUint16(at + 4 + 2 * k, text.length, true);
    to.bytes.set(text, end);
    end += text.length;
  }
  to.length = end;
  to.count++;
}

/** Reads the section in `bytes[start, end)`. Throws `FrameError`. */
export function readMetadata(bytes: Uint8Array, start: number, end: number): FrameMetadata[] {
  const out: FrameMetadata[] = [];
  if (start === end) return out;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = asBuffer(bytes);
  let i = start;
  while (i < end) {
    let size = METADATA_HEADER_BYTES;
    if (i + size <= end) for (let k = 0; k < 4; k++) size += view.getUint16(i + 4 + 2 * k, true);
    if (i + size > end) throw new FrameError("record", `metadata ${out.length} is cut off`);
    let from = i + METADATA_HEADER_BYTES;
    checkTexts(bytes, view, i + 4, 4, i + size);
    const strings: string[] = [];
    for (let k = 0; k < 4; k++) {
      const length = view.getUint16(i + 4 + 2 * k, true);
      strings.push(text.toString("utf8", from, from + length));
      from += length;
    }
    const [tenant, family, help, unit] = strings as [string, string, string, string];
    if (tenant === "" || family === "") throw new FrameError("record", `metadata ${out.length} without a name`);
    out.push({ tenant, family, type: METRIC_TYPES[view.getUint8(i)] ?? "unknown", help, unit });
    i += size;
  }
  return out;
}
