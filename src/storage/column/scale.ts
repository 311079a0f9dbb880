/**
 * Floats as whole numbers. A column of metrics mostly has decimals of few digits, whole numbers, or quotients like 37 / 1000 / 1000;
 * such a value is a whole number n and a way to make the float of n again, which is tried for every value: what does not come back
 * bit for bit is an exception.
 */
export const SCALE_DIVIDE = 0;
export const SCALE_MULTIPLY = 1;
export const SCALE_DIVIDE_TWICE = 2;
export const SCALE_BINARY = 3;

/** Whole numbers are at most this large, so that differences of differences are exact. */
export const MAX_WHOLE = 2 ** 51;
export const MAX_DECIMALS = 20;
export const MAX_BINARY = 1023;
/** All whole numbers up to this are floats. */
const MAX_EXACT = 2 ** 53;
const float = new Float64Array(1);
const floatWords = new Uint32Array(float.buffer);
const ROUND = 1.5 * 2 ** 52;
const POWERS = Float64Array.from({ length: 23 }, (_, e) => Number(`1e${e}`));
const INVERSE = Float64Array.from({ length: 23 }, (_, e) => 1 / Number(`1e${e}`));

export interface Scaling {
  mode: number;
  /** Decimals (SCALE_DIVIDE, _MULTIPLY), steps of 1000 (SCALE_DIVIDE_TWICE: always 6 decimals) or binary places. */
  places: number;
  /** What was taken off the whole numbers (SCALE_BINARY; else 0): up to 2^53. */
  origin: number;
  /** Whole numbers, less the origin; of an exception the one before. */
  whole: Float64Array;
  /** Rows that do not come back from their whole number. */
  exceptions: Uint32Array;
  exceptionCount: number;
}

export function makeScaling(): Scaling {
  return {
    mode: 0,
    places: 0,
    origin: 0,
    whole: new Float64Array(4096),
    exceptions: new Uint32Array(4096),
    exceptionCount: 0,
  };
}

/** The factor by which a float is taken to find its whole number. */
function factorOf(mode: number, places: number): number {
  return mode === SCALE_BINARY ? 2 ** places : (POWERS[places] as number);
}

/** How floats come of whole numbers. */
export interface Unscaling {
  readonly mode: number;
  readonly places: number;
  readonly origin: number;
}

/** Turns the whole numbers in out[at, at + n) into floats: the inverse of every mode, to the bit. */
export function unscale({ mode, places, origin }: Unscaling, out: Float64Array, at: number, n: number): void {
  if (mode === SCALE_DIVIDE && places === 0) return;
  const end = at + n;
  if (mode === SCALE_DIVIDE) {
    const p = POWERS[places] as number;
    for (let i = at; i < end; i++) out[i] = (out[i] as number) / p;
  } else if (mode === SCALE_DIVIDE_TWICE) for (let i = at; i < end; i++) out[i] = (out[i] as number) / 1000 / 1000;
  else if (mode === SCALE_MULTIPLY) {
    const f = INVERSE[places] as number;
    for (let i = at; i < end; i++) out[i] = (out[i] as number) * f;
  } else {
    const f = 2 ** -places;
    for (let i = at; i < end; i++) out[i] = ((out[i] as number) + origin) * f;
  }
}

function comesBack(v: number, mode: number, places: number): boolean {
  const n = v * factorOf(mode, places) + ROUND - ROUND;
  if (!(n < MAX_WHOLE && n > -MAX_WHOLE)) return false;
  if (mode === SCALE_DIVIDE) return n / (POWERS[places] as number) === v;
  if (mode === SCALE_MULTIPLY) return n * (INVERSE[places] as number) === v;
  return n / 1000 / 1000 === v;
}

