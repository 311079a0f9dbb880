import { hash96 } from "../../lib/hash64.ts";
import { asBuffer, compareUtf8, isUtf8Range } from "../../lib/utf8.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import { type ByteArena, makeArena, reserveArena } from "../codec/byte-arena.ts";
import { type FrameBuilder, reserveDefinition, writeDefinitionHeader } from "../codec/frame-encode.ts";
import { DEFINITION_HEADER_BYTES, MAX_STRING_BYTES } from "../codec/frame-layout.ts";
import { readLength, skipField, varintEnd } from "../codec/protobuf.ts";
import { HASH_SEPARATOR, SERIES_SEED_A, SERIES_SEED_B, SERIES_SEED_C } from "../codec/series-hash.ts";
import type { RejectReason } from "./rejections.ts";

export interface LabelLimits {
  readonly maxLabelNamesPerSeries: number;
  readonly maxLabelNameBytes: number;
  readonly maxLabelValueBytes: number;
}

/** A definition of more bytes would not leave room in a message; sane series have some hundred. */
const MAX_DEFINITION_BYTES = 1 << 20;

/**
 * The slow path of a series: its label bytes read, checked and sorted, without making a string. Reused from series to
 * series; what it says about one is valid until the next call of `canonicalize`.
 */
export interface Canonical {
  /** Where names and values lie in `bytes`: four numbers a label (name start, end, value start, end), in label order. */
  spans: number[];
  bytes: Uint8Array;
  /** Series hash (low, high) and 32 independent bits of the same text. */
  readonly hash: Uint32Array;
  /** Why the series cannot be taken, with the label that is to blame; undefined when it can. */
  problem: { readonly reason: RejectReason; readonly message: string } | undefined;
  readonly text: ByteArena;
}

export function makeCanonical(): Canonical {
  return { spans: [], bytes: new Uint8Array(0), hash: new Uint32Array(3), problem: undefined, text: makeArena(4096) };
}

/** Reads the label fields in `bytes[start, end)`; true when the series can be taken, else `problem` says why not. */
export function canonicalize(
  c: Canonical,
  tenant: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: LabelLimits,
): boolean {
  c.bytes = bytes;
  c.spans.length = 0;
  c.problem = undefined;
  try {
    if (!readLabels(c.spans, bytes, start, end, limits.maxLabelNamesPerSeries)) {
      const what = `it has more than ${limits.maxLabelNamesPerSeries} labels`;
      return failed(c, "too_many_labels", `${what} (limits.max_label_names_per_series)`);
    }
  } catch (error) {
    return failed(c, "malformed_labels", error instanceof Error ? error.message : String(error));
  }
  if (!checkLabels(c, limits) || !sortLabels(c)) return false;
  if (definitionBytes(c, tenant) > MAX_DEFINITION_BYTES) {
    return failed(c, "labels_too_long", `its labels have more than ${MAX_DEFINITION_BYTES} bytes`);
  }
  hashText(c, tenant);
  return true;
}

/** False when there are more than `most` labels: the rest is not read. */
function readLabels(spans: number[], bytes: Uint8Array, start: number, end: number, most: number): boolean {
  let i = start;
  while (i < end) {
    const length = readLength(bytes, i + 1, end);
    i = varintEnd();
    const labelEnd = i + length;
    let nameStart = 0;
    let nameEnd = 0;
    let valueStart = 0;
    let valueEnd = 0;
    while (i < labelEnd) {
      const tag = bytes[i] as number;
      if (tag === 0x0a || tag === 0x12) {
        const size = readLength(bytes, i + 1, labelEnd);
        i = varintEnd();
        if (tag === 0x0a) {
          nameStart = i;
          nameEnd = i + size;
        } else {
          valueStart = i;
          valueEnd = i + size;
        }
        i += size;
      } else i = skipField(bytes, i, labelEnd);
    }
    if (spans.length === 4 * most) return false;
    spans.push(nameStart, nameEnd, valueStart, valueEnd);
  }
  return true;
}

const METRIC_NAME_BYTES = new TextEncoder().encode(METRIC_NAME);

/** Checks names and values, drops labels with empty values. */
function checkLabels(c: Canonical, limits: LabelLimits): boolean {
  const { spans, bytes } = c;
  const maxName = Math.min(limits.maxLabelNameBytes, MAX_STRING_BYTES);
  const maxValue = Math.min(limits.maxLabelValueBytes, MAX_STRING_BYTES);
  let kept = 0;
  let metric = false;
  for (let i = 0; i < spans.length; i += 4) {
    const nameStart = spans[i] as number;
    const nameEnd = spans[i + 1] as number;
    const valueStart = spans[i + 2] as number;
    const valueEnd = spans[i + 3] as number;
    if (nameEnd === nameStart) return failed(c, "empty_label_name", "a label has no name");
    if (nameEnd - nameStart > maxName) {
      const what = `label name ${show(bytes, nameStart, nameEnd)} has ${nameEnd - nameStart} bytes, the limit is ${maxName}`;
      return failed(c, "label_name_too_long", `${what} (limits.max_label_name_length)`);
    }
    if (valueEnd - valueStart > maxValue) {
      const what = `the value of label ${show(bytes, nameStart, nameEnd)} has ${valueEnd - valueStart} bytes, the limit is ${maxValue}`;
      return failed(c, "label_value_too_long", `${what} (limits.max_label_value_length)`);
    }
    if (!isUtf8Range(bytes, nameStart, nameEnd)) return failed(c, "invalid_utf8", "a label name is not UTF-8");
    if (!isUtf8Range(bytes, valueStart, valueEnd)) {
      return failed(c, "invalid_utf8", `the value of label ${show(bytes, nameStart, nameEnd)} is not UTF-8`);
    }
    if (valueEnd === valueStart) continue;
    if (compareUtf8(bytes, nameStart, nameEnd, METRIC_NAME_BYTES, 0, METRIC_NAME_BYTES.length) === 0) metric = true;
    spans[kept++] = nameStart;
    spans[kept++] = nameEnd;
    spans[kept++] = valueStart;
    spans[kept++] = valueEnd;
  }
  spans.length = kept;
  if (!metric) return failed(c, "missing_metric_name", "it has no metric name (label __name__)");
  return true;
}

