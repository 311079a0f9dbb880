import { PRESENT_FLOAT } from "../execute/vector.ts";
import { dayOfMonth, dayOfWeek, dayOfYear, daysInMonth, month, year } from "./calendar.ts";

/**
 * Functions of one vector that work on each sample by itself, as loops over a row's cells. All of them drop the metric
 * name. Parameters are one value a step.
 */
type Unary = (v: number) => number;

const RADIANS = Math.PI / 180;

const UNARY: Readonly<Record<string, Unary>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  sqrt: Math.sqrt,
  ln: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  rad: (v) => v * RADIANS,
  deg: (v) => (v * 180) / Math.PI,
  sgn: (v) => (v < 0 ? -1 : v > 0 ? 1 : v),
  neg: (v) => -v,
  minute: (v) => wholeMod(Math.floor(Math.trunc(v) / 60), 60),
  hour: (v) => wholeMod(Math.floor(Math.trunc(v) / 3600), 24),
  day_of_week: dayOfWeek,
  day_of_month: dayOfMonth,
  day_of_year: dayOfYear,
  days_in_month: daysInMonth,
  month,
  year,
};

function wholeMod(v: number, n: number): number {
  return ((v % n) + n) % n;
}

/** Functions that take a vector and scalars, and work sample by sample. */
export function isElementwise(func: string): boolean {
  return func in UNARY || func === "clamp" || func === "clamp_min" || func === "clamp_max" || func === "round";
}

/** Applies a function to the cells [base, base + steps), in place. Only `neg` may meet native histograms, and leaves them alone. */
export function applyElementwise(
  func: string,
  params: readonly Float64Array[],
  values: Float64Array,
  present: Uint8Array,
  base: number,
  steps: number,
): void {
  switch (func) {
    case "clamp":
      clampRow(params[0] as Float64Array, params[1] as Float64Array, values, present, base, steps);
      return;
    case "clamp_min":
      clampRow(params[0] as Float64Array, undefined, values, present, base, steps);
      return;
    case "clamp_max":
      clampRow(undefined, params[0] as Float64Array, values, present, base, steps);
      return;
    case "round":
      roundRow(params[0], values, base, steps);
      return;
    case "neg":
      for (let i = base; i < base + steps; i++) if (present[i] === PRESENT_FLOAT) values[i] = -(values[i] as number);
      return;
    default: {
      const f = UNARY[func];
      if (f === undefined) throw new Error(`not an elementwise function: ${func}`);
      for (let i = base; i < base + steps; i++) if (present[i] !== 0) values[i] = f(values[i] as number);
    }
  }
}

/** Go's math.Max and math.Min: an infinity that decides wins over NaN. */
function greater(a: number, b: number): number {
  return a === Number.POSITIVE_INFINITY || b === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : Math.max(a, b);
}

function lesser(a: number, b: number): number {
  return a === Number.NEGATIVE_INFINITY || b === Number.NEGATIVE_INFINITY ? Number.NEGATIVE_INFINITY : Math.min(a, b);
}

/** An upper bound below the lower one leaves no sample; a NaN bound makes the result NaN. */
function clampRow(
  min: Float64Array | undefined,
  max: Float64Array | undefined,
  values: Float64Array,
  present: Uint8Array,
  base: number,
  steps: number,
): void {
  for (let s = 0; s < steps; s++) {
    const lower = min === undefined ? Number.NEGATIVE_INFINITY : (min[s] as number);
    const upper = max === undefined ? Number.POSITIVE_INFINITY : (max[s] as number);
    const v = values[base + s] as number;
    if (upper < lower) present[base + s] = 0;
    else if (min === undefined) values[base + s] = lesser(upper, v);
    else if (max === undefined) values[base + s] = greater(lower, v);
    else values[base + s] = greater(lower, lesser(upper, v));
  }
}

/** To the nearest multiple of `to` (1 when absent), ties up. Dividing by the inverse keeps decimals like 0.1 exact. */
function roundRow(to: Float64Array | undefined, values: Float64Array, base: number, steps: number): void {
  for (let s = 0; s < steps; s++) {
    const inverse = to === undefined ? 1 : 1 / (to[s] as number);
    values[base + s] = Math.floor((values[base + s] as number) * inverse + 0.5) / inverse;
  }
}
