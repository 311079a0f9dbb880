/**
 * Numbers that are multiples of a tick that is no whole number, rounded: durations in nanoseconds of a clock that steps every 10.015
 * or 41.67 ns. Also numbers most of which, but not all, are multiples of something. n = round(k * tick) + e with a small e: the
 * digits below the tick, which look like noise, are gone.
 *
 * The tick is sought as a frequency at which the differences of the numbers are in phase: first on a grid with small differences,
 * then finer and finer with larger ones.
 */
const MIN_TICK = 4;
const WANTED = 0.55;
const NEAR = 64;
const GRID = 1024;
/** A tick that another column had holds for differences of this size before it is made finer. */
const HINT_REACH = 1 << 15;
/** A tick that is in phase by this much for the largest differences is fine enough. */
const FINE = 0.9;
const LAGS = [1, 2, 4, 9, 20, 45, 100, 220, 500, 1100];
const COSINES = Float32Array.from({ length: 1024 }, (_, i) => Math.cos((2 * Math.PI * (i + 0.5)) / 1024));

let sorted = new Float64Array(4096);
const differences = new Float64Array(NEAR * LAGS.length);
const some = new Float64Array(NEAR);

/** The tick of whole[0, n), 0 when there is none. `hint` is a tick to try at first, 0 for none; without one all are tried. */
export function findTick(whole: Float64Array, n: number, hint: number): number {
  const count = gather(whole, n);
  if (count < NEAR) return 0;
  // The range of the first search: enough differences below it, and not so wide that the grid is too coarse for it.
  const widest = hint === 0 ? GRID / 4 : HINT_REACH;
  const range = Math.min(widest, Math.max(4 * MIN_TICK, differences[NEAR - 1] as number));
  let used = 0;
  while (used < NEAR && (differences[used] as number) <= range) used++;
  if (used < NEAR / 2) return 0;
  let frequency = hint === 0 ? coarse(used, range) : 1 / hint;
  if (frequency === 0 || inPhase(differences, used, frequency) < WANTED) return 0;
  const largest = differences[count - 1] as number;
  if (hint !== 0 && inPhase(some, pick(count, largest), frequency) > FINE) return hint;
  let reach = range;
  let step = 1 / (16 * range);
  for (;;) {
    const picked = pick(count, reach);
    if (picked >= 8) frequency = refine(picked, frequency, step);
    step = 1 / (16 * reach);
    if (reach >= largest) break;
    reach *= 3;
  }
  const last = pick(count, reach);
  return last >= 8 && inPhase(some, last, frequency) < WANTED ? 0 : 1 / frequency;
}

/** Differences of the sorted numbers at several lags, ascending. */
function gather(whole: Float64Array, n: number): number {
  if (sorted.length < n) sorted = new Float64Array(2 * n);
  const s = sorted.subarray(0, n);
  for (let i = 0; i < n; i++) s[i] = whole[i] as number;
  s.sort();
  let count = 0;
  for (const lag of LAGS) {
    if (lag >= n) break;
    for (let k = 0; k < NEAR; k++) {
      const i = Math.floor((k * (n - lag)) / NEAR);
      const d = (s[i + lag] as number) - (s[i] as number);
      if (d > 0) differences[count++] = d;
    }
  }
  differences.subarray(0, count).sort();
  return count;
}

/** The best frequency on the grid, from the `used` smallest differences. */
function coarse(used: number, range: number): number {
  const points = Math.ceil((4 * range) / MIN_TICK);
  let best = 0;
  let at = 0;
  for (let g = 4; g <= points; g++) {
    const frequency = Math.round((g / (4 * range)) * 0x1_0000_0000);
    let sum = 0;
    for (let k = 0; k < used; k++) {
      sum += COSINES[Math.imul(differences[k] as number, frequency) >>> 22] as number;
    }
    if (sum > best) {
      best = sum;
      at = g;
    }
  }
  return best < (WANTED - 0.1) * used ? 0 : refineOn(differences, used, at / (4 * range), 1 / (32 * range));
}

function inPhase(d: Float64Array, count: number, frequency: number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) {
    const turns = (d[k] as number) * frequency;
    sum += Math.cos(2 * Math.PI * (turns - Math.floor(turns)));
  }
  return sum / count;
}

/** Picks differences of up to `reach`, the larger ones first, into `some`. */
function pick(count: number, reach: number): number {
  let end = count;
  while (end > 0 && (differences[end - 1] as number) > reach) end--;
  let picked = 0;
  for (let k = end - 1; k >= 0 && picked < NEAR && (differences[k] as number) > reach / 8; k--) {
    some[picked++] = differences[k] as number;
  }
  return picked;
}

function refine(picked: number, frequency: number, step: number): number {
  return refineOn(some, picked, frequency, step / 4);
}

/** The frequency within 8 steps that is most in phase, by halving steps. */
function refineOn(d: Float64Array, count: number, frequency: number, step: number): number {
  let best = frequency;
  let most = -1;
  for (let k = -8; k <= 8; k++) {
    const f = frequency + k * step;
    const p = f > 0 ? inPhase(d, count, f) : -1;
    if (p > most) {
      most = p;
      best = f;
    }
  }
  for (let s = step / 2; s > step / 16; s /= 2) {
    for (const f of [best - s, best + s]) {
      const p = inPhase(d, count, f);
      if (p > most) {
        most = p;
        best = f;
      }
    }
  }
  return best;
}

/** Splits whole numbers into k and e; contexts[i] is the quarter of a whole number in which k * tick lies, which tells of e. */
export function splitTicks(
  whole: Float64Array,
  n: number,
  tick: number,
  k: Float64Array,
  e: Float64Array,
  contexts: Uint8Array,
): void {
  for (let i = 0; i < n; i++) {
    const v = whole[i] as number;
    const t = Math.floor(v / tick + 0.5);
    k[i] = t;
    e[i] = v - Math.floor(t * tick + 0.5);
  }
  quarters(k, 0, n, tick, contexts);
}

/** The contexts of k[at, at + n). */
export function quarters(k: Float64Array, at: number, n: number, tick: number, contexts: Uint8Array): void {
  for (let i = 0; i < n; i++) {
    const v = (k[at + i] as number) * tick;
    contexts[i] = 4 * (v - Math.floor(v));
  }
}

/** The inverse of `splitTicks`, into k[at, at + n). */
export function joinTicks(k: Float64Array, at: number, e: Float64Array, n: number, tick: number): void {
  for (let i = 0; i < n; i++) k[at + i] = Math.floor((k[at + i] as number) * tick + 0.5) + (e[i] as number);
}
