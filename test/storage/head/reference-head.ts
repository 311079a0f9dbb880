import type { SampleColumns } from "../../../src/model/sample.ts";
import { type AppendResult, appendColumns } from "../../../src/storage/head/append.ts";
import type { Head } from "../../../src/storage/head/head.ts";

/** A sample with the value's bits, so that NaNs compare as storage must keep them. */
export interface Row {
  readonly hash: number;
  readonly t: number;
  readonly lo: number;
  readonly hi: number;
}

export const bitsOf = (value: number): { lo: number; hi: number } => {
  const words = new Uint32Array(new Float64Array([value]).buffer);
  return { lo: words[0] as number, hi: words[1] as number };
};

/** Series number n of a test has this hash: all the bits that matter to the table differ. */
export const hashOf = (n: number): { lo: number; hi: number } => ({
  lo: Math.imul(n + 1, 0x9e3779b1) >>> 0,
  hi: Math.imul(n + 7, 0x85ebca6b) >>> 0,
});

export function columnsOf(rows: readonly Row[]): SampleColumns {
  const values = new Float64Array(rows.length);
  const words = new Uint32Array(values.buffer);
  rows.forEach((r, i) => {
    words[2 * i] = r.lo;
    words[2 * i + 1] = r.hi;
  });
  return {
    length: rows.length,
    hashLo: Uint32Array.from(rows, (r) => hashOf(r.hash).lo),
    hashHi: Uint32Array.from(rows, (r) => hashOf(r.hash).hi),
    ts: Float64Array.from(rows, (r) => r.t),
    values,
  };
}

export function appendRows(
  head: Head,
  rows: readonly Row[],
): AppendResult & { unknown: number[]; ambiguous: number[] } {
  const unknown = new Uint32Array(rows.length);
  const result = appendColumns(head, columnsOf(rows), unknown);
  return {
    ...result,
    unknown: [...unknown.subarray(0, result.unknownCount)],
    ambiguous: [...unknown.subarray(rows.length - result.ambiguousCount)].reverse(),
  };
}

/** What a head must be equal to: maps, and the rules of docs/format/head-chunk.md said as plainly as possible. */
export interface ReferenceHead {
  readonly windowMs: number;
  readonly series: Map<number, Map<number, string>>;
  readonly newest: Map<number, number>;
}

export function referenceAppend(model: ReferenceHead, row: Row): keyof AppendResult | "overwritten" | "outOfOrder" {
  const samples = model.series.get(row.hash);
  if (samples === undefined) return "unknownCount";
  const newest = model.newest.get(row.hash) ?? Number.NEGATIVE_INFINITY;
  const value = `${row.hi}:${row.lo}`;
  if (row.t < newest - model.windowMs) return "tooOld";
  const there = samples.get(row.t);
  if (there === value) return "duplicates";
  samples.set(row.t, value);
  model.newest.set(row.hash, Math.max(newest, row.t));
  if (there !== undefined) return "overwritten";
  return row.t < newest ? "outOfOrder" : "accepted";
}
