import { describe, expect, test } from "vitest";
import type { Histogram } from "../../../src/model/histogram.ts";
import { mapHistograms } from "../../../src/query/execute/histogram-map.ts";
import { PRESENT_FLOAT, PRESENT_HISTOGRAM } from "../../../src/query/execute/vector.ts";
import type { RowMap } from "../../../src/query/plan/shard-plan.ts";
import { readHistogram } from "../histogram/notation.ts";

const H = PRESENT_HISTOGRAM;
const F = PRESENT_FLOAT;
const times = (scalarOnLeft = false, op = "*"): RowMap => ({
  kind: "binary",
  op,
  scalar: 0,
  scalarOnLeft,
  returnBool: false,
});

/** A pool in which the first histogram is another row's. */
function row() {
  const pool = ["{{count:9 buckets:[9]}}", "{{count:1 buckets:[1]}}", "{{count:2 buckets:[2]}}"].map(readHistogram);
  const values = Float64Array.of(0, 1, 1, 7, 2, 2, 0);
  const present = Uint8Array.of(H, H, H, F, H, H, 0);
  const said: string[] = [];
  const book = {
    say: (severity: string, text: string, map?: number) => said.push(`${severity} ${map} ${text}`),
    metric: () => "",
  };
  const map = (what: RowMap, params: readonly number[][]): void =>
    mapHistograms(
      what,
      3,
      params.map((p) => Float64Array.from(p)),
      pool,
      values,
      present,
      1,
      6,
      book,
    );
  const counts = () => Array.from(values, (v, i) => (present[i] === H ? (pool[v] as Histogram).count : v));
  return { pool, values, present, said, map, counts };
}

describe("histograms of a row in a shard", () => {
  test("results take the place of what they are made of; cells of one histogram share them", () => {
    const { pool, values, present, said, map, counts } = row();
    map(times(), [[3, 3, 3, 3, 3, 3]]);
    expect(counts()).toEqual([9, 3, 3, 7, 6, 6, 0]);
    expect(pool.length).toBe(3);
    expect(values[1]).toBe(values[2]);
    map(times(true), [[3, 3, 3, 3, 3, 3]]);
    expect(counts()).toEqual([9, 9, 9, 7, 18, 18, 0]);
    expect(pool.length).toBe(3);
    expect([...present]).toEqual([H, H, H, F, H, H, 0]);
    expect(said).toEqual([]);
  });

  test("every step has its own scalar", () => {
    const { pool, map, counts } = row();
    map(times(false, "/"), [[1, 2, 3, 4, 4, 6]]);
    expect(counts()).toEqual([9, 1, 0.5, 7, 0.5, 0.5, 0]);
    expect(pool.length).toBe(4);
  });

  test("those without a result become absent, which is said once with the operation's place in the plan", () => {
    const { pool, present, said, map, counts } = row();
    map(times(false, "+"), [[1, 1, 1, 1, 1, 1]]);
    expect([...present]).toEqual([H, 0, 0, F, 0, 0, 0]);
    expect(counts()[0]).toBe(9);
    expect(pool.length).toBe(1);
    expect(said).toEqual(['info 3 incompatible sample types encountered for binary operator "+": histogram + float']);
  });

  test("functions leave them out and say nothing, but for the minus sign", () => {
    const { pool, present, said, map, counts } = row();
    map({ kind: "function", func: "neg", params: [] }, []);
    expect(counts()).toEqual([9, -1, -1, 7, -2, -2, 0]);
    map({ kind: "function", func: "abs", params: [] }, []);
    expect([...present]).toEqual([H, 0, 0, F, 0, 0, 0]);
    expect(pool.length).toBe(1);
    expect(said).toEqual([]);
  });

  test("a row of floats is left alone", () => {
    const { pool, present, values, map } = row();
    present.fill(F);
    const before = values.slice();
    map(times(), [[3, 3, 3, 3, 3, 3]]);
    expect(values).toEqual(before);
    expect(pool.length).toBe(3);
  });
});
