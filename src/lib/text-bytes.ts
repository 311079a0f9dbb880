/**
 * Text that is written straight to bytes: what goes out in large amounts (points of query answers) makes no string of its own.
 * The writer's memory is filled again and again; what was written is taken before that.
 */
import { formatSampleValue } from "./float-format.ts";

export interface TextBytes {
  bytes: Buffer;
  length: number;
}

export function makeTextBytes(capacity = 65_536): TextBytes {
  return { bytes: Buffer.allocUnsafe(capacity), length: 0 };
}

function reserve(out: TextBytes, more: number): void {
  if (out.length + more <= out.bytes.length) return;
  const larger = Buffer.allocUnsafe(Math.max(out.length + more, 2 * out.bytes.length));
  out.bytes.copy(larger, 0, 0, out.length);
  out.bytes = larger;
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

/** The bytes [from, to), which were made before: a few. */
export function writeRange(out: TextBytes, from: Uint8Array, start: number, end: number): void {
  reserve(out, end - start);
  const { bytes } = out;
  let at = out.length;
  for (let i = start; i < end; i++) bytes[at++] = from[i] as number;
  out.length = at;
}

const MINUS = 45;
const POINT = 46;
const ZERO = 48;
/** Texts of fewer digits than this number's read as different floats. */
const FIFTEEN_DIGITS = 1e15;

/**
 * A float as `formatSampleValue` has it, in ASCII. Most measurements are whole numbers or have few decimals, which is told by trying:
 * when n / 10^k is the value and n does not end in 0, then n with k decimals is the shortest text that reads back as it, because no
 * two texts of up to 15 digits read as the same float.
 */
export function writeSampleValue(out: TextBytes, v: number): void {
  reserve(out, 32);
  const abs = v < 0 ? -v : v;
  if ((abs | 0) === abs && (abs !== 0 || !Object.is(v, -0))) {
    if (v < 0) out.bytes[out.length++] = MINUS;
    writeDigits(out, abs, 0);
    return;
  }
  let decimals = abs < FIFTEEN_DIGITS ? 3 : 0;
  let n = Math.floor(abs * 1e3 + 0.5);
  if (n / 1e3 !== abs) {
    decimals = 6;
    n = Math.floor(abs * 1e6 + 0.5);
    if (n / 1e6 !== abs) decimals = 0;
  }
  if (decimals === 0 || n >= FIFTEEN_DIGITS || n === 0) {
    writeAscii(out, formatSampleValue(v));
    return;
  }
  while (decimals > 0 && n % 10 === 0) {
    n /= 10;
    decimals--;
  }
  if (v < 0) out.bytes[out.length++] = MINUS;
  writeDigits(out, n, decimals);
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

/** n / 10^decimals with all its decimals, n below 1e15. There must be room for 17 bytes. */
function writeDigits(out: TextBytes, n: number, decimals: number): void {
  const { bytes } = out;
  const digits = Math.max(digitsOf(n), decimals + 1);
  const end = out.length + digits + (decimals > 0 ? 1 : 0);
  // Whole-number arithmetic for the last nine digits, and for those before them.
  const high = n >= 1e9 ? Math.floor(n / 1e9) : 0;
  let rest = (n - high * 1e9) | 0;
  let at = end;
  for (let i = 0; i < digits; i++) {
    if (i === 9) rest = high;
    const tenth = (rest / 10) | 0;
    bytes[--at] = ZERO + (rest - 10 * tenth);
    rest = tenth;
    if (i + 1 === decimals) bytes[--at] = POINT;
  }
  out.length = end;
}

function digitsOf(n: number): number {
  let digits = 1;
  for (let limit = 10; n >= limit; limit *= 10) digits++;
  return digits;
}
