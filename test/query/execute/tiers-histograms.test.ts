import { describe, expect, test } from "vitest";
import { labelsFromObject } from "../../../src/model/labels.ts";
import type { RangeResult } from "../../../src/model/query.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { localShard, type MemorySource, makeMemorySource } from "../promqltest/memory-source.ts";
import { makeTierSource, type TierSource } from "../tier-source.ts";
import { bufferOf } from "./histogram-cases.ts";

/** Series with native histograms that are rolled up: buckets have sums and such of floats only. */
const MINUTE = 60_000;
const HOUR = 3_600_000;
const TIERS = [{ tier: "1m", complete: [{ after: Number.NEGATIVE_INFINITY, until: 100 * HOUR }] }] as const;

/** A sample every 15 s for two hours: histograms, of which in the second hour every fifth is a float when `mixed`. */
function source(mixed = false): MemorySource {
  const list = Array.from({ length: 480 }, (_, i) => {
    const t = 7000 + i * 15_000;
    return { t, value: i, histogram: !(mixed && t > HOUR && i % 5 === 0), start: 0 };
  });
  const { ts, values, histograms } = bufferOf(list);
  const memory = makeMemorySource();
  memory.add(labelsFromObject({ __name__: "x_total" }), [...ts], values, undefined, histograms);
  return memory;
}

async function ask(of: MemorySource | TierSource, query: string): Promise<RangeResult> {
  const engine = makeEngine({ shards: [localShard(0, of)] });
  return engine.range({
    tenant: "default",
    query,
    start: 10 * MINUTE,
    end: 2 * HOUR,
    step: 10 * MINUTE,
    stats: "total",
  });
}

const cellsOf = ({ matrix }: RangeResult) =>
  Array.from(matrix.values, (v, i) =>
    matrix.present[i] === 2 ? matrix.histograms[v] : matrix.present[i] === 1 ? v : undefined,
  );

const BY_SAMPLES = ["rate", "increase", "delta", "changes", "resets", "sum_over_time", "avg_over_time"];
const BY_BUCKETS = [
  "count_over_time",
  "last_over_time",
  "first_over_time",
  "present_over_time",
  "min_over_time",
  "max_over_time",
];

describe("raw samples are kept", () => {
  for (const mixed of [false, true]) {
    test(`functions of samples read them${mixed ? ", floats among them" : ""}`, async () => {
      for (const func of BY_SAMPLES) {
        const tiers = makeTierSource(source(mixed), { tiers: TIERS });
        const query = `${func}(x_total[10m])`;
        const [want, got] = [await ask(source(mixed), query), await ask(tiers, query)];
        expect(cellsOf(got)).toEqual(cellsOf(want));
        expect([got.warnings, got.infos]).toEqual([want.warnings, want.infos]);
        expect(tiers.reads.raw).toBeGreaterThan(0);
      }
    });

    test(`others read buckets${mixed ? ", floats among them" : ""}`, async () => {
      for (const func of BY_BUCKETS) {
        const tiers = makeTierSource(source(mixed), { tiers: TIERS });
        const query = `${func}(x_total[10m])`;
        const [want, got] = [await ask(source(mixed), query), await ask(tiers, query)];
        expect(cellsOf(got)).toEqual(cellsOf(want));
        expect([got.warnings, got.infos]).toEqual([want.warnings, want.infos]);
        expect(tiers.reads.raw).toBe(0);
        const ignored = mixed && /^(min|max)/.test(func);
        expect(got.infos.some((text) => text.includes("ignored histograms in a range"))).toBe(ignored);
      }
    });
  }
});

describe("raw samples are gone", () => {
  test("points stand for the histograms, and the answer says so", async () => {
    const tiers = makeTierSource(source(), { rawAfter: 100 * HOUR, tiers: TIERS });
    const got = await ask(tiers, "increase(x_total[10m])");
    expect(tiers.reads.raw).toBe(0);
    expect(got.infos.join()).toContain("the newest sample of every 1m bucket stands for all of its samples there");
    // 40 samples in ten minutes, of which the newest of each minute are left.
    for (const cell of cellsOf(got).slice(1)) {
      expect(cell).toMatchObject({ count: expect.closeTo(40, 9), sum: expect.closeTo(40, 9) });
    }
  });

  test("of floats alone buckets are enough, and nothing is said", async () => {
    const memory = makeMemorySource();
    memory.add(labelsFromObject({ __name__: "x_total" }), [1000, 61_000, 121_000], Float64Array.of(1, 2, 3));
    const tiers = makeTierSource(memory, { rawAfter: 100 * HOUR, tiers: TIERS });
    expect((await ask(tiers, "increase(x_total[10m])")).infos).toEqual([]);
  });
});
