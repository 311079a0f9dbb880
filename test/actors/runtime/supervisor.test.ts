import { it } from "@effect/vitest";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import { TestClock } from "effect/testing";
import { describe, expect } from "vitest";
import { actor, spawn } from "../../../src/actors/runtime/actor.ts";
import { makeCensus } from "../../../src/actors/runtime/census.ts";
import type { DeathNotice } from "../../../src/actors/runtime/death.ts";
import { makeMailbox } from "../../../src/actors/runtime/mailbox.ts";
import {
  type ChildSpec,
  GaveUp,
  type Intensity,
  KEEP_TRYING,
  oneForOne,
} from "../../../src/actors/runtime/supervisor.ts";

const FAST: Intensity = { max: 3, withinMs: 10_000, baseMs: 100, capMs: 1_000 };

const recorder = () => {
  const notices: DeathNotice[] = [];
  return { notices, onDeath: (n: DeathNotice) => void notices.push(n) };
};

/** An actor that adds up numbers and dies of -1 (typed) and -2 (thrown). */
const adder = (id: string, seen: number[], released: string[] = []) => {
  const mailbox = makeMailbox<number>(id, { capacity: 16, overflow: "fail" });
  const spec: ChildSpec = {
    id,
    restart: "permanent",
    run: actor(mailbox, {
      init: Effect.acquireRelease(Effect.succeed(0), () => Effect.sync(() => void released.push(id))),
      receive: (sum: number, n: number) =>
        Effect.suspend(() => {
          if (n === -1) return Effect.fail(new Error("poison"));
          if (n === -2) throw new TypeError("thrown");
          seen.push(sum + n);
          return Effect.succeed(sum + n);
        }),
    }),
  };
  return { mailbox, spec };
};

