import { describe, expect, test } from "vitest";
import { encodeRange } from "../../src/api/encode.ts";
import { type Labels, labelsFromObject } from "../../src/model/labels.ts";
import type { ShardClient } from "../../src/model/shard.ts";
import { makeEngine } from "../../src/query/engine.ts";
import { packLabels } from "../../src/query/execute/packed-labels.ts";
import type { ShardPlan, ShardRows } from "../../src/query/plan/shard-plan.ts";
import { cpuMs, gapMeter } from "./cpu-gap.ts";

/**
 * What runs in front looks at the clock and at the signal now and then; between two looks it may take no more CPU than a query may
 * take that was called off. The shards' answers are made beforehand, so that only the work in front is measured.
 */
const MOST_MS = 100;

/** Two shards that answer so many series each, whatever they are asked. */
function readyShards(series: number, { onAsk = (): void => undefined } = {}): ShardClient[] {
  const made = new Map<string, ShardRows>();
  return [0, 1].map((partition) => ({
    partition,
    request: (request) => {
      const { grid } = (request as unknown as { plan: ShardPlan }).plan;
      const key = `${partition} ${grid.steps}`;
      let answer = made.get(key);
      if (answer === undefined) {
        const labels: Labels[] = [];
        for (let i = 0; i < series; i++) {
          const n = String(2 * i + partition).padStart(7, "0");
          labels.push(labelsFromObject({ __name__: "load", n, zone: `z${i % 10}` }));
        }
        const cells = series * grid.steps;
        answer = {
          kind: "rows",
          labels: packLabels(labels),
          dropName: new Uint8Array(series),
          values: Float64Array.from({ length: cells }, (_, i) => (i * 31) % 1009),
          present: new Uint8Array(cells).fill(1),
          histograms: [],
          samples: cells,
          tiers: [],
          notes: [],
        };
        made.set(key, answer);
      }
      onAsk();
      return Promise.resolve({ ...answer, values: answer.values.slice(), present: answer.present.slice() } as never);
    },
  }));
}

const HEAVY: Readonly<Record<string, string>> = {
  "an aggregation of very many series": "quantile by (zone) (0.9, load)",
  topk: "topk(50, load)",
  count_values: 'count_values("v", load)',
  "a join": "load * on (n) group_left () load",
  "set operators": "load and load unless on (n) load",
  "a subquery": "max_over_time(quantile(0.5, load)[10m:10s])",
  label_replace: 'label_replace(load, "m", "$1", "n", "(.*)0")',
  sort: "sort_by_label(load, 'zone')",
  "all of it": "load",
};

/** Of very many series each, at one time. */
const WIDE: Readonly<Record<string, string>> = {
  "sort, of all": "sort_desc(load)",
  "sort by several labels": "sort_by_label_desc(load, 'zone', 'n')",
  "a join of all with all": "load * on (n) group_left (zone) load",
  "a join without labels": "load + ignoring (zone) load",
  "absent, of an expression": "absent(topk(100000, load))",
  "a pattern that is slow": 'label_replace(load, "m", "$2", "n", "(([0-9]?)+)*[^a-z]+(0|1)*x?y?")',
  "labels put together": 'label_join(load, "all", "-", "n", "zone", "n", "zone")',
  "all kinds of values": 'count_values by (zone) ("v", load)',
  "very many groups": "topk by (n) (1, load)",
  limit_ratio: "limit_ratio(0.5, load + 0)",
  histogram_quantile: 'histogram_quantile(0.9, label_replace(load, "le", "$1", "n", ".*(.)"))',
  "a subquery of many steps": "quantile_over_time(0.9, quantile(0.5, load)[55h:1s])",
  "samples of a subquery": "quantile(0.5, load)[55h:1s]",
  "one value a step": "absent_over_time(quantile(0.5, load)[55h:1s])",
};

describe("an instant query of very many series", () => {
  test.each(Object.entries(WIDE))("%s", async (_, query) => {
    const meter = gapMeter();
    const series = query.includes("[55h:1s]") ? 2 : 30_000;
    const shards = readyShards(series, { onAsk: meter.start });
    const limits = { timeoutMs: 1e9, maxSamples: 1e9, maxMemoryBytes: 1e12 };
    const now = () => {
      meter.look();
      return performance.now();
    };
    const instant = { tenant: "default", query, time: 600_000 };
    const ask = (more = {}) => makeEngine({ shards, ...limits, ...more }).instant(instant);
    await ask();
    meter.start();
    await ask({ now });
    const { longest, looks } = meter.end();
    expect(looks).toBeGreaterThan(5);
    expect(longest).toBeLessThan(MOST_MS);
  });
});

describe("work in front", () => {
  test.each(Object.entries(HEAVY))("%s: looks often enough whether it shall go on", async (_, query) => {
    const meter = gapMeter();
    // Making the answers is not what is measured.
    const shards = readyShards(6000, { onAsk: meter.start });
    const limits = { timeoutMs: 1e9, maxSamples: 1e9, maxMemoryBytes: 1e12 };
    const now = () => {
      meter.look();
      return performance.now();
    };
    const range = { tenant: "default", query, start: 0, end: 600_000, step: 15_000 };
    await makeEngine({ shards: readyShards(10), ...limits })
      .range(range)
      .catch(() => undefined);
    await makeEngine({ shards, ...limits })
      .range(range)
      .catch(() => undefined);
    meter.start();
    await makeEngine({ shards, ...limits, now }).range(range);
    const { longest, looks } = meter.end();
    expect(looks).toBeGreaterThan(10);
    expect(longest).toBeLessThan(MOST_MS);
  });

  test.each(Object.entries(HEAVY))("%s: called off in the middle it uses no more", async (_, query) => {
    const shards = readyShards(3000);
    const range = { tenant: "default", query, start: 0, end: 600_000, step: 15_000 };
    let looks = 0;
    const count = makeEngine({ shards, now: () => looks++ });
    await count.range(range);
    const client = new AbortController();
    let left = Math.floor(looks / 2);
    let stopped = 0;
    const now = () => {
      if (--left === 0) {
        stopped = cpuMs();
        client.abort();
      }
      return 0;
    };
    await expect(makeEngine({ shards, now }).range({ ...range, signal: client.signal })).rejects.toMatchObject({
      type: "canceled",
    });
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    expect(cpuMs() - stopped).toBeLessThan(MOST_MS);
  });

  test("an answer's text is made in pieces that take no longer", async () => {
    const result = await makeEngine({ shards: readyShards(3000) }).range({
      tenant: "default",
      query: "load",
      start: 0,
      end: 600_000,
      step: 15_000,
    });
    const meter = gapMeter();
    meter.start();
    for (const piece of encodeRange(result)) {
      expect(piece.length).toBeLessThan(1 << 20);
      meter.look();
    }
    expect(meter.end().longest).toBeLessThan(MOST_MS);
  });
});
