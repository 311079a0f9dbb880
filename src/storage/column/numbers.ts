import { alignBits, type BitWriter } from "./bit-stream.ts";
import { type DirectoryWriter, putByte, putNumber, putSigned } from "./directory.ts";
import { HAS_BODY, HAS_SOURCE, HAS_UNIT, type NumberSource } from "./numbers-read.ts";
import { PREDICT_HALF, PREDICT_LAST, PREDICT_LINE, PREDICT_NONE, residualsOf } from "./predict.ts";
import { writeResiduals } from "./residual-code.ts";
import { copyPlan, MAX_CONTEXTS, makePlan, planContexts, planResiduals, type ResidualPlan } from "./residual-plan.ts";
import { classOf } from "./tokens.ts";

export type Effort = "fast" | "small";

/** How a column is to be written, found by `planNumbers`. */
export interface NumberPlan {
  /** What body and parameters are estimated to take. */
  bits: number;
  rows: number;
  offset: number;
  unit: number;
  predictor: number;
  base: number;
  /** Of residuals that are not all zero. */
  hasBody: boolean;
  /** A hash of the numbers less the first, divided by the unit, the first that is not 0 taken as positive. */
  shape: number;
  residuals: Float64Array;
  readonly code: ResidualPlan;
}

export function makeNumberPlan(): NumberPlan {
  return {
    bits: 0,
    rows: 0,
    offset: 0,
    unit: 1,
    predictor: PREDICT_LAST,
    base: 0,
    hasBody: false,
    shape: 0,
    residuals: new Float64Array(4096),
    code: makePlan(),
  };
}

let x = new Float64Array(4096);
let trial: Float64Array = new Float64Array(4096);
const trialCode = makePlan();
const sample = new Float64Array(33);

const PARAMETER_BITS = 40;

/** Finds how to write whole[0, n), n at least 1. */
export function planNumbers(plan: NumberPlan, whole: Float64Array, n: number, effort: Effort): void {
  if (x.length < n) {
    x = new Float64Array(2 * n);
    trial = new Float64Array(2 * n);
  }
  if (plan.residuals.length < trial.length) plan.residuals = new Float64Array(trial.length);
  plan.rows = n;
  plan.offset = whole[0] as number;
  plan.unit = reduce(whole, n, plan.offset);
  plan.hasBody = true;
  plan.bits = Number.POSITIVE_INFINITY;
  const step = medianStep(n);
  attempt(plan, PREDICT_LAST, step);
  if (plan.hasBody) tryOthers(plan, step, effort);
  if (plan.hasBody && effort === "small" && n >= 64) {
    planContexts(plan.residuals, n, plan.code);
    plan.bits = plan.code.bits;
  }
  plan.bits += PARAMETER_BITS;
  if (plan.hasBody) plan.shape = shapeOf(n);
}

/** Tries the predictions that a sample of the rows does not speak against. */
function tryOthers(plan: NumberPlan, step: number, effort: Effort): void {
  const n = plan.rows;
  const middle = median(n);
  const small = effort === "small";
  let last = 0;
  let stepped = 0;
  let line = 0;
  let none = 0;
  const count = Math.min(n - 2, 2 * sample.length);
  for (let k = 0; k < count; k++) {
    const i = 2 + Math.floor((k * (n - 2)) / count);
    const v = x[i] as number;
    const d = v - (x[i - 1] as number);
    last += classOf(d);
    stepped += classOf(d - step);
    line += classOf(d - (x[i - 1] as number) + (x[i - 2] as number));
    none += classOf(v - middle);
  }
  const limit = small ? Number.POSITIVE_INFINITY : 1.1 * Math.min(last, stepped, line, none) + 8;
  if (step !== 0 && last <= limit) attempt(plan, PREDICT_LAST, 0);
  if (n > 1 && line <= limit) attempt(plan, PREDICT_LINE, (x[1] as number) - (x[0] as number));
  if (none <= limit) attempt(plan, PREDICT_NONE, middle);
  if (!small) return;
  attempt(plan, PREDICT_NONE, least(n));
  attempt(plan, PREDICT_HALF, middle);
}

/** A plan of v[0, n) as they are, with four contexts that are given. */
export function planGiven(plan: NumberPlan, v: Float64Array, n: number): void {
  if (plan.residuals.length < n) plan.residuals = new Float64Array(2 * n);
  plan.rows = n;
  plan.offset = 0;
  plan.unit = 1;
  plan.predictor = PREDICT_NONE;
  plan.base = 0;
  for (let i = 0; i < n; i++) plan.residuals[i] = v[i] as number;
  plan.hasBody = !allZero(plan.residuals, n);
  planResiduals(plan.residuals, n, plan.code);
  plan.code.contexts = MAX_CONTEXTS;
  plan.bits = plan.code.bits + PARAMETER_BITS;
}

