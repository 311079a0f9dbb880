import {
  CUSTOM_BUCKETS_SCHEMA,
  type Histogram,
  RESET_GAUGE,
  RESET_NO,
  RESET_YES,
} from "../../../src/model/histogram.ts";
import type { PartialOp } from "../../../src/query/plan/shard-plan.ts";

/** Aggregations over floats and histograms, worked out from all samples of a group at a step, for tests. */

export type Cell = number | Histogram | undefined;

export interface Series {
  readonly group: string;
  /** Which of the shards has it. */
  readonly shard: number;
  readonly cells: readonly Cell[];
}

/** A histogram as numbers that can be compared: populated buckets by their upper bounds. */
type Plain = readonly (number | readonly (readonly [number, number])[])[];

export type PlainCell = number | Plain | undefined;

interface Notes {
  readonly warnings: Set<string>;
  readonly infos: Set<string>;
}

export function plain(cell: Cell): PlainCell {
  return typeof cell === "object" ? plainOf(cell, cell.schema, cell.customBounds) : cell;
}

function plainOf(h: Histogram, schema: number, bounds: readonly number[]): Plain {
  const positive = bucketsOf(h.positiveSpans, h.positive, (i) => upperBound(h, i, schema, bounds));
  const negative = bucketsOf(h.negativeSpans, h.negative, (i) => upperBound(h, i, schema, bounds));
  return [schema, h.resetHint, h.count, h.sum, h.zeroCount, h.zeroThreshold, positive, negative];
}

/** Of the bucket of a coarser layout that a bucket goes to. */
function upperBound(h: Histogram, index: number, schema: number, bounds: readonly number[]): number {
  if (schema !== CUSTOM_BUCKETS_SCHEMA) return Math.ceil(index / 2 ** (h.schema - schema));
  const own = h.customBounds[index] ?? Number.POSITIVE_INFINITY;
  return bounds.find((b) => b >= own) ?? Number.POSITIVE_INFINITY;
}

function bucketsOf(
  spans: readonly number[],
  counts: readonly number[],
  to: (index: number) => number,
): (readonly [number, number])[] {
  const found = new Map<number, number>();
  let index = 0;
  let at = 0;
  for (let s = 0; s < spans.length; s += 2) {
    index += spans[s] as number;
    for (let k = 0; k < (spans[s + 1] as number); k++) {
      const bucket = to(index++);
      found.set(bucket, (found.get(bucket) ?? 0) + (counts[at++] as number));
    }
  }
  return [...found].filter(([, n]) => n !== 0).sort(([a], [b]) => a - b);
}

function merged(parts: readonly (readonly (readonly [number, number])[])[], divisor: number): [number, number][] {
  const found = new Map<number, number>();
  for (const part of parts) for (const [b, n] of part) found.set(b, (found.get(b) ?? 0) + n);
  return [...found].map(([b, n]): [number, number] => [b, n / divisor]).sort(([a], [b]) => a - b);
}

function hintOf(hints: readonly number[]): number {
  if (hints.includes(RESET_GAUGE)) return RESET_GAUGE;
  return new Set(hints).size === 1 ? (hints[0] as number) : 0;
}

function totalOf(all: readonly Histogram[], divisor: number, notes: Notes): PlainCell {
  const kinds = new Set(all.map((h) => h.schema === CUSTOM_BUCKETS_SCHEMA));
  if (kinds.size > 1) {
    notes.warnings.add(
      'PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "m"',
    );
    return undefined;
  }
  const schema = Math.min(...all.map((h) => h.schema));
  const first = all[0] as Histogram;
  const bounds = first.customBounds.filter((b) => all.every((h) => h.customBounds.includes(b)));
  if (all.some((h) => h.customBounds.join() !== first.customBounds.join())) {
    notes.infos.add("PromQL info: mismatched custom buckets were reconciled during aggregation");
  }
  const hints = all.map((h) => h.resetHint);
  if (hints.includes(RESET_YES) && hints.includes(RESET_NO)) {
    notes.warnings.add("PromQL warning: conflicting counter resets during histogram aggregation");
  }
  const parts = all.map((h) => plainOf(h, schema, bounds));
  const added = (i: number): number => parts.reduce((sum, p) => sum + (p[i] as number), 0) / divisor;
  const side = (i: number) =>
    merged(
      parts.map((p) => p[i] as [number, number][]),
      divisor,
    );
  return [schema, hintOf(hints), added(2), added(3), added(4), first.zeroThreshold, side(6), side(7)];
}

function aggregated(op: PartialOp, cells: readonly Cell[], notes: Notes): PlainCell {
  const floats = cells.filter((c) => typeof c === "number");
  const histograms = cells.filter((c) => typeof c === "object");
  const n = floats.length + histograms.length;
  if (n === 0) return undefined;
  if (op === "count") return n;
  if (op === "group") return 1;
  const sum = floats.reduce((a, b) => a + b, 0);
  if (op === "sum" || op === "avg") {
    if (histograms.length === 0) return op === "sum" ? sum : sum / n;
    if (floats.length === 0) return totalOf(histograms, op === "sum" ? 1 : n, notes);
    notes.warnings.add("PromQL warning: encountered a mix of histograms and floats for aggregation");
    return undefined;
  }
  if (histograms.length > 0) notes.infos.add(`PromQL info: ignored histogram in ${op} aggregation`);
  if (floats.length === 0) return undefined;
  if (op === "min") return Math.min(...floats);
  if (op === "max") return Math.max(...floats);
  const mean = sum / floats.length;
  const variance = floats.reduce((a, x) => a + (x - mean) ** 2, 0) / floats.length;
  return op === "stdvar" ? variance : Math.sqrt(variance);
}

/** Rows by group, those without a result left out, and the notes without their places, sorted. */
export function modelOf(
  series: readonly Series[],
  op: PartialOp,
  steps: number,
): { rows: Map<string, PlainCell[]>; warnings: string[]; infos: string[] } {
  const notes: Notes = { warnings: new Set(), infos: new Set() };
  const rows = new Map<string, PlainCell[]>();
  for (const group of new Set(series.map((s) => s.group))) {
    const own = series.filter((s) => s.group === group);
    const cells = Array.from({ length: steps }, (_, step) =>
      aggregated(
        op,
        own.map((s) => s.cells[step]),
        notes,
      ),
    );
    if (cells.some((c) => c !== undefined)) rows.set(group, cells);
  }
  return { rows, warnings: [...notes.warnings].sort(), infos: [...notes.infos].sort() };
}
