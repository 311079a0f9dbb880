import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { TestClock } from "effect/testing";
import { describe, expect } from "vitest";
import { type SystemParts, superviseBus, superviseSystem, systemTree, type TreeNode } from "../../src/actors/system.ts";
import { defect, until, wait, watchDeaths } from "./crash-watch.ts";

const NAMES = [
  "shards",
  "compactor",
  "ingestSubject",
  "labelRequests",
  "scrapes",
  "hostCollector",
  "alertManager",
  "rules",
  "api",
] as const;
type Name = (typeof NAMES)[number];

/** Parts that count their starts and stops, and of which `victim` dies of a defect once, a second after its start. */
function countedParts(victim: Name | undefined) {
  const starts = new Map<Name, number>();
  const stops = new Map<Name, number>();
  const add = (counts: Map<Name, number>, name: Name) => counts.set(name, (counts.get(name) ?? 0) + 1);
  const part = (name: Name) =>
    Effect.gen(function* () {
      yield* Effect.acquireRelease(
        Effect.sync(() => add(starts, name)),
        () => Effect.sync(() => add(stops, name)),
      );
      yield* Effect.sleep(1000);
      if (name === victim && starts.get(name) === 1) throw defect();
      return yield* Effect.never;
    });
  const parts = Object.fromEntries(NAMES.map((name) => [name, part(name)])) as Record<Name, ReturnType<typeof part>>;
  return { parts: parts as SystemParts, starts, stops };
}

/** The ids of all actors with the supervisor that starts them again. */
function places(nodes: readonly TreeNode[], supervisor = "tocsin"): [id: string, supervisor: string][] {
  return nodes.flatMap((node): [string, string][] => [
    [node.id, supervisor],
    ...("children" in node ? places(node.children, node.id) : []),
  ]);
}

describe("the supervision tree", () => {
  it("names every actor once", () => {
    const ids = places(systemTree(countedParts(undefined).parts)).map(([id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  for (const [i, name] of NAMES.entries()) {
    it.effect(`${name} that dies is started again by its supervisor after a backoff, and the others go on`, () =>
      Effect.gen(function* () {
        const watch = watchDeaths();
        const { parts, starts, stops } = countedParts(name);
        yield* Effect.forkChild(Effect.provide(superviseSystem(parts, watch.onDeath), watch.log));
        yield* until(() => starts.size === NAMES.length);
        yield* wait(1000);
        yield* until(() => watch.notices.length === 1);
        const leaves = places(systemTree(parts)).filter(([id]) => !["gateway", "collectors", "alerting"].includes(id));
        const [child, supervisor] = leaves[i] as [string, string];
        const reason = `TypeError: ${defect().message}`;
        expect(watch.notices).toMatchObject([{ supervisor, child, reason, kind: "failure", action: "restart" }]);
        expect(stops).toEqual(new Map([[name, 1]]));
        expect(starts.get(name)).toBe(1);
        yield* TestClock.adjust(120);
        yield* until(() => starts.get(name) === 2);
        yield* wait(60_000);
        expect(starts).toEqual(new Map(NAMES.map((other) => [other, other === name ? 2 : 1])));
        expect(stops).toEqual(new Map([[name, 1]]));
        expect(yield* Effect.promise(watch.counted)).toEqual({ [`${supervisor}/${child}`]: 1 });
        expect(watch.lines).toEqual([expect.stringMatching(`^${supervisor}/${child} died .${reason}.; restarting in`)]);
      }),
    );
  }

  it.effect("stops from the bottom to the top: each part has ended before what it uses is told", () =>
    Effect.gen(function* () {
      const watch = watchDeaths();
      const { parts } = countedParts(undefined);
      const told: string[] = [];
      let up = 0;
      const slow = (name: Name) =>
        Effect.gen(function* () {
          yield* Effect.acquireRelease(
            Effect.sync(() => up++),
            () =>
              Effect.gen(function* () {
                told.push(`${name} is told`);
                yield* Effect.sleep(1000);
                told.push(`${name} has ended`);
              }),
          );
          return yield* Effect.never;
        });
      const all = Object.fromEntries(NAMES.map((name) => [name, slow(name)])) as unknown as typeof parts;
      const fiber = yield* Effect.forkChild(Effect.provide(superviseSystem(all, watch.onDeath), watch.log));
      yield* until(() => up === NAMES.length);
      const stop = yield* Effect.forkChild(Fiber.interrupt(fiber));
      for (let i = 0; i < 10 * NAMES.length + 10; i++) yield* TestClock.adjust(100);
      yield* Fiber.join(stop);
      const order = ["api", "rules", "alertManager", "hostCollector", "scrapes", "labelRequests", "ingestSubject"];
      const expected = [...order, "compactor", "shards"].flatMap((name) => [`${name} is told`, `${name} has ended`]);
      expect(told).toEqual(expected);
      expect(watch.notices).toEqual([]);
    }),
  );

  it.effect("the bus is supervised in the same way, and never given up", () =>
    Effect.gen(function* () {
      const watch = watchDeaths();
      let starts = 0;
      const bus = Effect.suspend(() => (starts++ < 20 ? Effect.die(defect()) : Effect.never));
      yield* Effect.forkChild(Effect.provide(superviseBus(bus, watch.onDeath), watch.log));
      while (starts <= 20) yield* wait(12_000);
      expect(new Set(watch.notices.map((n) => `${n.supervisor}/${n.child} ${n.action}`))).toEqual(
        new Set(["tocsin/bus restart"]),
      );
      expect(Math.max(...watch.notices.map((n) => n.delayMs))).toBeLessThanOrEqual(12_000);
      expect(yield* Effect.promise(watch.counted)).toEqual({ "tocsin/bus": 20 });
    }),
  );
});