/** Insertion sort: senders send sorted labels, so this only compares. */
function sortLabels(c: Canonical): boolean {
  const { spans, bytes } = c;
  for (let i = 4; i < spans.length; i += 4) {
    const a = spans[i] as number;
    const b = spans[i + 1] as number;
    const v = spans[i + 2] as number;
    const w = spans[i + 3] as number;
    let k = i - 4;
    for (; k >= 0; k -= 4) {
      const order = compareUtf8(bytes, spans[k] as number, spans[k + 1] as number, bytes, a, b);
      if (order === 0) return failed(c, "duplicate_label_name", `label ${show(bytes, a, b)} stands twice`);
      if (order < 0) break;
      spans[k + 4] = spans[k] as number;
      spans[k + 5] = spans[k + 1] as number;
      spans[k + 6] = spans[k + 2] as number;
      spans[k + 7] = spans[k + 3] as number;
    }
    spans[k + 4] = a;
    spans[k + 5] = b;
    spans[k + 6] = v;
    spans[k + 7] = w;
  }
  return true;
}

/** The series hash over the canonical text: see docs/format/frame.md. */
function hashText(c: Canonical, tenant: Uint8Array): void {
  const { spans, bytes, text } = c;
  let size = tenant.length + 1;
  for (let i = 0; i < spans.length; i += 2) size += (spans[i + 1] as number) - (spans[i] as number) + 1;
  reserveArena(text, size, 0);
  const to = text.bytes;
  to.set(tenant);
  let end = tenant.length;
  to[end++] = HASH_SEPARATOR;
  for (let i = 0; i < spans.length; i += 2) {
    for (let k = spans[i] as number; k < (spans[i + 1] as number); k++) to[end++] = bytes[k] as number;
    to[end++] = HASH_SEPARATOR;
  }
  hash96(text.view, 0, end, SERIES_SEED_A, SERIES_SEED_B, SERIES_SEED_C, c.hash, 0);
}

/** Size of the definition of the series in a frame. */
export function definitionBytes(c: Canonical, tenant: Uint8Array): number {
  return DEFINITION_HEADER_BYTES + c.spans.length + textBytes(c, tenant);
}

function textBytes(c: Canonical, tenant: Uint8Array): number {
  let size = tenant.length;
  for (let i = 0; i < c.spans.length; i += 2) size += (c.spans[i + 1] as number) - (c.spans[i] as number);
  return size;
}

/** Appends the definition of the series to a frame; returns its number there. */
export function writeDefinition(b: FrameBuilder, c: Canonical, tenant: Uint8Array): number {
  const { spans, bytes } = c;
  const at = reserveDefinition(b, definitionBytes(c, tenant));
  const to = b.definitions;
  const labels = spans.length / 4;
  const [low, high] = c.hash as unknown as [number, number];
  let lengths = writeDefinitionHeader(to, at, low, high, labels, tenant.length, textBytes(c, tenant));
  let end = lengths + 4 * labels;
  to.set(tenant, end);
  end += tenant.length;
  for (let i = 0; i < spans.length; i += 2) {
    const from = spans[i] as number;
    const length = (spans[i + 1] as number) - from;
    to[lengths++] = length;
    to[lengths++] = length >>> 8;
    for (let k = 0; k < length; k++) to[end++] = bytes[from + k] as number;
  }
  b.definitionBytes = end;
  return b.definitionCount++;
}

/** `{a="b", ...}` of the series as far as it can be read, shortened, for messages. */
export function showSeries(c: Canonical): string {
  const pairs: string[] = [];
  for (let i = 0; i < c.spans.length && pairs.join().length < 200; i += 4) {
    const name = asBuffer(c.bytes).toString(
      "utf8",
      c.spans[i],
      Math.min(c.spans[i + 1] as number, (c.spans[i] as number) + 80),
    );
    pairs.push(`${name}=${show(c.bytes, c.spans[i + 2] as number, c.spans[i + 3] as number)}`);
  }
  return `{${pairs.join(", ")}}`;
}

function show(bytes: Uint8Array, start: number, end: number): string {
  const text = asBuffer(bytes).toString("utf8", start, Math.min(end, start + 80));
  return JSON.stringify(end - start > 80 ? `${text}…` : text);
}

function failed(c: Canonical, reason: RejectReason, message: string): false {
  c.problem = { reason, message };
  return false;
}
