import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Logger from "effect/Logger";
import { TestClock } from "effect/testing";
import { describe, expect, it } from "vitest";
import { makeEventOutlet } from "../../../src/actors/notify/event-outlet.ts";

interface Published {
  readonly text: string;
  readonly id: string | undefined;
  acknowledge(): void;
  refuse(): void;
}

/** A stream that answers when it is told to, or at once. */
function fakeStream() {
  const published: Published[] = [];
  const open = new Set<Published>();
  const self = { published, open, most: 0, answers: "when told" as "when told" | "at once" };
  const publish = (_: string, payload: Uint8Array, id?: string) =>
    new Promise<void>((resolve, reject) => {
      const text = new TextDecoder().decode(payload);
      const end = (how: () => void) => () => {
        open.delete(event);
        how();
      };
      const event: Published = { text, id, acknowledge: end(resolve), refuse: end(() => reject(new Error("no acks"))) };
      published.push(event);
      open.add(event);
      self.most = Math.max(self.most, open.size);
      if (self.answers === "at once") event.acknowledge();
    });
  return { ...self, self, publish };
}

const settle = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
});

const run = <A>(test: Effect.Effect<A>) =>
  Effect.runPromise(Effect.provide(Effect.scoped(test), TestClock.layer()) as Effect.Effect<A>);

describe("events on their way to a stream", () => {
  it("are published in order, and a hundred thousand at once wait without loss", () =>
    run(
      Effect.gen(function* () {
        const { self, publish } = fakeStream();
        self.answers = "at once";
        const outlet = makeEventOutlet("events", publish);
        const fiber = yield* Effect.forkChild(outlet.run);
        let done = 0;
        for (let i = 0; i < 100_000; i++) outlet.offer("s", i, { done: () => done++ });
        while (done < 100_000) yield* settle;
        expect(self.published.map((e) => Number(e.text))).toEqual(Array.from({ length: 100_000 }, (_, i) => i));
        expect(new Set(self.published.map((e) => e.id)).size).toBe(100_000);
        expect(outlet.dropped()).toBe(0);
        yield* Fiber.interrupt(fiber);
      }),
    ));

  it("are never more than a few without an acknowledgement, however slow the bus is", () =>
    run(
      Effect.gen(function* () {
        const { self, publish } = fakeStream();
        const outlet = makeEventOutlet("events", publish);
        const fiber = yield* Effect.forkChild(outlet.run);
        for (let i = 0; i < 1000; i++) outlet.offer("s", i);
        for (let rounds = 0; self.published.length < 1000 || self.open.size > 0; rounds++) {
          expect(rounds).toBeLessThan(1000);
          yield* settle;
          for (const event of [...self.open]) event.acknowledge();
        }
        expect(self.most).toBeGreaterThan(1);
        expect(self.most).toBeLessThanOrEqual(128);
        yield* Fiber.interrupt(fiber);
      }),
    ));

  it("are published again with the same id until they are taken", () =>
    run(
      Effect.gen(function* () {
        const { self, publish } = fakeStream();
        const outlet = makeEventOutlet("events", publish);
        const fiber = yield* Effect.forkChild(outlet.run);
        let done = false;
        outlet.offer("s", "a", { done: () => (done = true) });
        yield* settle;
        self.published[0]?.refuse();
        yield* settle;
        yield* TestClock.adjust(1000);
        yield* settle;
        expect(self.published.length).toBe(2);
        expect(self.published[1]?.id).toBe(self.published[0]?.id);
        expect(done).toBe(false);
        self.published[1]?.acknowledge();
        yield* settle;
        expect(done).toBe(true);
        yield* Fiber.interrupt(fiber);
      }),
    ));

  it("wait within bounds, of which the oldest go and are counted", () =>
    run(
      Effect.gen(function* () {
        const { self, publish } = fakeStream();
        self.answers = "at once";
        const heard: unknown[] = [];
        const keep = (_: string, event: unknown) => heard.push(event);
        const few = makeEventOutlet("events", publish, keep, { events: 10, bytes: 1000 });
        for (let i = 0; i < 15; i++) few.offer("s", i);
        expect(few.dropped()).toBe(5);
        expect(heard.length).toBe(15);
        const fiber = yield* Effect.forkChild(few.run);
        yield* settle;
        expect(self.published.map((e) => e.text)).toEqual(Array.from({ length: 10 }, (_, i) => String(i + 5)));
        yield* Fiber.interrupt(fiber);
        const small = makeEventOutlet("events", publish, undefined, { events: 10, bytes: 30 });
        for (let i = 0; i < 5; i++) small.offer("s", "x".repeat(8));
        expect(small.dropped()).toBe(2);
        small.offer("s", "x".repeat(100));
        expect(small.dropped()).toBe(6);
      }),
    ));

  it("that are dropped are told in the log, at most once a minute, and never silently", () => {
    const lines: string[] = [];
    const log = Logger.layer([Logger.make((entry) => void lines.push([entry.message].flat().join(" ")))]);
    return run(
      Effect.gen(function* () {
        const { publish } = fakeStream();
        const outlet = makeEventOutlet("transitions", publish, undefined, { events: 2, bytes: 1000 });
        const fiber = yield* Effect.forkChild(Effect.provide(outlet.run, log));
        for (let i = 0; i < 5; i++) outlet.offer("s", i);
        expect([outlet.waiting(), outlet.dropped()]).toEqual([2, 3]);
        yield* settle;
        expect(lines).toEqual([
          "transitions: 3 events were dropped, the oldest ones, since too many wait for the bus: records of that time have a gap",
        ]);
        yield* Fiber.interrupt(fiber);
      }),
    );
  });
});
