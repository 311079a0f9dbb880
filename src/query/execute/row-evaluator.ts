import type { SampleBuffer } from "../../model/sample.ts";
import { applyScalar, isComparison } from "../functions/binary-op.ts";
import { applyElementwise } from "../functions/elementwise.ts";
import type { RowMap, ShardPlan } from "../plan/shard-plan.ts";
import { selectNewest, selectSmoothed } from "./instant.ts";
import { evaluateSlice, prepareRange, rangeKeepsName, sliceEnd } from "./range-function.ts";
import { canNote, noteRange, type RangeNotes } from "./range-notes.ts";
import { dropStale, locateWindows, makeWindows, windowBounds } from "./windows.ts";

/** Work of a slice of a row: enough to have the clock looked at. */
const ONE_SLICE = 1_000_000;

function never(): void {}

/** A plan's way from a series' samples to its row. One evaluator serves all series of a plan, one after the other. */
export interface RowEvaluator {
  readonly steps: number;
  /** Times of the samples to read, inclusive. */
  readonly bounds: { readonly minT: number; readonly maxT: number };
  readonly dropsName: boolean;
  readonly mayNote: boolean;
  /** Fills the row's cells (which must be absent before); false when it has no sample at any step. May change the buffer. */
  evaluate(series: SampleBuffer, values: Float64Array, present: Uint8Array, base: number): boolean;
  /** Makes the samples those of a range selector: staleness markers taken out. */
  prepare(series: SampleBuffer): void;
  /** What is to be said of the series evaluated last: of the range function's results, whatever became of them after. */
  note(notes: RangeNotes, metric: string): void;
}

/** `check` is called between the slices of long rows, with the work done; it may throw. */
export function makeRowEvaluator(plan: ShardPlan, check: (work: number) => void = never): RowEvaluator {
  const { grid, select, range } = plan;
  const { steps } = grid;
  const smoothed = range === undefined ? select.smoothed === true : range.smoothed === true;
  const before = range !== undefined && (range.anchored === true || smoothed) ? select.lookback : 0;
  const after = smoothed ? select.lookback : 0;
  const w = makeWindows(grid, range?.range ?? select.lookback, select.offset, select.at, before, after);
  const prepared = range === undefined ? undefined : prepareRange(range, steps);
  const maps = plan.maps.map((m) => prepareMap(m, steps));
  const seesStale = prepared === undefined && !smoothed && plan.raw !== true;
  const mayNote = prepared !== undefined && canNote(prepared.call.func);
  let current: SampleBuffer;
  const produced = new Uint8Array(mayNote ? steps : 0);
  return {
    steps,
    bounds: windowBounds(w),
    dropsName:
      (range !== undefined && !rangeKeepsName(range.func)) ||
      select.output !== "value" ||
      maps.some((m) => m.dropsName),
    mayNote,
    evaluate(series, values, present, base) {
      current = series;
      if (!seesStale) dropStale(series);
      locateWindows(w, series.ts, series.length);
      if (prepared !== undefined) {
        for (let from = 0; from < steps; ) {
          const to = sliceEnd(prepared, series, w, from);
          evaluateSlice(prepared, series, w, from, to, values, present, base);
          if (to < steps) check(ONE_SLICE);
          from = to;
        }
      } else if (smoothed) selectSmoothed(series, w, values, present, base);
      else selectNewest(series, w, select.output, values, present, base);
      if (mayNote) produced.set(present.subarray(base, base + steps));
      for (const m of maps) m.apply(values, present, base);
      for (let i = base; i < base + steps; i++) if (present[i] !== 0) return true;
      return false;
    },
    prepare: dropStale,
    note(notes, metric) {
      if (prepared !== undefined) noteRange(notes, prepared, current, produced, 0, steps, metric);
    },
  };
}

interface PreparedMap {
  readonly dropsName: boolean;
  apply(values: Float64Array, present: Uint8Array, base: number): void;
}

function prepareMap(map: RowMap, steps: number): PreparedMap {
  const perStep = (p: number | Float64Array): Float64Array =>
    typeof p === "number" ? new Float64Array(steps).fill(p) : p;
  if (map.kind === "function") {
    const params = map.params.map(perStep);
    const { func } = map;
    return {
      dropsName: true,
      apply: (values, present, base) => applyElementwise(func, params, values, present, base, steps),
    };
  }
  const { op, scalarOnLeft, returnBool } = map;
  const scalar = perStep(map.scalar);
  return {
    dropsName: !isComparison(op) || returnBool,
    apply: (values, present, base) => applyScalar(op, scalar, scalarOnLeft, returnBool, values, present, base, steps),
  };
}