/** The binary places of a finite float: the least k with v * 2^k whole. */
function binaryPlaces(v: number): number {
  float[0] = v;
  const lo = floatWords[0] as number;
  const hi = floatWords[1] as number;
  if (v === 0) return 0;
  const top = (hi & 0xfffff) | 0x100000;
  const zeros = lo !== 0 ? 31 - Math.clz32(lo & -lo) : 63 - Math.clz32(top & -top);
  return Math.max(0, 1075 - ((hi >>> 20) & 0x7ff) - zeros);
}

/** The least number of places from `from` on with which v comes back; -1 when there is none. */
function placesFor(v: number, mode: number, from: number): number {
  if (mode === SCALE_BINARY) {
    const k = Math.max(from, binaryPlaces(v));
    return k <= MAX_BINARY && Math.abs(v) * 2 ** k <= MAX_EXACT ? k : -1;
  }
  for (let e = from; e <= MAX_DECIMALS && Math.abs(v) * (POWERS[e] as number) < MAX_WHOLE; e++) {
    if (comesBack(v, mode, e)) return e;
  }
  return -1;
}

const SAMPLES = 24;
const MODES = [SCALE_DIVIDE, SCALE_MULTIPLY, SCALE_DIVIDE_TWICE, SCALE_BINARY];

/**
 * Finds the scaling of values[from, to), not empty, that leaves few exceptions; false when there is none. `words` is the same
 * memory as `values`.
 */
export function scaleFloats(
  values: Float64Array,
  words: Uint32Array,
  from: number,
  to: number,
  into: Scaling,
): boolean {
  const n = to - from;
  if (into.whole.length < n) {
    into.whole = new Float64Array(2 * n);
    into.exceptions = new Uint32Array(2 * n);
  }
  const limit = 2 + (n >> 4);
  let tried = 0;
  // The mode with the fewest places in a sample first; the rest in their order.
  const first = bestMode(values, from, to);
  if (first.mode >= 0 && scaleAs(values, words, from, to, first.mode, first.places, limit, into)) return true;
  for (const mode of MODES) {
    if (mode === first.mode || tried > 2) continue;
    const places = samplePlaces(values, from, to, mode);
    if (places < 0) continue;
    tried++;
    if (scaleAs(values, words, from, to, mode, places, limit, into)) return true;
  }
  return false;
}

function bestMode(values: Float64Array, from: number, to: number): { mode: number; places: number } {
  const divide = samplePlaces(values, from, to, SCALE_DIVIDE);
  if (divide >= 0 && divide <= 2) return { mode: SCALE_DIVIDE, places: divide };
  const multiply = samplePlaces(values, from, to, SCALE_MULTIPLY);
  if (multiply >= 0 && (divide < 0 || multiply < divide)) {
    return { mode: SCALE_MULTIPLY, places: multiply };
  }
  if (divide < 0 || divide > 6) {
    if (samplePlaces(values, from, to, SCALE_DIVIDE_TWICE) === 6) return { mode: SCALE_DIVIDE_TWICE, places: 6 };
  }
  return { mode: divide < 0 ? -1 : SCALE_DIVIDE, places: divide };
}

/** The places that a sample of the rows needs, -1 when more than a fifth of it has none. */
function samplePlaces(values: Float64Array, from: number, to: number, mode: number): number {
  const n = to - from;
  const count = Math.min(n, SAMPLES);
  let places = mode === SCALE_DIVIDE_TWICE ? 6 : 0;
  let bad = 0;
  let good = 0;
  for (let k = 0; k < count; k++) {
    const v = values[from + Math.floor((k * n) / count)] as number;
    if (!(Math.abs(v) < Number.POSITIVE_INFINITY)) continue;
    const p = mode === SCALE_DIVIDE_TWICE ? (comesBack(v, mode, 6) ? 6 : -1) : placesFor(v, mode, places);
    if (p < 0) bad++;
    else {
      places = p;
      good++;
    }
  }
  return bad * 5 > good + bad ? -1 : places;
}

