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

/** The inverse: x from r, which may be the same array. */
export function sumUp(r: Float64Array, n: number, predictor: number, base: number, x: Float64Array): void {
  if (predictor === PREDICT_NONE) {
    for (let i = 0; i < n; i++) x[i] = (r[i] as number) + base;
  } else if (predictor === PREDICT_LAST) {
    let last = -base;
    for (let i = 0; i < n; i++) {
      last += (r[i] as number) + base;
      x[i] = last;
    }
  } else if (predictor === PREDICT_LINE) {
    let last = -base;
    let step = base;
    for (let i = 0; i < n; i++) {
      step += r[i] as number;
      last += step;
      x[i] = last;
    }
  } else {
    let last = 0;
    for (let i = 0; i < n; i++) {
      last = (r[i] as number) + Math.floor(last / 2);
      x[i] = last + base;
    }
  }
}
