import { describe, expect, test } from "vitest";
import { labelsFromObject } from "../../src/model/labels.ts";
import type { Engine } from "../../src/model/query.ts";
import { type EngineOptions, makeEngine } from "../../src/query/engine.ts";
import { localShard, makeMemorySource } from "./promqltest/memory-source.ts";

/**
 * Work in front of the shards: it sees the deadline, hands the thread back and holds no more points than allowed. Nothing
 * here looks at a wall clock: the engine's clock is given, turns of the event loop are counted.
 */
const SERIES = 20;
const base = { tenant: "default" };

function engineWith(options: Partial<EngineOptions>): Engine {
  const source = makeMemorySource();
  const ts = Array.from({ length: 61 }, (_, k) => k * 10_000);
  for (let i = 0; i < SERIES; i++) {
    source.add(
      labelsFromObject({ __name__: "load", n: String(i) }),
      ts,
      Float64Array.from(ts, (t) => (t * 7 + i) % 100),
    );
  }
  return makeEngine({ shards: [localShard(0, source)], timeoutMs: 1e9, ...options });
}

/** A clock that goes on by a second with every look, so that every look is a turn, and the shard has all the time it needs. */
function ticking(): { now: () => number; looks: () => number } {
  let looks = 0;
  return { now: () => 1000 * looks++, looks: () => looks };
}

/** Each of them is busy in front; the inner subquery is small enough for the shard to be asked in no time. */
const BUSY: Readonly<Record<string, string>> = {
  "nested subqueries": "sum(sum_over_time(quantile_over_time(0.5, load[5m:1s])[5m:1s]))",
  "a sliding function": "sum_over_time(load[10m:100ms])",
  "an aggregation": "max_over_time(quantile(0.5, load)[10m:100ms])",
  topk: "max_over_time(topk(3, load)[10m:100ms])",
  count_values: "max_over_time(count_values('v', load)[10m:100ms])",
  "vector matching": "max_over_time((load + load)[10m:100ms])",
  "a failing match": "max_over_time((load + on () load)[10m:100ms])",
  "set operators": "max_over_time((load or load)[10m:100ms])",
  label_replace: "max_over_time(label_replace(load, 'm', '$1', 'n', '(.*)')[10m:100ms])",
  "a scalar": "sum_over_time((vector(time()) * 2)[4h:10ms])",
};

describe("the thread is handed back", () => {
  for (const [what, query] of Object.entries(BUSY)) {
    test(`${what}: others get their turns while it runs`, async () => {
      const { now } = ticking();
      let turns = 0;
      let done = false;
      const count = (): void => {
        turns++;
        if (!done) setImmediate(count);
      };
      setImmediate(count);
      await engineWith({ now })
        .instant({ ...base, query, time: 600_000 })
        .catch((e: Error) => expect(e.message).toMatch(/^found duplicate/));
      done = true;
      expect(turns).toBeGreaterThan(3);
    });

    test(`${what}: an abort between two turns stops it`, async () => {
      const { now, looks } = ticking();
      const client = new AbortController();
      setImmediate(() => client.abort());
      const answer = engineWith({ now }).instant({ ...base, query, time: 600_000, signal: client.signal });
      await expect(answer).rejects.toMatchObject({ type: "canceled" });
      // It does not only answer: it stops working.
      const seen = looks();
      for (let i = 0; i < 5; i++) await new Promise(setImmediate);
      expect(looks() - seen).toBeLessThanOrEqual(2);
    });

    test(`${what}: a deadline that passes in front is a timeout`, async () => {
      // Beyond the looks at the clock that it takes to ask the shard.
      const answer = engineWith({ now: ticking().now, timeoutMs: 12_000 }).instant({ ...base, query, time: 600_000 });
      await expect(answer).rejects.toMatchObject({
        type: "timeout",
        message: "query timed out in expression evaluation (after 12s, limits.query_timeout)",
      });
    });
  }

  test("turns do not change the result", async () => {
    const { now } = ticking();
    for (const query of Object.values(BUSY)) {
      const ask = (engine: Engine) => engine.instant({ ...base, query, time: 600_000 }).catch((e: Error) => e.message);
      expect(await ask(engineWith({ now }))).toEqual(await ask(engineWith({ now: () => 0 })));
    }
  });
});

describe("points in memory", () => {
  const tooMany = {
    type: "execution",
    message: expect.stringMatching(
      /^query processing would load too many samples into memory in query execution .*limits\.max_query_samples/,
    ),
  };
  const ask = (query: string, maxSamples: number) =>
    engineWith({ now: () => 0, maxSamples }).instant({ ...base, query, time: 600_000 });

  // None of these could be allocated.
  for (const query of [
    "sum_over_time(load[10y:1ms])",
    "sum_over_time(vector(1)[10y:1ms])",
    "sum_over_time(vector(time())[10y:1ms])",
    "load[10y:1ms]",
    "max_over_time(sum_over_time(load[1m:1s])[10y:1ms])",
    "sum_over_time((load @ 10)[10y:1ms])",
  ]) {
    test(`${query}: refused before there is room made`, async () => {
      await expect(ask(query, 50_000_000)).rejects.toMatchObject(tooMany);
    });
  }

  test("a subquery's points are those of all its rows", async () => {
    const query = "sum(sum_over_time(load[100s:1s]))";
    // 20 rows of 100 points, and 20 results.
    await expect(ask(query, 2019)).rejects.toMatchObject(tooMany);
    await expect(ask(query, 2020)).resolves.toBeDefined();
  });

  test("what is done with counts no more", async () => {
    const one = "sum(sum_over_time(load[100s:1s]))";
    await expect(ask(`${one} + 1`, 2020)).resolves.toBeDefined();
    const sum = Array(20).fill("load").join(" + ignoring () ");
    await expect(ask(`max_over_time((${sum})[10s:10ms])`, 20 * 20 * 1000 - 1)).rejects.toMatchObject(tooMany);
    await expect(ask(`max_over_time((${sum})[10s:10ms])`, 23 * 20 * 1000)).resolves.toBeDefined();
  });

  test("groups that values make are counted", async () => {
    await expect(ask("max_over_time(count_values('v', load)[100s:1s])", 2100)).rejects.toMatchObject(tooMany);
  });

  test("a step that stands for many is counted when it is repeated", async () => {
    const { range } = engineWith({ now: () => 0, maxSamples: 1000 });
    const request = { ...base, query: "load @ 10", start: 0, end: 600_000, step: 1000 };
    await expect(range(request)).rejects.toMatchObject(tooMany);
    await expect(range({ ...request, step: 20_000 })).resolves.toBeDefined();
  });
});
