/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as in iSCSI and RFC 3720 appendix B.4.
 * Long inputs are first folded to 128 bytes (crc32c-wasm.ts); what remains goes through sixteen tables, so that sixteen bytes are
 * taken in a step; the words are read through an aligned view.
 */
import { BLOCK, FOLD_AT, FOLD_BYTES, makeFolder, STATE_AT } from "./crc32c-wasm.ts";

const SLICES = 16;
const tables = buildTables();
const folder = makeFolder((crc) => (crc >>> 8) ^ (tables[crc & 255] as number));
/** Shorter inputs are not worth the way to the folder. */
const FOLD_FROM = 512;

function buildTables(): Int32Array {
  const t = new Int32Array(SLICES * 256);
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let k = 0; k < 8; k++) c = (c >>> 1) ^ (c & 1 ? 0x82f63b78 : 0);
    t[i] = c;
  }
  for (let i = 256; i < SLICES * 256; i++) {
    const below = t[i - 256] as number;
    t[i] = (below >>> 8) ^ (t[below & 255] as number);
  }
  return t;
}

/**
 * Checksum of bytes[start, end), as an unsigned 32-bit number. `seed` is the checksum of what comes before, so that
 * `crc32c(b, 0, n, crc32c(a))` is the checksum of a and b together.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  if (folder === undefined || end - start < FOLD_FROM) return ~update(~seed, bytes, start, end) >>> 0;
  const { memory, fold } = folder;
  // The first block is the state; the register's bytes count as if they were in the input.
  memory.set(bytes.subarray(start, start + BLOCK), STATE_AT);
  for (let i = 0; i < 4; i++) memory[STATE_AT + i] = (memory[STATE_AT + i] as number) ^ (~seed >>> (8 * i));
  let at = start + BLOCK;
  while (end - at >= BLOCK) {
    const length = Math.min(Math.floor((end - at) / BLOCK) * BLOCK, FOLD_BYTES);
    memory.set(bytes.subarray(at, at + length), FOLD_AT);
    fold(length / BLOCK);
    at += length;
  }
  return ~update(update(0, memory, STATE_AT, STATE_AT + BLOCK), bytes, at, end) >>> 0;
}

/** The CRC register after these bytes. */
function update(register: number, bytes: Uint8Array, start: number, end: number): number {
  let crc = register;
  let i = start;
  const t = tables;
  while (i < end && ((bytes.byteOffset + i) & 3) !== 0) {
    crc = (crc >>> 8) ^ (t[(crc ^ (bytes[i] as number)) & 255] as number);
    i++;
  }
  const steps = (end - i) >> 4;
  if (steps > 0) {
    crc = foldWords(new Int32Array(bytes.buffer, bytes.byteOffset + i, steps << 2), crc);
    i += steps << 4;
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[i] as number)) & 255] as number);
  return crc;
}

function foldWords(words: Int32Array, seed: number): number {
  const t = tables;
  const n = words.length;
  let crc = seed;
  for (let i = 0; i < n; i += 4) {
    const a = (words[i] as number) ^ crc;
    const b = words[i + 1] as number;
    const c = words[i + 2] as number;
    const d = words[i + 3] as number;
    crc =
      (t[3840 + (a & 255)] as number) ^
      (t[3584 + ((a >>> 8) & 255)] as number) ^
      (t[3328 + ((a >>> 16) & 255)] as number) ^
      (t[3072 + (a >>> 24)] as number) ^
      (t[2816 + (b & 255)] as number) ^
      (t[2560 + ((b >>> 8) & 255)] as number) ^
      (t[2304 + ((b >>> 16) & 255)] as number) ^
      (t[2048 + (b >>> 24)] as number) ^
      (t[1792 + (c & 255)] as number) ^
      (t[1536 + ((c >>> 8) & 255)] as number) ^
      (t[1280 + ((c >>> 16) & 255)] as number) ^
      (t[1024 + (c >>> 24)] as number) ^
      (t[768 + (d & 255)] as number) ^
      (t[512 + ((d >>> 8) & 255)] as number) ^
      (t[256 + ((d >>> 16) & 255)] as number) ^
      (t[d >>> 24] as number);
  }
  return crc;
}
