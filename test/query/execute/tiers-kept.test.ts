import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { labelsFromObject } from "../../../src/model/labels.ts";
import type { InstantResult } from "../../../src/model/query.ts";
import { writeStale } from "../../../src/model/sample.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { localShard, type MemorySource, makeMemorySource } from "../promqltest/memory-source.ts";
import { type Kept, makeTierSource, type TierSource } from "../tier-source.ts";

/** What is read of which tier, and what is answered where raw samples are no longer kept. */
const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const FOREVER = { after: Number.NEGATIVE_INFINITY, until: 1000 * DAY };
const both: Kept["tiers"] = [
  { tier: "1m", complete: [FOREVER] },
  { tier: "1h", complete: [FOREVER] },
];

/** A counter that grows by 1 a sample every 15 s, at 7 s past, for two days; after the first day it is stale for an hour. */
function counter(): MemorySource {
  const source = makeMemorySource();
  const ts: number[] = [];
  const stale: number[] = [];
  for (let t = 7000; t < 2 * DAY; t += 15_000) {
    if (t >= DAY && t < DAY + HOUR) {
      if (stale.length === 0) stale.push(ts.length);
      else continue;
    }
    ts.push(t);
  }
  const values = Float64Array.from(ts, (_, i) => i);
  const words = new Uint32Array(values.buffer);
  for (const i of stale) writeStale(words, i);
  source.add(labelsFromObject({ __name__: "c_total" }), ts, values);
  return source;
}

async function instant(source: TierSource | MemorySource, query: string, time: number): Promise<InstantResult> {
  const engine = makeEngine({ shards: [localShard(0, source)] });
  return engine.instant({ tenant: "default", query, time, stats: "total" });
}

function answerOf(result: InstantResult): number | undefined {
  if (result.type !== "vector") throw new Error(result.type);
  return result.values[0];
}

describe("statistics say what was read", () => {
  test("tiers, rows and samples of a range query", async () => {
    const source = makeTierSource(counter(), {
      tiers: [{ tier: "1h", complete: [{ after: 0, until: 10 * HOUR }] }],
    });
    const engine = makeEngine({ shards: [localShard(0, source), localShard(1, makeMemorySource())] });
    const range = { start: 6 * HOUR, end: 12 * HOUR, step: HOUR };
    const query = "increase(c_total[2h])";
    const { stats } = await engine.range({ tenant: "default", query, ...range, stats: "perStep" });
    expect(stats?.tiers).toEqual([
      { tier: "raw", after: 10 * HOUR, until: 12 * HOUR, rows: 480, rounded: false },
      { tier: "1h", after: 4 * HOUR, until: 10 * HOUR, rows: 6, rounded: false },
    ]);
    expect(stats?.samples).toBe(486);
    expect(stats?.perStep).toEqual({
      start: 6 * HOUR,
      step: HOUR,
      windowSamples: Float64Array.of(2, 2, 2, 2, 2, 241, 480),
    });
    expect(stats?.windowSamples).toBe(731);
    const plain = await engine.range({ tenant: "default", query, ...range });
    expect(plain.stats).toBeUndefined();
  });

  test("a selector counts one sample a series and step", async () => {
    const result = await instant(counter(), "c_total", HOUR);
    expect(result.stats).toMatchObject({ samples: 20, windowSamples: 1, tiers: [{ tier: "raw", rows: 20 }] });
  });
});

