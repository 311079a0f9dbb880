import { CUSTOM_BUCKETS_SCHEMA, type Histogram, RESET_GAUGE } from "../../model/histogram.ts";
import {
  type BitWriter,
  fitsBits,
  makeBitWriter,
  takeBits,
  writeBits,
  writeFloatBits,
  writeWhole,
} from "./bit-writer.ts";

const GAUGE = 0b1100_0000;

const writer = makeBitWriter(1024);

/**
 * One native histogram as a chunk of Prometheus (its tsdb/docs/format/chunks.md): of integers or of floats, as the histogram is.
 * A chunk of its own says nothing of counter resets: the reader compares.
 */
export function histogramChunk(ts: number, h: Histogram): Uint8Array {
  const w = writer;
  writeBits(w, 1, 16);
  writeBits(w, h.resetHint === RESET_GAUGE ? GAUGE : 0, 8);
  if (h.zeroThreshold === 0) writeBits(w, 0, 8);
  else {
    writeBits(w, 255, 8);
    writeFloatBits(w, h.zeroThreshold);
  }
  writeVarbit(w, h.schema);
  writeSpans(w, h.positiveSpans);
  writeSpans(w, h.negativeSpans);
  if (h.schema === CUSTOM_BUCKETS_SCHEMA) {
    writeVarbitUnsigned(w, h.customBounds.length);
    for (const bound of h.customBounds) {
      writeBits(w, 0, 1);
      writeFloatBits(w, bound);
    }
  }
  writeVarbit(w, ts);
  if (h.float) {
    for (const value of [h.count, h.zeroCount, h.sum, ...h.positive, ...h.negative]) writeFloatBits(w, value);
  } else {
    writeVarbitUnsigned(w, h.count);
    writeVarbitUnsigned(w, h.zeroCount);
    writeFloatBits(w, h.sum);
    writeDeltas(w, h.positive);
    writeDeltas(w, h.negative);
  }
  return takeBits(w);
}

function writeSpans(w: BitWriter, spans: readonly number[]): void {
  writeVarbitUnsigned(w, spans.length / 2);
  for (let i = 0; i < spans.length; i += 2) {
    writeVarbitUnsigned(w, spans[i + 1] as number);
    writeVarbit(w, spans[i] as number);
  }
}

function writeDeltas(w: BitWriter, counts: readonly number[]): void {
  let before = 0;
  for (const count of counts) {
    writeVarbit(w, count - before);
    before = count;
  }
}

/** Bits of a number, by its size; as many ones as there are smaller sizes and a zero stand before it. */
const SIZES = [3, 6, 9, 12, 18, 25, 56] as const;

function writeVarbit(w: BitWriter, value: number): void {
  if (value === 0) writeBits(w, 0, 1);
  else {
    writeSized(
      w,
      value,
      SIZES.findIndex((n) => fitsBits(value, n)),
    );
  }
}

function writeVarbitUnsigned(w: BitWriter, value: number): void {
  if (value === 0) writeBits(w, 0, 1);
  else {
    writeSized(
      w,
      value,
      SIZES.findIndex((n) => value < 2 ** n),
    );
  }
}

/** `size`: which of SIZES, -1 for none. */
function writeSized(w: BitWriter, value: number, size: number): void {
  if (size < 0) {
    writeBits(w, 0xff, 8);
    writeWhole(w, value, 64);
  } else {
    writeBits(w, 2 ** (size + 2) - 2, size + 2);
    writeWhole(w, value, SIZES[size] as number);
  }
}
