import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import { TestClock } from "effect/testing";
import { expect } from "vitest";
import type { DeathNotice } from "../../../src/actors/runtime/death.ts";
import { makeDynamicSupervisor } from "../../../src/actors/runtime/dynamic-supervisor.ts";
import { type ChildSpec, DEFAULT_INTENSITY } from "../../../src/actors/runtime/supervisor.ts";

/** A child that writes down its starts and releases, and crashes `crashes` times before it stays up. */
const child = (id: string, log: string[], crashes = 0): ChildSpec => {
  let left = crashes;
  return {
    id,
    restart: "permanent",
    run: Effect.gen(function* () {
      yield* Effect.acquireRelease(
        Effect.sync(() => void log.push(`+${id}`)),
        () => Effect.sync(() => void log.push(`-${id}`)),
      );
      if (left-- > 0) return yield* Effect.fail(new Error("crash"));
      return yield* Effect.never;
    }),
  };
};

it.effect("children come and go; stop waits for the release; closing the scope stops the rest", () =>
  Effect.gen(function* () {
    const log: string[] = [];
    const inside = Effect.gen(function* () {
      const sup = yield* makeDynamicSupervisor("targets", DEFAULT_INTENSITY, () => {});
      yield* sup.start(child("a", log));
      yield* sup.start(child("b", log));
      yield* TestClock.adjust("1 millis");
      expect(sup.ids()).toEqual(["a", "b"]);
      const twice = yield* Effect.flip(sup.start(child("a", log)));
      expect(twice.message).toBe("supervisor targets already has a child a");
      expect(yield* sup.stop("a")).toBe(true);
      expect(log).toEqual(["+a", "+b", "-a"]);
      expect(yield* sup.stop("a")).toBe(false);
      expect(sup.ids()).toEqual(["b"]);
      yield* sup.start(child("a", log));
      yield* TestClock.adjust("1 millis");
      expect(sup.ids()).toEqual(["b", "a"]);
    });
    yield* Effect.scoped(inside);
    expect(log.slice(0, 4)).toEqual(["+a", "+b", "-a", "+a"]);
    expect(log.slice(4).sort()).toEqual(["-a", "-b"]);
  }),
);

it.effect("a crash restarts that child only, and one that keeps dying fails join", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const log: string[] = [];
      const notices: DeathNotice[] = [];
      const sup = yield* makeDynamicSupervisor("groups", { ...DEFAULT_INTENSITY, max: 2 }, (n) => void notices.push(n));
      yield* sup.start(child("steady", log));
      yield* sup.start(child("crashes", log, 1));
      yield* TestClock.adjust("10 seconds");
      expect(log).toEqual(["+steady", "+crashes", "-crashes", "+crashes"]);
      yield* sup.start(child("hopeless", log, 1_000));
      const joined = yield* Effect.forkChild(sup.join);
      yield* TestClock.adjust("1 minute");
      const exit = yield* Fiber.await(joined);
      expect(Exit.isFailure(exit) && String(exit.cause)).toMatch(/groups\/hopeless died 3 times/);
      expect(sup.ids()).toEqual(["steady", "crashes"]);
      expect(notices.map((n) => `${n.child} ${n.action}`)).toEqual([
        "crashes restart",
        "hopeless restart",
        "hopeless restart",
        "hopeless give-up",
      ]);
    }),
  ),
);

it.effect("a child that rests makes room for another of its id", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const sup = yield* makeDynamicSupervisor("groups", DEFAULT_INTENSITY, () => {});
      const once: ChildSpec = { id: "once", restart: "temporary", run: Effect.void };
      yield* sup.start(once);
      yield* TestClock.adjust("1 millis");
      expect(sup.ids()).toEqual([]);
      yield* sup.start(once);
    }),
  ),
);
