import type { BitWriter } from "./bit-stream.ts";
import { findContexts } from "./contexts.ts";
import { derive, type EarlierColumns, keepEarlier } from "./derive.ts";
import { type DirectoryWriter, putNumber, putSigned } from "./directory.ts";
import { putFloat } from "./float-column.ts";
import { type Effort, makeNumberPlan, planGiven, planNumbers, writePlanned } from "./numbers.ts";
import { CODE_DERIVED, CODE_NUMBERS, CODE_TICKS } from "./page-layout.ts";
import { SCALE_BINARY, type Scaling } from "./scale.ts";
import { findTick, splitTicks } from "./ticks.ts";

/** What the columns of a page so far tell about the next. */
export interface Learned {
  readonly earlier: EarlierColumns;
  /** The tick of the last column that had one, 0 for none yet; how often one was sought without knowing any. */
  tick: number;
  ticksTried: number;
}

/** Columns of fewer bits a row have no digits below a tick, those of fewer decimals are no times of a fine clock. */
const TICK_BITS = 8;
const TICK_PLACES = 5;
/** How often a tick is sought in a page where none is known. */
const MAX_TICKS_TRIED = 24;
const tickPlan = makeNumberPlan();
const offTickPlan = makeNumberPlan();
let ticks = new Float64Array(4096);
let offTicks = new Float64Array(4096);
let contexts = new Uint8Array(4096);
const one = new Float64Array(1);
const oneWords = new Uint32Array(one.buffer);
/** Columns of fewer rows are not worth a search. */
const MIN_ROWS = 64;
const ownPlan = makeNumberPlan();
const derivedPlan = makeNumberPlan();

/** A column that was scaled: by itself, or as the rest of earlier ones. */
export function writeScaled(
  d: DirectoryWriter,
  bodies: BitWriter,
  scaling: Scaling,
  n: number,
  index: number,
  learned: Learned,
  effort: Effort,
): number {
  planNumbers(ownPlan, scaling.whole, n, effort);
  const derived = derive(learned.earlier, scaling.whole, ownPlan, derivedPlan, effort);
  const inTicks = derived === undefined && effort === "small" && planTicks(scaling, learned, n);
  const plan = derived !== undefined ? derivedPlan : inTicks ? tickPlan : ownPlan;
  const found = effort === "small" && n >= MIN_ROWS ? findContexts(learned.earlier, plan) : undefined;
  const source = found && { back: index - found.column - 1, level: found.level, cuts: found.cuts };
  keepEarlier(learned.earlier, index, scaling.whole, ownPlan, Math.max(derived?.depth ?? 0, found?.depth ?? 0));
  if (derived !== undefined) {
    putNumber(d, derived.terms.length - 1);
    for (const term of derived.terms) {
      putNumber(d, index - term.column - 1);
      putSigned(d, term.num);
      putNumber(d, term.den);
    }
  } else if (inTicks) {
    one[0] = learned.tick;
    putFloat(d, oneWords[0] as number, oneWords[1] as number);
  }
  writePlanned(d, bodies, plan, found?.contexts, source);
  if (inTicks) writePlanned(d, bodies, offTickPlan, contexts);
  return derived !== undefined ? CODE_DERIVED : inTicks ? CODE_TICKS : CODE_NUMBERS;
}

/** Whether the column in `scaling` is cheaper as ticks and what is off them; the tick is then the one learned. */
function planTicks(scaling: Scaling, learned: Learned, n: number): boolean {
  if (n < 128 || scaling.mode === SCALE_BINARY || scaling.places < TICK_PLACES || ownPlan.bits < TICK_BITS * n)
    return false;
  let tick = learned.tick === 0 ? 0 : findTick(scaling.whole, n, learned.tick);
  if (tick === 0) {
    if (learned.ticksTried >= MAX_TICKS_TRIED) return false;
    learned.ticksTried++;
    tick = findTick(scaling.whole, n, 0);
  }
  if (tick === 0) return false;
  if (ticks.length < n) {
    ticks = new Float64Array(2 * n);
    offTicks = new Float64Array(2 * n);
    contexts = new Uint8Array(2 * n);
  }
  splitTicks(scaling.whole, n, tick, ticks, offTicks, contexts);
  planNumbers(tickPlan, ticks, n, "small");
  planGiven(offTickPlan, offTicks, n);
  if (tickPlan.bits + offTickPlan.bits > 0.97 * ownPlan.bits) return false;
  learned.tick = tick;
  return true;
}
