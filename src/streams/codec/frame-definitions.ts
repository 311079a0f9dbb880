/**
 * The definitions of a frame: checked, and their strings set out as they are hashed. Whoever takes them into the head needs
 * no JavaScript strings; these are made when somebody asks for them.
 */
import { isUtf8 } from "node:buffer";
import { hash96 } from "../../lib/hash64.ts";
import { asBuffer, compareUtf8 } from "../../lib/utf8.ts";
import type { Labels } from "../../model/labels.ts";
import { DEFINITION_HEADER_BYTES, FrameError } from "./frame-layout.ts";
import { HASH_SEPARATOR, SERIES_SEED_A, SERIES_SEED_B, SERIES_SEED_C } from "./series-hash.ts";

export interface FrameDefinition {
  /** Unsigned 32-bit halves of the series hash. */
  readonly hashLo: number;
  readonly hashHi: number;
  readonly tenant: string;
  readonly labels: Labels;
}

/** Numbers of a definition in `words`: the hash that the frame gives it, and the three words of the one that it has. */
export const DEFINITION_WORDS = 5;
export const GIVEN_LO = 0;
export const GIVEN_HI = 1;
export const REAL_LO = 2;
export const REAL_HI = 3;
export const CHECK = 4;

/** Definitions of a frame, in memory that the next frame's take over. */
export interface DefinitionTexts {
  count: number;
  /** The strings of all one behind another, a separator after each: string k is bytes[at[k], at[k + 1] - 1). A plain array. */
  bytes: Uint8Array;
  at: Uint32Array;
  /** Definition d has the strings [first[d], first[d + 1]): its tenant, then names and values by turns. */
  first: Uint32Array;
  /** DEFINITION_WORDS of each. */
  words: Uint32Array;
}

export function makeDefinitionTexts(): DefinitionTexts {
  return {
    count: 0,
    bytes: new Uint8Array(0),
    at: new Uint32Array(1),
    first: new Uint32Array(1),
    words: new Uint32Array(0),
  };
}

/** Reads and checks the `count` definitions in frame[start, end). Throws `FrameError`. */
export function readDefinitions(
  frame: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  count: number,
  out: DefinitionTexts,
): void {
  out.count = 0;
  if (count === 0 && start === end) return;
  // Before memory is taken for them: each has at least its header.
  if (count * DEFINITION_HEADER_BYTES > end - start) {
    throw new FrameError("definition", `${count} definitions in ${end - start} bytes`);
  }
  reserve(out, count, end - start);
  const text = new DataView(out.bytes.buffer);
  const { at, first, words } = out;
  let from = start;
  let strings = 0;
  let length = 0;
  for (let d = 0; d < count; d++) {
    const size = end - from >= DEFINITION_HEADER_BYTES ? view.getUint32(from + 8, true) : 0;
    const labels = size > 0 ? view.getUint16(from + 12, true) : 0;
    if (size < DEFINITION_HEADER_BYTES + 4 * labels || from + size > end) {
      throw new FrameError("definition", `definition ${d} of ${size} bytes with ${labels} labels`);
    }
    first[d] = strings;
    at[strings] = length;
    length = copyStrings(frame, view, from, size, labels, d, out, strings);
    checkLabels(out, strings, labels, d);
    const w = d * DEFINITION_WORDS;
    words[w] = view.getUint32(from, true);
    words[w + GIVEN_HI] = view.getUint32(from + 4, true);
    hash96(text, at[strings] as number, length, SERIES_SEED_A, SERIES_SEED_B, SERIES_SEED_C, words, w + REAL_LO);
    strings += 1 + 2 * labels;
    from += size;
  }
  if (from !== end) throw new FrameError("definition", `${end - from} bytes after the last definition`);
  first[count] = strings;
  at[strings] = length;
  out.count = count;
}

function reserve(out: DefinitionTexts, count: number, bytes: number): void {
  // A label has a length of four bytes and two separators, a definition one more.
  if (out.bytes.length < bytes) out.bytes = new Uint8Array(Math.max(bytes, 2 * out.bytes.length));
  if (out.at.length <= bytes >> 1) out.at = new Uint32Array(Math.max((bytes >> 1) + 1, 2 * out.at.length));
  if (out.first.length <= count) {
    const room = Math.max(count, 2 * out.first.length);
    out.first = new Uint32Array(room + 1);
    out.words = new Uint32Array(DEFINITION_WORDS * room);
  }
}

/** Copies the strings of a definition and sets their places from `string` on; returns where they end. */
function copyStrings(
  frame: Uint8Array,
  view: DataView,
  from: number,
  size: number,
  labels: number,
  number: number,
  out: DefinitionTexts,
  string: number,
): number {
  const { bytes, at } = out;
  const end = from + size;
  const lengths = from + DEFINITION_HEADER_BYTES;
  let i = lengths + 4 * labels;
  let to = at[string] as number;
  let high = 0;
  let length = view.getUint16(from + 14, true);
  for (let k = 0; ; ) {
    const stop = i + length;
    if (stop > end) throw new FrameError("definition", `strings of definition ${number} are longer than it`);
    // The text as a whole is UTF-8 and no string starts inside a character: so each string is UTF-8.
    if (i < end && ((frame[i] as number) & 0xc0) === 0x80) throw notUtf8(number);
    for (; i < stop; i++) {
      const byte = frame[i] as number;
      high |= byte;
      bytes[to++] = byte;
    }
    bytes[to++] = HASH_SEPARATOR;
    at[string + ++k] = to;
    if (k > 2 * labels) break;
    length = view.getUint16(lengths + 2 * (k - 1), true);
  }
  if (i !== end) throw new FrameError("definition", `definition ${number} has ${end - i} bytes too many`);
  if (high >= 0x80 && !isUtf8(frame.subarray(lengths + 4 * labels, end))) throw notUtf8(number);
  return to;
}

function notUtf8(number: number): FrameError {
  return new FrameError("utf8", `text of definition ${number}`);
}

/** A tenant, names that ascend, and no empty value. */
function checkLabels({ bytes, at }: DefinitionTexts, first: number, labels: number, number: number): void {
  let from = at[first] as number;
  let to = at[first + 1] as number;
  if (to - from === 1) throw new FrameError("definition", `definition ${number} is of no tenant`);
  for (let k = first + 1; k <= first + 2 * labels; k += 2) {
    const name = at[k] as number;
    const value = at[k + 1] as number;
    const ascends = k === first + 1 ? value - name > 1 : compareUtf8(bytes, from, to - 1, bytes, name, value - 1) < 0;
    if (!ascends || (at[k + 2] as number) - value === 1) {
      const text = JSON.stringify(asBuffer(bytes).toString("utf8", name, value - 1));
      throw new FrameError("definition", `labels of definition ${number} are empty or out of order at ${text}`);
    }
    from = name;
    to = value;
  }
}

/** A definition's strings. */
export function definitionAt({ bytes, at, first, words }: DefinitionTexts, d: number): FrameDefinition {
  const text = asBuffer(bytes);
  const strings: string[] = [];
  for (let k = first[d] as number; k < (first[d + 1] as number); k++) {
    strings.push(text.toString("utf8", at[k] as number, (at[k + 1] as number) - 1));
  }
  const [tenant, ...labels] = strings as [string, ...string[]];
  const w = d * DEFINITION_WORDS;
  return { hashLo: words[w] as number, hashHi: words[w + GIVEN_HI] as number, tenant, labels };
}
