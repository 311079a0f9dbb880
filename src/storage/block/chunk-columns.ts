/**
 * Which columns a chunk has in its page: the times (raw) or bucket starts (rollups) first, then a column for each bit of the
 * chunk's mask, lowest bit first. A column that would be zeros only is left out.
 */
import { HISTOGRAM_ROLLUP_NUMBERS, ROLLUP_COLUMNS } from "../../model/rollup.ts";

/** Most rows of a chunk. */
export const CHUNK_ROWS = 2048;

/** Bits of the mask of a chunk of raw samples. */
export const HAS_VALUES = 1;
/** Byte codes of the native histograms among the values, in their order. */
export const HAS_HISTOGRAMS = 2;
export const HAS_STARTS = 4;

/** First bits of the kinds of columns of a rollup's mask. */
export const HISTOGRAM_NUMBERS_BIT = ROLLUP_COLUMNS.length;
export const HISTOGRAM_REFS_BIT = HISTOGRAM_NUMBERS_BIT + HISTOGRAM_ROLLUP_NUMBERS.length;

/** Number of columns of a chunk with this mask. */
export function columnsOf(mask: number): number {
  let n = 1;
  for (let m = mask; m !== 0; m &= m - 1) n++;
  return n;
}

/** Where the column of a bit is, from the chunk's first one on; -1 when the chunk has no such column. */
export function columnOfBit(mask: number, bit: number): number {
  return mask & (1 << bit) ? columnsOf(mask & ((1 << bit) - 1)) : -1;
}

const BASE_STRIPE = 7_200_000;

/**
 * Width in ms of the stripes of time that a block's pages are made of: the power of two times 2 h in which a series with a sample
 * every `intervalMs` has up to CHUNK_ROWS samples.
 */
export function stripeWidth(rangeMs: number, intervalMs: number): number {
  const power = Math.floor(Math.log2((CHUNK_ROWS * intervalMs) / BASE_STRIPE));
  const width = BASE_STRIPE * 2 ** Math.max(power, -5);
  return Math.min(width, Math.max(rangeMs, 1));
}
