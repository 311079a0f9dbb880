import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { pino } from "pino";
import { expect, test } from "vitest";
import { makeWarmUp, type WarmUp } from "../../src/cli/warm-up.ts";
import { type Engine, QueryError, type RangeRequest } from "../../src/model/query.ts";
import type { ShardClient, StoredBlock } from "../../src/model/shard.ts";

const HOUR_MS = 3_600_000;
const NOW = 1_800_000_000_000;
const ANSWER_MS = 90;
const log = pino({ level: "silent" });

/** A shard with blocks of raw samples over so many hours, and metrics of these names. */
function shardWith(hours: number, names: readonly string[]): ShardClient {
  const block = { tier: "raw", minT: NOW - hours * HOUR_MS, maxT: NOW } as StoredBlock;
  const answers: Record<string, unknown> = {
    blocks: hours === 0 ? [] : [block],
    labelValues: { values: names, problems: [] },
  };
  return { partition: 0, request: ((what: { kind: string }) => Promise.resolve(answers[what.kind])) as never };
}

/** An engine that takes 90 ms by its own clock for each query. */
function engineOf(seriesOf: (query: string) => number = () => 10) {
  const asked: RangeRequest[] = [];
  let at = 0;
  const engine: Engine = {
    instant: () => Promise.reject(new Error("nobody asks for one moment")),
    range: async (request) => {
      asked.push(request);
      at += ANSWER_MS;
      const columns = { labels: [], values: new Float64Array(0), present: new Uint8Array(0), histograms: [] };
      const matrix = { start: request.start, step: request.step, steps: 1, ...columns };
      return { type: "matrix", matrix, warnings: [], infos: [], partial: false };
    },
    cost: async ({ query }) => ({ series: seriesOf(query) }) as never,
  };
  return { engine, asked, clock: () => at };
}

function warmUpOf(shard: ShardClient, from: { engine: Engine; clock?: () => number }, forMs = 1_000): WarmUp {
  return makeWarmUp({ shards: [shard], ready: () => true, log, now: () => NOW, forMs, ...from });
}

test("a server without data asks nothing and is done", async () => {
  const from = engineOf();
  const warmUp = warmUpOf(shardWith(0, []), from);
  expect(warmUp.done()).toBe(false);
  await Effect.runPromise(warmUp.run);
  expect(warmUp.done()).toBe(true);
  expect(from.asked).toEqual([]);
});

test("what lies on disk is asked for, each query in other times than the one before, until the time is over", async () => {
  const from = engineOf();
  const warmUp = warmUpOf(shardWith(10 * 24, ["a"]), from);
  await Effect.runPromise(warmUp.run);
  expect(warmUp.done()).toBe(true);
  expect(from.asked).toHaveLength(Math.ceil(1_000 / ANSWER_MS));
  expect(from.asked.every((r) => r.noCache === true && r.query.includes('{"__name__"="a"}'))).toBe(true);
  expect(new Set(from.asked.map((r) => r.start)).size).toBe(6);
  for (const [i, r] of from.asked.entries()) expect(r.start).not.toBe(from.asked[i - 1]?.start);
  expect(from.asked[0]?.start).toBe(NOW - 36 * HOUR_MS);
  // None has a time limit of its own, by which a shard might be told to be late; all are called off at the end.
  for (const { timeoutMs, signal } of from.asked)
    expect([timeoutMs, signal]).toEqual([undefined, expect.any(AbortSignal)]);
});

test("a process that was quick to start may take three seconds, a slow one takes no more than one", async () => {
  for (const [uptime, ms] of [
    [500, 3_000],
    [2_000, 2_000],
    [3_500, 1_000],
    [60_000, 1_000],
  ] as const) {
    const from = engineOf();
    const shards = [shardWith(10 * 24, ["a"])];
    await Effect.runPromise(makeWarmUp({ shards, ready: () => true, log, uptime: () => uptime, ...from }).run);
    expect(from.asked).toHaveLength(Math.ceil(ms / ANSWER_MS));
  }
});

