import { describe, expect, it } from "vitest";
import { askTicks, QueryFailed } from "../../../src/actors/backtest/ask.ts";
import type { DataSource, Ticks } from "../../../src/actors/backtest/points.ts";

const TICKS: Ticks = { start: 60_000, step: 1000, count: 25 };

/** Has a point at each tick; fails for ranges of more ticks than it allows, and at the ticks that are named. */
function sourceOf(most: number, bad: readonly number[] = [], divisible = true) {
  const ranges: string[] = [];
  const source: DataSource = {
    range: async ({ start, end, step }) => {
      const [from, to] = [(start - TICKS.start) / step, (end - TICKS.start) / step];
      ranges.push(`${from}-${to}`);
      if (to - from + 1 > most) throw new QueryFailed("too many points", divisible);
      if (bad.some((k) => k >= from && k <= to)) throw new QueryFailed("many to many", divisible);
      const ts = Float64Array.from({ length: to - from + 1 }, (_, i) => start + i * step);
      return [{ labels: ["a", "b"], ts, values: ts.map((t) => t / 1000) }];
    },
  };
  return { source, ranges };
}

describe("asking an expression at all ticks", () => {
  it("goes in slices, and joins their series", async () => {
    const { source, ranges } = sourceOf(100);
    const { series, failed } = await askTicks(source, "x", TICKS, 10);
    expect(ranges).toEqual(["0-9", "10-19", "20-24"]);
    expect(failed).toBeUndefined();
    expect(series).toHaveLength(1);
    expect([...(series[0]?.ticks ?? [])]).toEqual([...Array(25).keys()]);
    expect(series[0]?.values[24]).toBe(84);
  });

  it("asks for less where the server does not answer as much, and goes on so", async () => {
    const { source, ranges } = sourceOf(6);
    const { series, failed, error } = await askTicks(source, "x", TICKS, 20);
    expect(failed).toBeUndefined();
    expect(error).toBe("");
    expect(series[0]?.ticks).toHaveLength(25);
    // 20 and 10 were too many; what comes after is not asked for in twenties again.
    expect(ranges.at(-1)).toBe("20-24");
    expect(ranges.filter((r) => r === "0-19")).toHaveLength(1);
  });

  it("finds the ticks at which it fails", async () => {
    const { source } = sourceOf(100, [3, 17]);
    const { series, failed, error } = await askTicks(source, "x", TICKS, 10);
    expect([...(failed ?? [])].flatMap((x, k) => (x === 1 ? [k] : []))).toEqual([3, 17]);
    expect(error).toBe("many to many");
    expect(series[0]?.ticks).toHaveLength(23);
  });

  it("takes a question that is wrong at any time for failed at once", async () => {
    const { source, ranges } = sourceOf(100, [3], false);
    const { failed } = await askTicks(source, "x", TICKS, 100);
    expect(ranges).toHaveLength(1);
    expect(failed?.every((x) => x === 1)).toBe(true);
  });

  it("rejects with what is no fault of the question", async () => {
    const source: DataSource = { range: () => Promise.reject(new Error("the server is gone")) };
    await expect(askTicks(source, "x", TICKS, 10)).rejects.toThrow("the server is gone");
  });
});
