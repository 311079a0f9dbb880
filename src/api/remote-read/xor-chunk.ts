import {
  type BitWriter,
  fitsBits,
  makeBitWriter,
  takeBits,
  writeBits,
  writeUvarint,
  writeWhole,
  writeWords,
  writeZigzag,
} from "./bit-writer.ts";

/** As many samples as Prometheus puts into a chunk. */
export const CHUNK_SAMPLES = 120;

const writer = makeBitWriter(1024);

/**
 * The samples [from, to) as an XOR chunk of Prometheus (its tsdb/docs/format/chunks.md), at most 65,535. Times are ascending, Unix
 * ms; `words` are those of the values, so that each NaN keeps its bits.
 */
export function xorChunk(ts: Float64Array, words: Uint32Array, from: number, to: number): Uint8Array {
  const w = writer;
  writeBits(w, to - from, 16);
  let delta = 0;
  // No window yet: a block of significant bits that the next values may use as well.
  let leading = 64;
  let trailing = 0;
  for (let i = from; i < to; i++) {
    const lo = words[2 * i] as number;
    const hi = words[2 * i + 1] as number;
    if (i === from) {
      writeZigzag(w, ts[i] as number);
      writeWords(w, lo, hi, 64);
      continue;
    }
    const before = delta;
    delta = (ts[i] as number) - (ts[i - 1] as number);
    if (i === from + 1) writeUvarint(w, delta);
    else writeDeltaOfDelta(w, delta - before);
    const xorLo = (lo ^ (words[2 * i - 2] as number)) >>> 0;
    const xorHi = (hi ^ (words[2 * i - 1] as number)) >>> 0;
    if (xorLo === 0 && xorHi === 0) {
      writeBits(w, 0, 1);
      continue;
    }
    // Five bits hold up to 31.
    const nowLeading = Math.min(31, xorHi !== 0 ? Math.clz32(xorHi) : 32);
    const nowTrailing = xorLo !== 0 ? trailingZeros(xorLo) : 32 + trailingZeros(xorHi);
    if (nowLeading >= leading && nowTrailing >= trailing) writeBits(w, 0b10, 2);
    else {
      leading = nowLeading;
      trailing = nowTrailing;
      writeBits(w, 0b11, 2);
      writeBits(w, leading, 5);
      // 64 is written as 0.
      writeBits(w, 64 - leading - trailing, 6);
    }
    writeShifted(w, xorLo, xorHi, trailing, 64 - leading - trailing);
  }
  return takeBits(w);
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** `n` bits from bit `shift` on. */
function writeShifted(w: BitWriter, lo: number, hi: number, shift: number, n: number): void {
  if (shift === 0) writeWords(w, lo, hi, n);
  else if (shift >= 32) writeBits(w, hi >>> (shift - 32), n);
  else writeWords(w, ((lo >>> shift) | (hi << (32 - shift))) >>> 0, hi >>> shift, n);
}

function writeDeltaOfDelta(w: BitWriter, dod: number): void {
  if (dod === 0) writeBits(w, 0, 1);
  else if (fitsBits(dod, 14)) {
    writeBits(w, 0b10, 2);
    writeWhole(w, dod, 14);
  } else if (fitsBits(dod, 17)) {
    writeBits(w, 0b110, 3);
    writeWhole(w, dod, 17);
  } else if (fitsBits(dod, 20)) {
    writeBits(w, 0b1110, 4);
    writeWhole(w, dod, 20);
  } else {
    writeBits(w, 0b1111, 4);
    writeWhole(w, dod, 64);
  }
}
