/**
 * Text that is written straight to bytes: what goes out in large amounts (points of query answers) makes no string of its own.
 * The writer's memory is filled again and again; what was written is taken before that.
 */
import { formatSampleValue } from "./float-format.ts";
import { BELOW, type Digits, findDigits, LEAST } from "./shortest-digits.ts";

export interface TextBytes {
  bytes: Buffer;
  /** Of the same bytes. */
  view: DataView;
  length: number;
}

export function makeTextBytes(capacity = 65_536): TextBytes {
  const bytes = Buffer.allocUnsafe(capacity);
  return { bytes, view: viewOf(bytes), length: 0 };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Makes room for so many bytes more. */
export function reserve(out: TextBytes, more: number): void {
  if (out.length + more <= out.bytes.length) return;
  const larger = Buffer.allocUnsafe(Math.max(out.length + more, 2 * out.bytes.length));
  out.bytes.copy(larger, 0, 0, out.length);
  out.bytes = larger;
  out.view = viewOf(larger);
}

/** What has been written, as a copy; the writer is empty then. */
export function takeBytes(out: TextBytes): Buffer {
  const taken = Buffer.from(out.bytes.subarray(0, out.length));
  out.length = 0;
  return taken;
}

/** Any text, as UTF-8. */
export function writeText(out: TextBytes, text: string): void {
  // A call of the encoder costs more than a few characters do.
  if (text.length <= 16 && writeAscii(out, text)) return;
  reserve(out, 3 * text.length);
  out.length += out.bytes.write(text, out.length);
}

const MINUS = 45;
const POINT = 46;
const ZERO = 48;
/** The most that a sample value takes: `-2.2250738585072014e-308`. */
export const VALUE_ROOM = 32;

/** A float as `formatSampleValue` has it, in ASCII. */
export function writeSampleValue(out: TextBytes, v: number): void {
  reserve(out, VALUE_ROOM);
  const end = putSampleValue(out, out.length, v);
  if (end < 0) writeAscii(out, formatSampleValue(v));
  else out.length = end;
}

/**
 * Writes a value from `at` on, where there must be VALUE_ROOM bytes, and tells where it ends; -1 when nothing was written, as
 * only `formatSampleValue` can tell it.
 */
export function putSampleValue({ bytes, view }: TextBytes, at: number, v: number): number {
  const abs = v < 0 ? -v : v;
  let start = at;
  if (v < 0) bytes[start++] = MINUS;
  if ((abs | 0) === abs) return abs === 0 && Object.is(v, -0) ? -1 : putWhole(view, start, abs);
  // Measurements of few decimals are told by trying: no two texts of up to 15 digits read as the same float, and the shorter counts.
  const thousandths = Math.floor(abs * 1e3 + 0.5);
  if (thousandths / 1e3 === abs && thousandths <= MOST_WHOLE && thousandths > 0) {
    const whole = (thousandths / 1e3) | 0;
    const end = putWhole(view, start, whole);
    view.setUint32(end, FOUR_DIGITS[thousandths - 1e3 * whole] as number, true);
    bytes[end] = POINT;
    return withoutZeros(bytes, end + 4);
  }
  if (!(abs >= LEAST && abs < BELOW) || !findDigits(abs, digits)) return -1;
  return putFound(bytes, view, start, digits);
}

const digits: Digits = { high: 0, low: 0, exponent: 0 };
const MOST_WHOLE = 2 ** 31 - 1;

/** The numbers below 10,000 as four digits, to be written as a little-endian word. */
const FOUR_DIGITS = Uint32Array.from({ length: 10_000 }, (_, n) => {
  const digit = (unit: number): number => ZERO + (Math.floor(n / unit) % 10);
  return digit(1000) | (digit(100) << 8) | (digit(10) << 16) | (digit(1) << 24);
});

/** A whole number up to MOST_WHOLE; what is behind its end may be overwritten. */
function putWhole(view: DataView, at: number, n: number): number {
  const whole = n | 0;
  if (whole < 10_000) return putShort(view, at, whole);
  const upper = (whole / 10_000) | 0;
  const end = putWhole(view, at, upper);
  view.setUint32(end, FOUR_DIGITS[whole - 10_000 * upper] as number, true);
  return end + 4;
}

function putShort(view: DataView, at: number, n: number): number {
  const missing = n < 100 ? (n < 10 ? 3 : 2) : n < 1000 ? 1 : 0;
  view.setUint32(at, (FOUR_DIGITS[n] as number) >>> (8 * missing), true);
  return at + 4 - missing;
}

/** The digits with the point where it belongs, without the zeros at their end. */
function putFound(bytes: Uint8Array, view: DataView, at: number, { high, low, exponent }: Digits): number {
  let start = at;
  let whole = exponent + 1;
  if (whole <= 0) {
    bytes[start++] = ZERO;
    bytes[start++] = POINT;
    for (; whole < 0; whole++) bytes[start++] = ZERO;
    start--;
  }
  // All of them one place further on than the first belongs; those in front of the point are moved back.
  const upper = (high / 1e4) | 0;
  const first = (upper / 1e4) | 0;
  const middle = (low / 1e4) | 0;
  bytes[start + 1] = ZERO + first;
  view.setUint32(start + 2, FOUR_DIGITS[upper - 1e4 * first] as number, true);
  view.setUint32(start + 6, FOUR_DIGITS[high - 1e4 * upper] as number, true);
  view.setUint32(start + 10, FOUR_DIGITS[middle] as number, true);
  view.setUint32(start + 14, FOUR_DIGITS[low - 1e4 * middle] as number, true);
  if (exponent >= 0) {
    for (let i = 0; i < whole; i++) bytes[start + i] = bytes[start + i + 1] as number;
    bytes[start + whole] = POINT;
  }
  return withoutZeros(bytes, low === 0 && whole <= 9 ? start + 10 : start + 18);
}

/** The end without the zeros before it, nor the point if that is next. */
function withoutZeros(bytes: Uint8Array, from: number): number {
  let end = from;
  while (bytes[end - 1] === ZERO) end--;
  return bytes[end - 1] === POINT ? end - 1 : end;
}

/** False when there is something else in the text; it is not written then. */
function writeAscii(out: TextBytes, text: string): boolean {
  reserve(out, text.length);
  const { bytes } = out;
  let at = out.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return false;
    bytes[at++] = code;
  }
  out.length = at;
  return true;
}

/** Texts that are written again and again, each in a place of `stride` bytes. */
export interface Stamps {
  readonly view: DataView;
  /** A multiple of four. */
  readonly stride: number;
  readonly lengths: Uint8Array;
}

/** The texts, of up to 64 characters of ASCII each, as stamps. */
export function makeStamps(count: number, textOf: (i: number) => string): Stamps {
  const stride = 64;
  const bytes = Buffer.alloc(stride * count);
  const lengths = new Uint8Array(count);
  for (let i = 0; i < count; i++) lengths[i] = bytes.write(textOf(i), stride * i, stride, "latin1");
  return { view: viewOf(bytes), stride, lengths };
}

/** Writes stamp i from `at` on and tells where it ends; three bytes more than it has may be overwritten. */
export function putStamp({ view }: TextBytes, at: number, stamps: Stamps, i: number): number {
  const length = stamps.lengths[i] as number;
  const from = i * stamps.stride;
  for (let k = 0; k < length; k += 4) view.setUint32(at + k, stamps.view.getUint32(from + k, true), true);
  return at + length;
}