describe("one long window at any time", () => {
  test("is put together from tiers and raw samples at its edges", async () => {
    const raw = counter();
    const functions = ["rate", "increase", "delta", "changes", "resets", "irate", "first_over_time", "last_over_time"];
    functions.push(...["sum", "count", "avg", "min", "max", "present", "stddev"].map((f) => `${f}_over_time`));
    const time = fc.integer({ min: 12 * HOUR, max: 2 * DAY });
    await fc.assert(
      fc.asyncProperty(
        time,
        fc.integer({ min: 1, max: 30 * HOUR }),
        fc.constantFrom(...functions),
        async (t, range, f) => {
          const tiers = makeTierSource(raw, { tiers: both });
          const query = `${f}(c_total[${range}ms])`;
          expect(answerOf(await instant(tiers, query, t))).toBe(answerOf(await instant(raw, query, t)));
          // A minute's edge at either side, at most.
          if (f === "sum_over_time" && range > 9 * HOUR) expect(tiers.reads.raw).toBeLessThanOrEqual(10);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("where raw samples are no longer kept", () => {
  const gone = (tiers: Kept["tiers"]): TierSource => makeTierSource(counter(), { rawAfter: 40 * HOUR, tiers });
  const info = "raw samples of a part of the time are no longer kept";

  test("windows of whole buckets are answered as if they were", async () => {
    const result = await instant(gone(both), "increase(c_total[3h])", 9 * HOUR);
    expect(answerOf(result)).toBe(answerOf(await instant(counter(), "increase(c_total[3h])", 9 * HOUR)));
    expect(result.infos).toEqual([]);
  });

  test("others are rounded down to the finest tier's buckets, and the answer says so", async () => {
    const time = 9 * HOUR + 50_000;
    const rounded = await instant(gone(both), "sum_over_time(c_total[5m])", time);
    expect(answerOf(rounded)).toBe(answerOf(await instant(counter(), "sum_over_time(c_total[5m])", 9 * HOUR)));
    expect(rounded.infos).toEqual([`PromQL info: ${info}: windows are rounded to whole 1m buckets there (1:15)`]);
    expect(rounded.stats?.tiers).toMatchObject([{ tier: "1m", rounded: true }]);
  });

  test("windows that are shorter than a bucket are widened to one", async () => {
    const hours = [{ tier: "1h", complete: [FOREVER] }] as const;
    const rate = await instant(gone(hours), "rate(c_total[5m])", 9 * HOUR + 20 * MINUTE);
    expect(answerOf(rate)).toBe(answerOf(await instant(counter(), "rate(c_total[1h])", 9 * HOUR)));
    const selector = await instant(gone(hours), "c_total", 9 * HOUR + 20 * MINUTE);
    expect(answerOf(selector)).toBe(answerOf(await instant(counter(), "c_total", 9 * HOUR)));
  });

  test("functions that need samples get the newest of every bucket", async () => {
    const result = await instant(gone(both), "quantile_over_time(0.5, c_total[5m])", 9 * HOUR);
    // The newest samples of five minutes are 4 apart; the last one is number 2159.
    expect(answerOf(result)).toBe(2151);
    expect(result.infos).toEqual([
      `PromQL info: ${info}: the newest sample of every 1m bucket stands for all of its samples there (1:20)`,
    ]);
    const matrix = await instant(gone(both), "c_total[3m]", 9 * HOUR);
    if (matrix.type !== "matrix") throw new Error(matrix.type);
    expect([...(matrix.values[0] as Float64Array)]).toEqual([2151, 2155, 2159]);
    expect(matrix.infos).toHaveLength(1);
  });

  test("a series that ended is stale in its last bucket", async () => {
    const at = DAY + MINUTE;
    expect(answerOf(await instant(gone(both), "c_total", at))).toBeUndefined();
    expect(answerOf(await instant(gone(both), "last_over_time(c_total[5m])", at))).toBe(5759);
  });

  test("a window from rollups into raw samples", async () => {
    const query = "increase(c_total[10h])";
    const mixed = await instant(gone(both), query, 46 * HOUR + 20_000);
    const exact = await instant(counter(), query, 46 * HOUR + 20_000);
    // Its left end is rounded by 20 s.
    expect(Math.abs((answerOf(mixed) as number) - (answerOf(exact) as number))).toBeLessThan(2);
    expect(mixed.stats?.tiers.map((t) => t.tier)).toEqual(["raw", "1m", "1h"]);
    const whole = await instant(gone(both), query, 46 * HOUR);
    expect(answerOf(whole)).toBe(answerOf(await instant(counter(), query, 46 * HOUR)));
  });

  test("nothing is kept at all", async () => {
    const source = makeTierSource(counter(), { rawAfter: 40 * HOUR, tiers: [] });
    expect(answerOf(await instant(source, "c_total", 9 * HOUR))).toBeUndefined();
    expect(answerOf(await instant(source, "increase(c_total[1h])", 9 * HOUR))).toBeUndefined();
  });
});
