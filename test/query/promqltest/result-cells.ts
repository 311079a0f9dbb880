import type { Histogram } from "../../../src/model/histogram.ts";
import { decodeHistogram } from "../../../src/model/histogram-code.ts";
import { type Labels, labelsKey } from "../../../src/model/labels.ts";
import type { InstantResult, RangeResult } from "../../../src/model/query.ts";
import { histogramRef, isHistogramAt } from "../../../src/model/sample.ts";
import { showHistogram } from "./compare-histograms.ts";

/** What a series of a result has at a step. */
export type Cell = number | Histogram | undefined;

/** Series of a result by the keys of their labels. */
export type Rows = Map<string, { labels: Labels; cells: Cell[] }>;

/** Cells of rows one behind another. */
interface Cells {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms: readonly Histogram[];
}

/** Throws where a cell says that it is something that there is not. */
export function cellAt({ values, present, histograms }: Cells, i: number): Cell {
  if (present[i] === 0) return undefined;
  if (present[i] === 1) return values[i] as number;
  const h = present[i] === 2 ? histograms[values[i] as number] : undefined;
  if (h === undefined) throw new Error(`cell ${i} is a ${present[i]} with ${values[i]} of ${histograms.length}`);
  return h;
}

export function showCell(cell: Cell): string {
  return typeof cell === "object" ? showHistogram(cell) : String(cell ?? "_");
}

export function rangeRows({ matrix }: RangeResult): Rows {
  const { steps, labels } = matrix;
  const cells = (r: number): Cell[] => Array.from({ length: steps }, (_, s) => cellAt(matrix, r * steps + s));
  return new Map(labels.map((l, r) => [labelsKey(l), { labels: l, cells: cells(r) }]));
}

/** Raw samples on a grid (ms); what is wrong when one is beside it. */
export function rawRows(
  grid: { readonly start: number; readonly end: number; readonly step: number },
  result: Extract<InstantResult, { type: "matrix" }>,
): Rows | string {
  const { start, end, step } = grid;
  const rows: Rows = new Map();
  for (let r = 0; r < result.labels.length; r++) {
    const cells = new Array<Cell>(Math.floor((end - start) / step) + 1).fill(undefined);
    const ts = result.ts[r] as Float64Array;
    const values = result.values[r] as Float64Array;
    const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
    for (let i = 0; i < ts.length; i++) {
      const at = ((ts[i] as number) - start) / step;
      if (!Number.isInteger(at) || at < 0 || at >= cells.length) return `sample at ${ts[i]}`;
      cells[at] = isHistogramAt(words, i)
        ? decodeHistogram(result.histograms[r] as Uint8Array, histogramRef(words, i))
        : values[i];
    }
    rows.set(labelsKey(result.labels[r] as Labels), { labels: result.labels[r] as Labels, cells });
  }
  return rows;
}
