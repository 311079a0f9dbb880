import { CHUNK_HEAD_WORDS, encodeSample, NO_WINDOW, SCRATCH_WINDOW, SCRATCH_WORDS } from "./encode.ts";

const scratch = new Int32Array(SCRATCH_WORDS);
const time = new Float64Array(1);
const timeWords = new Int32Array(time.buffer);

/** Words that `writeChunk` may need for `count` samples. */
export function chunkWordsBound(count: number): number {
  return CHUNK_HEAD_WORDS + 4 * count;
}

/**
 * Encodes samples [from, to) (at least one, ascending times less than CHUNK_MAX_SPAN apart) as one chunk at words[at]
 * and returns the number of words used. `values` holds two words a sample, low first.
 */
export function writeChunk(
  ts: Float64Array,
  values: Uint32Array,
  from: number,
  to: number,
  words: Int32Array,
  at: number,
): number {
  let t = ts[from] as number;
  let lo = values[2 * from] as number;
  let hi = values[2 * from + 1] as number;
  time[0] = t;
  words[at] = timeWords[0] as number;
  words[at + 1] = timeWords[1] as number;
  words[at + 2] = lo;
  words[at + 3] = hi;
  let w = at + CHUNK_HEAD_WORDS;
  let bit = 0;
  let delta = 0;
  let window = NO_WINDOW;
  scratch[0] = 0;
  for (let i = from + 1; i < to; i++) {
    const nextT = ts[i] as number;
    const nextLo = values[2 * i] as number;
    const nextHi = values[2 * i + 1] as number;
    const nextDelta = nextT - t;
    const p = encodeSample(scratch, bit, (nextDelta - delta) | 0, lo ^ nextLo, hi ^ nextHi, window);
    window = scratch[SCRATCH_WINDOW] as number;
    const full = p >>> 5;
    for (let k = 0; k < full; k++) words[w + k] = scratch[k] as number;
    w += full;
    scratch[0] = scratch[full] as number;
    bit = p & 31;
    t = nextT;
    lo = nextLo;
    hi = nextHi;
    delta = nextDelta;
  }
  if (bit > 0) words[w++] = scratch[0] as number;
  return w - at;
}
