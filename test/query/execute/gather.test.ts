import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ShardClient } from "../../../src/model/shard.ts";
import { gather, makePatience, ShardLate } from "../../../src/query/execute/gather.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const shards = (n: number): ShardClient[] =>
  Array.from({ length: n }, (_, partition) => ({ partition, request: () => Promise.reject(new Error("not asked")) }));
const open = new AbortController().signal;
const never = () => new Promise<never>(() => undefined);

/** Answers of the shards in their order, each settled by hand. */
function asked(n: number) {
  const answers = Array.from({ length: n }, () => Promise.withResolvers<string>());
  const off: (unknown | undefined)[] = new Array(n).fill(undefined);
  const ask = (shard: ShardClient, signal: AbortSignal) => {
    signal.addEventListener("abort", () => {
      off[shard.partition] = signal.reason;
    });
    return (answers[shard.partition] as PromiseWithResolvers<string>).promise;
  };
  return {
    ask,
    answer: (i: number, text: string) => answers[i]?.resolve(text),
    fail: (i: number, e: Error) => answers[i]?.reject(e),
    off,
  };
}

describe("asking all shards", () => {
  test("outcomes are in the order of the shards, whatever the order of arrival", async () => {
    const a = asked(3);
    const all = gather(shards(3), a.ask, { signal: open, waitMs: 1000 });
    a.answer(2, "c");
    a.fail(1, new Error("down"));
    a.answer(0, "a");
    expect(await all).toEqual([{ value: "a" }, { error: new Error("down") }, { value: "c" }]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("one that never answers is left out at its time and called off", async () => {
    const a = asked(2);
    const all = gather(shards(2), a.ask, { signal: open, waitMs: 1000 });
    a.answer(0, "a");
    await vi.advanceTimersByTimeAsync(999);
    expect(a.off[1]).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(await all).toEqual([{ value: "a" }, { error: new ShardLate(1, 1000) }]);
    expect(a.off[1]).toBeInstanceOf(ShardLate);
    expect((await all)[1]?.error?.message).toBe("shard 1 is late: no answer after 1000 ms");
  });

  test("while none has answered there is nothing to go on without them", async () => {
    const a = asked(3);
    const all = gather(shards(3), a.ask, { signal: open, waitMs: 1000 });
    a.fail(0, new Error("down"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(a.off).toEqual([undefined, undefined, undefined]);
    a.answer(2, "c");
    expect(await all).toMatchObject([{ error: { message: "down" } }, { error: { name: "ShardLate" } }, { value: "c" }]);
  });

  test("an abort ends it, also where a shard does not listen", async () => {
    const stop = new AbortController();
    const all = gather(shards(2), never, { signal: stop.signal, waitMs: 1000 });
    stop.abort(new Error("gone"));
    expect(await all).toEqual([{ error: new Error("gone") }, { error: new Error("gone") }]);
    expect(vi.getTimerCount()).toBe(0);
    expect(await gather(shards(1), never, { signal: stop.signal, waitMs: 1 })).toEqual([{ error: new Error("gone") }]);
    expect(await gather([], never, { signal: open, waitMs: 1 })).toEqual([]);
  });

  test("an outcome that ends it all calls the others off", async () => {
    const a = asked(3);
    const all = gather(shards(3), a.ask, { signal: open, waitMs: 1000, isFatal: ({ value }) => value === "no" });
    a.answer(1, "no");
    expect((await all)[1]).toEqual({ value: "no" });
    expect(a.off.map((reason) => reason !== undefined)).toEqual([true, true, true].map((_, i) => i !== 1));
  });

  test("one that was late is not waited for long until it has answered", async () => {
    const missed: string[] = [];
    const patience = makePatience((partition, why) => missed.push(`${partition}: ${why.message}`));
    const waited = async (ms: number, settle: (a: ReturnType<typeof asked>) => void) => {
      const a = asked(2);
      const before = Date.now();
      const all = gather(shards(2), a.ask, { signal: open, waitMs: 90_000, patience });
      a.answer(0, "a");
      settle(a);
      await vi.advanceTimersByTimeAsync(ms);
      const outcomes = await all;
      for (const [i, { error }] of outcomes.entries()) if (error !== undefined) patience.missed(i, error);
      return { took: Date.now() - before, whole: outcomes.every((o) => o.error === undefined) };
    };
    expect(await waited(90_000, () => undefined)).toEqual({ took: 90_000, whole: false });
    expect(await waited(1000, () => undefined)).toEqual({ took: 1000, whole: false });
    expect(missed).toEqual([
      "1: shard 1 is late: no answer after 90000 ms",
      "1: shard 1 is late: no answer after 1000 ms",
    ]);
    expect(await waited(0, (a) => a.answer(1, "b"))).toEqual({ took: 0, whole: true });
    expect(patience.waitFor(1, 90_000)).toBe(90_000);
  });
});
