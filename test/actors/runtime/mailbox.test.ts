import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import { describe, expect, test } from "vitest";
import { makeMailbox } from "../../../src/actors/runtime/mailbox.ts";

const run = Effect.runPromise;

describe("overflow policies", () => {
  test("fail tells the sender and keeps what waits", async () => {
    const box = makeMailbox<number>("m", { capacity: 2, overflow: "fail" });
    await run(Effect.all([box.send(1), box.send(2)]));
    const exit = await run(Effect.exit(box.send(3)));
    expect(Exit.isFailure(exit) && String(exit.cause)).toMatch(/mailbox m is full \(2 messages wait\)/);
    expect(box.offer(4)).toBe(false);
    expect(await run(box.takeAll)).toEqual([1, 2]);
    expect(box.stats()).toEqual({
      name: "m",
      overflow: "fail",
      capacity: 2,
      depth: 0,
      accepted: 2,
      dropped: 0,
      refused: 2,
    });
  });

  test("dropNewest loses the message that does not fit", async () => {
    const box = makeMailbox<number>("m", { capacity: 2, overflow: "dropNewest" });
    for (const i of [1, 2, 3, 4]) await run(box.send(i));
    expect(await run(box.takeAll)).toEqual([1, 2]);
    expect(box.stats()).toMatchObject({ accepted: 2, dropped: 2, refused: 0 });
  });

  test("dropOldest loses the message that has waited longest", async () => {
    const box = makeMailbox<number>("m", { capacity: 2, overflow: "dropOldest" });
    for (const i of [1, 2, 3, 4]) await run(box.send(i));
    expect(await run(box.takeAll)).toEqual([3, 4]);
    expect(box.stats()).toMatchObject({ accepted: 4, dropped: 2, refused: 0 });
  });

  test("backpressure lets the sender wait and loses nothing", async () => {
    const box = makeMailbox<number>("m", { capacity: 2, overflow: "backpressure" });
    const seen = await run(
      Effect.gen(function* () {
        const sender = yield* Effect.forkChild(Effect.forEach([1, 2, 3, 4, 5], (i) => box.send(i), { discard: true }));
        yield* Effect.yieldNow;
        expect(box.stats().depth).toBe(2);
        const out: number[] = [];
        while (out.length < 5) out.push(yield* box.take);
        yield* Fiber.join(sender);
        return out;
      }),
    );
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect(box.stats()).toMatchObject({ accepted: 5, dropped: 0, refused: 0, depth: 0 });
  });

  test("a waiting taker does not count as a waiting message", async () => {
    const box = makeMailbox<number>("m", { capacity: 1, overflow: "dropOldest" });
    const got = await run(
      Effect.gen(function* () {
        const taker = yield* Effect.forkChild(box.take);
        yield* Effect.yieldNow;
        yield* box.send(7);
        return yield* Fiber.join(taker);
      }),
    );
    expect(got).toBe(7);
    expect(box.stats()).toMatchObject({ accepted: 1, dropped: 0, depth: 0 });
  });
});

test("clear counts what it throws away", async () => {
  const box = makeMailbox<number>("m", { capacity: 4, overflow: "fail" });
  for (const i of [1, 2, 3]) await run(box.send(i));
  expect(box.clear()).toBe(3);
  expect(box.stats()).toMatchObject({ depth: 0, dropped: 3 });
});

test("a mailbox that is handed on gives what waits in its order, then each message in its sender's call, until that ends", async () => {
  for (const overflow of ["fail", "dropNewest", "dropOldest", "backpressure"] as const) {
    const box = makeMailbox<number>("m", { capacity: 2, overflow });
    const taken: number[] = [];
    box.offer(1);
    box.offer(2);
    const end = box.handTo((n) => taken.push(n));
    expect(taken).toEqual([1, 2]);
    for (const n of [3, 4, 5]) expect(box.offer(n)).toBe(true);
    await run(box.send(6));
    expect(taken).toEqual([1, 2, 3, 4, 5, 6]);
    expect(box.stats()).toMatchObject({ depth: 0, accepted: 6, dropped: 0, refused: 0 });
    end();
    box.offer(7);
    expect(box.stats().depth).toBe(1);
    // The next incarnation of the actor; that the former one ends once more is nothing to it.
    box.handTo((n) => taken.push(-n));
    end();
    box.offer(8);
    expect(taken.slice(6)).toEqual([-7, -8]);
  }
});