function shapeOf(n: number): number {
  let i = 0;
  while (i < n && x[i] === 0) i++;
  const sign = i < n && (x[i] as number) < 0 ? -1 : 1;
  let h = n;
  for (; i < n; i++) {
    h = Math.imul(h ^ ((sign * (x[i] as number)) | 0), 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h;
}

/** Takes this prediction into the plan when it is better than what is there. */
function attempt(plan: NumberPlan, predictor: number, base: number): void {
  const n = plan.rows;
  residualsOf(x, n, predictor, base, trial);
  const zero = allZero(trial, n);
  if (zero) trialCode.bits = 0;
  else {
    planResiduals(trial, n, trialCode);
    if (trialCode.bits >= plan.bits) return;
  }
  copyPlan(trialCode, plan.code);
  plan.bits = trialCode.bits;
  plan.predictor = predictor;
  plan.base = base;
  plan.hasBody = !zero;
  [plan.residuals, trial] = [trial, plan.residuals];
}

/** Writes a planned column: parameters to the directory, residuals to the bodies. */
export function writePlanned(
  d: DirectoryWriter,
  w: BitWriter,
  plan: NumberPlan,
  contexts: Uint8Array | undefined,
  source?: NumberSource,
): void {
  const flags = (plan.unit === 1 ? 0 : HAS_UNIT) | (plan.hasBody ? HAS_BODY : 0) | (source ? HAS_SOURCE : 0);
  putByte(d, plan.predictor | flags);
  if (source !== undefined) {
    putNumber(d, 2 * source.back + (source.level ? 1 : 0));
    let last = 0;
    for (const cut of source.cuts) {
      putSigned(d, cut - last);
      last = cut;
    }
  }
  putSigned(d, plan.offset);
  if (plan.unit !== 1) putNumber(d, plan.unit);
  putSigned(d, plan.base);
  if (!plan.hasBody) return;
  const from = alignBits(w);
  writeResiduals(w, plan.residuals, plan.rows, plan.code, contexts);
  putNumber(d, (w.bit >>> 3) - from);
}

const ownPlan = makeNumberPlan();

/** Writes whole[0, n), n at least 1, by the best plan. */
export function writeNumbers(d: DirectoryWriter, w: BitWriter, whole: Float64Array, n: number, effort: Effort): void {
  planNumbers(ownPlan, whole, n, effort);
  writePlanned(d, w, ownPlan, undefined);
}

function allZero(r: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) if (r[i] !== 0) return false;
  return true;
}

function gcd(a: number, b: number): number {
  let p = Math.abs(a);
  let q = Math.abs(b);
  while (q !== 0) [p, q] = [q, p % q];
  return p;
}

/** Fills x with (whole - offset) / unit for the greatest unit, and returns that. */
function reduce(whole: Float64Array, n: number, offset: number): number {
  let unit = 0;
  const stride = Math.max(1, Math.floor(n / 16));
  for (let i = 0; i < n && unit !== 1; i += stride) unit = gcd(unit, (whole[i] as number) - offset);
  for (let i = 0; i < n; i++) {
    const d = (whole[i] as number) - offset;
    if (d === 0) {
      x[i] = 0;
      continue;
    }
    if (unit === 0) unit = Math.abs(d);
    const q = d / unit;
    if (q === Math.floor(q)) {
      x[i] = q;
      continue;
    }
    unit = gcd(unit, d);
    if (unit > 1) {
      i = -1;
      continue;
    }
    for (let k = 0; k < n; k++) x[k] = (whole[k] as number) - offset;
    return 1;
  }
  return unit === 0 ? 1 : unit;
}

function sortSample(count: number): number {
  const s = sample.subarray(0, count).sort();
  return s[count >> 1] as number;
}

function median(n: number): number {
  const count = Math.min(n, sample.length);
  for (let k = 0; k < count; k++) sample[k] = x[Math.floor((k * n) / count)] as number;
  return sortSample(count);
}

function medianStep(n: number): number {
  if (n < 2) return 0;
  const count = Math.min(n - 1, sample.length);
  for (let k = 0; k < count; k++) {
    const i = 1 + Math.floor((k * (n - 1)) / count);
    sample[k] = (x[i] as number) - (x[i - 1] as number);
  }
  return sortSample(count);
}

function least(n: number): number {
  let min = x[0] as number;
  for (let i = 1; i < n; i++) if ((x[i] as number) < min) min = x[i] as number;
  return min;
}