/** Scales all rows; raises the places where a value needs more. False when more than `limit` rows are exceptions. */
function scaleAs(
  values: Float64Array,
  words: Uint32Array,
  from: number,
  to: number,
  mode: number,
  places: number,
  limit: number,
  into: Scaling,
): boolean {
  let p = places;
  for (let round = 0; round < 8; round++) {
    const scaled =
      mode === SCALE_BINARY
        ? scaleBinary(values, words, from, to, p, limit, into)
        : scaleRows(values, words, from, to, mode, p, limit, into);
    if (scaled) {
      into.mode = mode;
      into.places = p;
      return true;
    }
    if (mode === SCALE_DIVIDE_TWICE) return false;
    let more = p;
    for (let k = 0; k < into.exceptionCount; k++) {
      const v = values[from + (into.exceptions[k] as number)] as number;
      if (Math.abs(v) < Number.POSITIVE_INFINITY) more = Math.max(more, placesFor(v, mode, p + 1));
    }
    if (more === p) return false;
    p = more;
  }
  return false;
}

/** False when more than `limit` rows are exceptions; the last of those is then the one that was too many. */
function scaleRows(
  values: Float64Array,
  words: Uint32Array,
  from: number,
  to: number,
  mode: number,
  places: number,
  limit: number,
  into: Scaling,
): boolean {
  const { whole, exceptions } = into;
  const factor = factorOf(mode, places);
  const divisor = mode === SCALE_DIVIDE ? (POWERS[places] as number) : mode === SCALE_DIVIDE_TWICE ? 1000 : 1;
  const twice = mode === SCALE_DIVIDE_TWICE ? 1000 : 1;
  const back = mode === SCALE_MULTIPLY ? (INVERSE[places] as number) : 1;
  const divides = divisor !== 1;
  let count = 0;
  let last = 0;
  into.origin = 0;
  for (let i = from; i < to; i++) {
    const v = values[i] as number;
    const n = v * factor + ROUND - ROUND;
    const again = divides ? n / divisor / twice : n * back;
    if (again === v && n < MAX_WHOLE && n > -MAX_WHOLE && (n !== 0 || words[2 * i + 1] === 0)) {
      last = n;
      whole[i - from] = n;
      continue;
    }
    exceptions[count++] = i - from;
    whole[i - from] = last;
    if (count > limit) break;
  }
  into.exceptionCount = count;
  if (count > limit) return false;
  fillStart(into, to - from);
  return true;
}

/** As `scaleRows`, for numbers of up to 53 bits that are near to one another. */
function scaleBinary(
  values: Float64Array,
  words: Uint32Array,
  from: number,
  to: number,
  places: number,
  limit: number,
  into: Scaling,
): boolean {
  const { whole, exceptions } = into;
  const factor = 2 ** places;
  let count = 0;
  let last = 0;
  const middle = (values[(from + to) >> 1] as number) * factor;
  let origin = middle === Math.floor(middle) && Math.abs(middle) <= MAX_EXACT ? middle : Number.NaN;
  for (let i = from; i < to; i++) {
    const n = (values[i] as number) * factor;
    if (n === Math.floor(n) && n <= MAX_EXACT && n >= -MAX_EXACT && (n !== 0 || words[2 * i + 1] === 0)) {
      if (Number.isNaN(origin)) origin = n;
      const d = n - origin;
      if (d < MAX_WHOLE && d > -MAX_WHOLE) {
        last = d;
        whole[i - from] = d;
        continue;
      }
    }
    exceptions[count++] = i - from;
    whole[i - from] = last;
    if (count > limit) break;
  }
  into.exceptionCount = count;
  into.origin = Number.isNaN(origin) ? 0 : origin;
  if (count > limit) return false;
  fillStart(into, to - from);
  return true;
}

/** Exceptions at the start take the first number that there is. */
function fillStart(into: Scaling, n: number): void {
  let k = 0;
  while (k < into.exceptionCount && into.exceptions[k] === k) k++;
  if (k > 0 && k < n) into.whole.fill(into.whole[k] as number, 0, k);
}