test("it ends where the data on disk does", async () => {
  const from = engineOf();
  await Effect.runPromise(warmUpOf(shardWith(40, ["a"]), from, 100_000).run);
  expect(new Set(from.asked.map((r) => r.query)).size).toBe(from.asked.length);
  expect(from.asked.every((r) => r.start === NOW - 36 * HOUR_MS)).toBe(true);
});

test("with little or nothing on disk the newest hour is asked for, a bounded number of times", async () => {
  for (const hours of [0, 6]) {
    const from = engineOf();
    await Effect.runPromise(warmUpOf(shardWith(hours, ["a"]), { ...from, clock: () => 0 }, 100_000).run);
    expect(from.asked).toHaveLength(150);
    expect(from.asked.every((r) => r.start === NOW - HOUR_MS && r.end === NOW)).toBe(true);
  }
});

test("of the newest hour no more than a second is asked for", async () => {
  const from = engineOf();
  await Effect.runPromise(warmUpOf(shardWith(0, ["a"]), from, 100_000).run);
  expect(from.asked).toHaveLength(Math.ceil(1_000 / ANSWER_MS));
});

test("the metric with the most series is taken, but none with too many", async () => {
  const sizes: Record<string, number> = { few: 3, some: 1_000, many: 1_001 };
  const from = engineOf((query) => sizes[/"(\w+)"}/.exec(query)?.[1] as string] as number);
  await Effect.runPromise(warmUpOf(shardWith(6, ["few", "many", "some"]), from).run);
  expect(from.asked.length).toBeGreaterThan(0);
  expect(from.asked.every((r) => r.query.includes('"some"'))).toBe(true);
});

test("an engine that throws, or shards that do, do not keep the server from being ready", async () => {
  const { engine } = engineOf();
  const throwing = { ...engine, range: () => Promise.reject(new QueryError("internal", "no shard answered")) };
  const failed = warmUpOf(shardWith(40, ["a"]), { engine: throwing });
  await Effect.runPromise(failed.run);
  expect(failed.done()).toBe(true);

  const down = warmUpOf({ partition: 0, request: () => Promise.reject(new Error("down")) }, { engine });
  await Effect.runPromise(down.run);
  expect(down.done()).toBe(true);
});

test("an engine or a shard that never answers is called off, and the server is ready all the same", async () => {
  const { engine } = engineOf();
  let called: AbortSignal | undefined;
  const hanging: Engine = {
    ...engine,
    range: ({ signal }) => {
      called = signal;
      return new Promise(() => {});
    },
  };
  const warmUp = warmUpOf(shardWith(40, ["a"]), { engine: hanging }, 30);
  await Effect.runPromise(warmUp.run);
  expect(warmUp.done()).toBe(true);
  expect(called?.aborted).toBe(true);

  const mute = warmUpOf({ partition: 0, request: () => new Promise(() => {}) }, { engine }, 30);
  await Effect.runPromise(mute.run);
  expect(mute.done()).toBe(true);
});

test("nothing is asked before the shards are ready", async () => {
  const from = engineOf();
  let looks = 0;
  const lookedTwice = Promise.withResolvers<void>();
  let ready = false;
  const warmUp = makeWarmUp({
    shards: [shardWith(40, ["a"])],
    log,
    ...from,
    ready: () => {
      if (++looks === 2) lookedTwice.resolve();
      return ready;
    },
  });
  const fiber = Effect.runFork(warmUp.run);
  await lookedTwice.promise;
  expect(warmUp.done()).toBe(false);
  expect(from.asked).toEqual([]);
  ready = true;
  await Effect.runPromise(Fiber.join(fiber));
  expect(warmUp.done()).toBe(true);
  expect(from.asked.length).toBeGreaterThan(0);
});
