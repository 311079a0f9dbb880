import { Buffer, isUtf8 } from "node:buffer";

/** A Buffer over the same memory, for its fast native slices. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** True when `bytes[start, end)` is well-formed UTF-8 (no surrogates, no overlong forms). */
export function isUtf8Range(bytes: Uint8Array, start: number, end: number): boolean {
  let i = start;
  // Names and values are nearly always short ASCII: a native call costs more than this loop there.
  while (i < end && (bytes[i] as number) < 0x80) i++;
  return i === end || isUtf8(bytes.subarray(i, end));
}

/**
 * Orders two byte ranges of well-formed UTF-8 as their strings compare in JavaScript (UTF-16 code units).
 *
 * That is byte order, but for one thing: characters above U+FFFF (lead byte F0..F4) are surrogates in UTF-16 and sort
 * before U+E000..U+FFFF (lead byte EE, EF).
 */
export function compareUtf8(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const n = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < n; i++) {
    const x = a[aStart + i] as number;
    const y = b[bStart + i] as number;
    if (x !== y) return utf16Rank(x) - utf16Rank(y);
  }
  return aEnd - aStart - (bEnd - bStart);
}

function utf16Rank(byte: number): number {
  return byte === 0xee || byte === 0xef ? byte + 0x10 : byte;
}
