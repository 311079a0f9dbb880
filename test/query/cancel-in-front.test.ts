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