describe("one for one", () => {
  it.effect("restarts a crashed actor with fresh state, after its release, and leaves its sibling alone", () =>
    Effect.gen(function* () {
      const { notices, onDeath } = recorder();
      const seenA: number[] = [];
      const seenB: number[] = [];
      const released: string[] = [];
      const a = adder("a", seenA, released);
      const b = adder("b", seenB, released);
      const fiber = yield* Effect.forkChild(oneForOne("top", [a.spec, b.spec], FAST, onDeath));
      for (const n of [1, 2, -1, 10]) yield* a.mailbox.send(n);
      yield* b.mailbox.send(5);
      yield* TestClock.adjust("1 millis");
      expect(seenA).toEqual([1, 3]);
      expect(released).toEqual(["a"]);
      yield* b.mailbox.send(6);
      yield* TestClock.adjust("200 millis");
      // The poison is consumed, what waited behind it is handled by the next incarnation, whose state is new.
      expect(seenA).toEqual([1, 3, 10]);
      expect(seenB).toEqual([5, 11]);
      expect(notices).toMatchObject([
        { supervisor: "top", child: "a", kind: "failure", reason: "Error: poison", deaths: 1, action: "restart" },
      ]);
      yield* a.mailbox.send(-2);
      yield* TestClock.adjust("1 millis");
      expect(notices[1]).toMatchObject({ reason: "TypeError: thrown", deaths: 2, action: "restart" });
      yield* Fiber.interrupt(fiber);
      // Stopping is no death.
      expect(notices).toHaveLength(2);
      expect(released).toEqual(["a", "a", "b"]);
    }),
  );

  it.effect("gives up after too many deaths within the window, stops the siblings and says why", () =>
    Effect.gen(function* () {
      const { notices, onDeath } = recorder();
      let siblingReleased = false;
      const bad: ChildSpec = { id: "bad", restart: "permanent", run: Effect.fail(new Error("broken disk")) };
      const good: ChildSpec = {
        id: "good",
        restart: "permanent",
        run: Effect.andThen(
          Effect.addFinalizer(() =>
            Effect.sync(() => {
              siblingReleased = true;
            }),
          ),
          Effect.never,
        ),
      };
      const fiber = yield* Effect.forkChild(oneForOne("top", [bad, good], FAST, onDeath));
      yield* TestClock.adjust("1 minute");
      const exit = yield* Fiber.await(fiber);
      expect(notices.map((n) => n.action)).toEqual(["restart", "restart", "restart", "give-up"]);
      expect(siblingReleased).toBe(true);
      expect(Exit.isFailure(exit) && String(exit.cause)).toMatch(
        /top\/bad died 4 times in a row, last: Error: broken disk/,
      );
    }),
  );

  it.effect("doubles the delay up to the cap and forgets deaths older than the window", () =>
    Effect.gen(function* () {
      const { notices, onDeath } = recorder();
      const bad: ChildSpec = { id: "bad", restart: "permanent", run: Effect.die("x") };
      const fiber = yield* Effect.forkChild(oneForOne("top", [bad], { ...KEEP_TRYING, capMs: 2_000 }, onDeath));
      yield* TestClock.adjust("10 minutes");
      yield* Fiber.interrupt(fiber);
      const ideal = [100, 200, 400, 800, 1_600, 2_000, 2_000];
      ideal.forEach((ms, i) => {
        expect(notices[i]!.delayMs).toBeGreaterThanOrEqual(ms * 0.8);
        expect(notices[i]!.delayMs).toBeLessThanOrEqual(ms * 1.2);
      });
      // A bounded rate: at most window/cap deaths (jitter included) are ever remembered.
      expect(Math.max(...notices.map((n) => n.deaths))).toBeLessThan(60_000 / 1_600 + 8);
    }),
  );

  it.effect("transient rests after a return, temporary after anything; then the supervisor returns", () =>
    Effect.gen(function* () {
      const { notices, onDeath } = recorder();
      let tries = 0;
      const transient: ChildSpec = {
        id: "transient",
        restart: "transient",
        run: Effect.suspend(() => (tries++ === 0 ? Effect.fail("once") : Effect.void)),
      };
      const temporary: ChildSpec = { id: "temporary", restart: "temporary", run: Effect.fail("never again") };
      const fiber = yield* Effect.forkChild(oneForOne("top", [transient, temporary], FAST, onDeath));
      yield* TestClock.adjust("1 second");
      expect(Exit.isSuccess(yield* Fiber.await(fiber))).toBe(true);
      expect(tries).toBe(2);
      expect(notices.map((n) => `${n.child} ${n.kind} ${n.action}`).sort()).toEqual([
        "temporary failure rest",
        "transient failure restart",
        "transient return rest",
      ]);
    }),
  );

  it.effect("supervisors nest: GaveUp of an inner one is a death for the outer one", () =>
    Effect.gen(function* () {
      const { notices, onDeath } = recorder();
      const bad: ChildSpec = { id: "bad", restart: "permanent", run: Effect.fail(new Error("no")) };
      const inner: ChildSpec = {
        id: "inner",
        restart: "permanent",
        run: oneForOne("inner", [bad], { ...FAST, max: 0 }, onDeath),
      };
      const exit = yield* oneForOne("outer", [inner], { ...FAST, max: 0 }, onDeath).pipe(Effect.exit);
      expect(Exit.isFailure(exit)).toBe(true);
      expect(notices.map((n) => `${n.supervisor} ${n.action}`)).toEqual(["inner give-up", "outer give-up"]);
      expect(notices[1]!.reason).toContain("GaveUp");
    }),
  );

  for (const stopping of ["together", "in reverse"] as const) {
    it.effect(`children stop ${stopping}`, () =>
      Effect.gen(function* () {
        const { notices, onDeath } = recorder();
        const told: string[] = [];
        const child = (id: string, takesMs: number): ChildSpec => ({
          id,
          restart: "permanent",
          run: Effect.andThen(
            Effect.addFinalizer(() =>
              Effect.gen(function* () {
                told.push(`${id} is told`);
                yield* Effect.sleep(takesMs);
                told.push(`${id} has ended`);
              }),
            ),
            Effect.never,
          ),
        });
        const children = [child("a", 1), child("b", 1_000), child("c", 100)];
        const fiber = yield* Effect.forkChild(oneForOne("top", children, FAST, onDeath, stopping));
        yield* TestClock.adjust("1 millis");
        const stop = yield* Effect.forkChild(Fiber.interrupt(fiber));
        for (let ms = 0; ms < 1_200; ms += 10) yield* TestClock.adjust("10 millis");
        yield* Fiber.join(stop);
        expect(told).toEqual(
          stopping === "together"
            ? ["a is told", "b is told", "c is told", "a has ended", "c has ended", "b has ended"]
            : ["c is told", "c has ended", "b is told", "b has ended", "a is told", "a has ended"],
        );
        expect(notices).toEqual([]);
      }),
    );
  }

  it.effect("one that gives up has its siblings stopped in reverse as well", () =>
    Effect.gen(function* () {
      const { onDeath } = recorder();
      const ended: string[] = [];
      const good = (id: string): ChildSpec => ({
        id,
        restart: "permanent",
        run: Effect.andThen(
          Effect.addFinalizer(() => Effect.sync(() => void ended.push(id))),
          Effect.never,
        ),
      });
      const broken = Effect.andThen(Effect.sleep(10), Effect.fail(new Error("broken disk")));
      const bad: ChildSpec = { id: "bad", restart: "permanent", run: broken };
      const tree = oneForOne("top", [good("a"), good("b"), bad, good("c")], { ...FAST, max: 0 }, onDeath, "in reverse");
      const fiber = yield* Effect.forkChild(tree);
      yield* TestClock.adjust("1 second");
      const exit = yield* Fiber.await(fiber);
      expect(Exit.isFailure(exit) && String(exit.cause)).toContain("top/bad died 1 times");
      expect(ended).toEqual(["c", "b", "a"]);
    }),
  );

  it.effect("two children with one id are refused", () =>
    Effect.sync(() => {
      const c: ChildSpec = { id: "c", restart: "permanent", run: Effect.never };
      expect(() => oneForOne("top", [c, c], FAST, () => {})).toThrow(/same id/);
    }),
  );
});

