import type { Histogram } from "../../model/histogram.ts";
import type { RowMap } from "../plan/shard-plan.ts";
import type { Notebook } from "./notebook.ts";
import { PRESENT_HISTOGRAM } from "./vector.ts";

/**
 * What an elementwise operation makes of the histograms of a row (cells [base, base + steps)), before it works on the floats:
 * histograms that it has no result for become absent.
 */
export function mapHistograms(
  _map: RowMap,
  _mapIndex: number,
  _params: readonly Float64Array[],
  _pool: Histogram[],
  _values: Float64Array,
  present: Uint8Array,
  base: number,
  steps: number,
  _book: Notebook,
): void {
  for (let i = base; i < base + steps; i++) if (present[i] === PRESENT_HISTOGRAM) present[i] = 0;
}
