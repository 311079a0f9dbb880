import type { SampleBuffer } from "../../model/sample.ts";
import type { ShardNote } from "../plan/shard-plan.ts";
import type { PreparedRange } from "./range-function.ts";
import { hasOverlappingStart } from "./rate.ts";
import { PRESENT_FLOAT } from "./vector.ts";
import type { Windows } from "./windows.ts";

/** Notes on what range functions were given, without doubles. Only a function that has a result says anything. */
export type RangeNotes = Map<string, ShardNote>;

const COUNTER_SUFFIX = /_(total|sum|count|bucket)$/;

export function canNote(func: string): boolean {
  return func === "rate" || func === "increase" || func === "quantile_over_time";
}

/**
 * Notes on one series; undefined: it was read as buckets, which tell nothing of single samples, or has native histograms, whose
 * functions look at single samples themselves. `present` has the function's results from `base`, one a window.
 */
export function noteRange(
  notes: RangeNotes,
  { call, params }: PreparedRange,
  series: SampleBuffer | undefined,
  w: Windows,
  present: Uint8Array,
  base: number,
  metric: string,
): void {
  const { steps } = w;
  if (call.func === "quantile_over_time") {
    const q = params[0] as Float64Array;
    for (let s = 0; s < steps; s++) {
      const quantile = q[s] as number;
      if ((quantile >= 0 && quantile <= 1) || present[base + s] === 0) continue;
      notes.set(`invalidQuantile ${quantile}`, { kind: "invalidQuantile", quantile });
    }
    return;
  }
  const extended = call.anchored === true || call.smoothed === true;
  if (series !== undefined && !extended && hasOverlappingStart(series, 0, series.length)) {
    noteOverlap(notes, series, w, metric);
  }
  if (metric === "" || COUNTER_SUFFIX.test(metric)) return;
  const key = `possibleNonCounter ${metric}`;
  if (notes.has(key)) return;
  for (let i = base; i < base + steps; i++) {
    if (present[i] !== PRESENT_FLOAT) continue;
    notes.set(key, { kind: "possibleNonCounter", metric });
    return;
  }
}

/** Samples of two windows may overlap without those of one doing so. */
function noteOverlap(notes: RangeNotes, series: SampleBuffer, { lo, hi, steps }: Windows, metric: string): void {
  const key = `startTimeOverlap ${metric}`;
  for (let s = 0; s < steps && !notes.has(key); s++) {
    if (hasOverlappingStart(series, lo[s] as number, hi[s] as number))
      notes.set(key, { kind: "startTimeOverlap", metric });
  }
}