it.effect("a child's spawned fiber that fails does not go unseen and ends with the child", () =>
  Effect.gen(function* () {
    const { onDeath } = recorder();
    const started = yield* Deferred.make<void>();
    let ended = false;
    const child: ChildSpec = {
      id: "c",
      restart: "permanent",
      run: Effect.gen(function* () {
        yield* spawn(
          "helper",
          Effect.andThen(Deferred.succeed(started, undefined), Effect.never).pipe(
            Effect.onInterrupt(() =>
              Effect.sync(() => {
                ended = true;
              }),
            ),
          ),
        );
        return yield* Effect.never;
      }),
    };
    const fiber = yield* Effect.forkChild(oneForOne("top", [child], FAST, onDeath));
    yield* Deferred.await(started);
    yield* Fiber.interrupt(fiber);
    expect(ended).toBe(true);
  }),
);

it.effect("the census counts deaths and shows the mailboxes", () =>
  Effect.gen(function* () {
    const census = makeCensus();
    const box = makeMailbox<number>("box", { capacity: 3, overflow: "dropOldest" });
    const forget = census.watch(box);
    box.offer(1);
    const bad: ChildSpec = { id: "bad", restart: "permanent", run: Effect.fail(new Error("no")) };
    const exit = yield* oneForOne("top", [bad], { ...FAST, max: 0 }, census.onDeath).pipe(Effect.flip);
    expect(exit).toBeInstanceOf(GaveUp);
    expect(census.deaths()).toEqual([{ supervisor: "top", child: "bad", deaths: 1, lastReason: "Error: no" }]);
    expect(census.mailboxes()).toMatchObject([{ name: "box", depth: 1 }]);
    forget();
    expect(census.mailboxes()).toEqual([]);
  }),
);
