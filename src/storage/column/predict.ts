/**
 * Residuals: what is left of a column of whole numbers x[0, n) when each is predicted from those before it.
 * All arithmetic is exact: numbers are at most 2^51 and a prediction looks back by two at most.
 */
export const PREDICT_NONE = 0;
export const PREDICT_LAST = 1;
export const PREDICT_LINE = 2;
export const PREDICT_HALF = 3;
export const PREDICTORS = 4;

/** r[i] = x[i] less its prediction; `base` is the number (NONE, HALF), the step (LAST) or the first step (LINE) to go from. */
export function residualsOf(x: Float64Array, n: number, predictor: number, base: number, r: Float64Array): void {
  if (predictor === PREDICT_NONE) {
    for (let i = 0; i < n; i++) r[i] = (x[i] as number) - base;
  } else if (predictor === PREDICT_LAST) {
    let last = -base;
    for (let i = 0; i < n; i++) {
      const v = x[i] as number;
      r[i] = v - last - base;
      last = v;
    }
  } else if (predictor === PREDICT_LINE) {
    let last = -base;
    let step = base;
    for (let i = 0; i < n; i++) {
      const v = x[i] as number;
      const d = v - last;
      r[i] = d - step;
      step = d;
      last = v;
    }
  } else {
    let last = 0;
    for (let i = 0; i < n; i++) {
      const v = (x[i] as number) - base;
      r[i] = v - Math.floor(last / 2);
      last = v;
    }
  }
}

/** How the whole numbers of a column follow from its residuals: x as predicted, then offset + unit * x. */
export interface Unfolding {
  readonly predictor: number;
  readonly base: number;
  readonly offset: number;
  readonly unit: number;
}

/** The inverse of `residualsOf`, of r[0, n) to out[at, at + n). */
export function unfold(r: Float64Array, n: number, how: Unfolding, out: Float64Array, at: number): void {
  const { predictor, base, offset, unit } = how;
  if (predictor === PREDICT_NONE) {
    for (let i = 0; i < n; i++) out[at + i] = ((r[i] as number) + base) * unit + offset;
  } else if (predictor === PREDICT_LAST) {
    let last = -base;
    for (let i = 0; i < n; i++) {
      last += (r[i] as number) + base;
      out[at + i] = last * unit + offset;
    }
  } else if (predictor === PREDICT_LINE) {
    let last = -base;
    let step = base;
    for (let i = 0; i < n; i++) {
      step += r[i] as number;
      last += step;
      out[at + i] = last * unit + offset;
    }
  } else {
    let last = 0;
    for (let i = 0; i < n; i++) {
      last = (r[i] as number) + Math.floor(last / 2);
      out[at + i] = (last + base) * unit + offset;
    }
  }
}

/** The same where all residuals are 0. */
export function unfoldNothing(n: number, how: Unfolding, out: Float64Array, at: number): void {
  const { predictor, base, offset, unit } = how;
  const isLine = predictor === PREDICT_LAST || predictor === PREDICT_LINE;
  const step = isLine ? base * unit : 0;
  if (step === 0) out.fill(isLine ? offset : base * unit + offset, at, at + n);
  else for (let i = 0; i < n; i++) out[at + i] = i * step + offset;
}
