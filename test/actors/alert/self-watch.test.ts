import * as Effect from "effect/Effect";
import { TestClock } from "effect/testing";
import { expect, it } from "vitest";
import { selfWatch } from "../../../src/actors/alert/self-watch.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import { labelValue } from "../../../src/model/labels.ts";

it("tells what is wrong for long enough, says it again, and tells its end", () =>
  Effect.gen(function* () {
    const told: PostedAlert[] = [];
    let trouble: string | undefined;
    const checks = [{ alertname: "BusDown", summary: "s", description: "d", trouble: () => trouble }];
    yield* TestClock.setTime(1_000_000);
    yield* Effect.forkScoped(
      selfWatch({
        checks,
        sink: (alerts) => told.push(...alerts),
        holdMs: 10_000,
        externalLabels: () => ({ site: "a" }),
        externalUrl: "http://t",
      }),
    );
    // What mends itself is not told.
    trouble = "gone";
    yield* TestClock.adjust("9 seconds");
    trouble = undefined;
    yield* TestClock.adjust("5 seconds");
    expect(told).toEqual([]);
    trouble = "gone";
    yield* TestClock.adjust("12 seconds");
    expect(told).toHaveLength(1);
    expect(labelValue(told[0]?.labels ?? [], "alertname")).toBe("BusDown");
    expect(labelValue(told[0]?.labels ?? [], "site")).toBe("a");
    expect(told[0]?.annotations.description).toBe("d gone");
    yield* TestClock.adjust("60 seconds");
    expect(told).toHaveLength(2);
    expect(told[1]?.startsAt).toBe(told[0]?.startsAt);
    trouble = undefined;
    yield* TestClock.adjust("1 seconds");
    expect(told).toHaveLength(3);
    expect(told[2]?.endsAt).toBeLessThanOrEqual(1_100_000);
    yield* TestClock.adjust("90 seconds");
    expect(told).toHaveLength(3);
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise));

interface Watched {
  trouble: string | undefined;
  isWell: boolean;
  firesSince: number | undefined;
  readonly told: PostedAlert[];
}

/** What becomes of one check, minute by minute. */
const watching = (body: (w: Watched) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const w: Watched = { trouble: undefined, isWell: true, firesSince: undefined, told: [] };
    const check = { alertname: "Down", summary: "s", description: "d" };
    yield* TestClock.setTime(1_000_000);
    yield* Effect.forkScoped(
      selfWatch({
        checks: [{ ...check, trouble: () => w.trouble, isWell: () => w.isWell }],
        sink: (alerts) => w.told.push(...alerts),
        holdMs: 10_000,
        externalLabels: () => ({}),
        externalUrl: "http://t",
        firesSince: () => w.firesSince,
      }),
    );
    yield* body(w);
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise);

it("does not take for the end that nobody can tell any more", () =>
  watching((w) =>
    Effect.gen(function* () {
      w.trouble = "gone";
      yield* TestClock.adjust("12 seconds");
      w.trouble = undefined;
      w.isWell = false;
      yield* TestClock.adjust("130 seconds");
      // It is said again, as it was.
      expect(w.told.map((a) => [a.annotations.description, (a.endsAt ?? 0) > 1_200_000])).toEqual(
        new Array(3).fill(["d gone", true]),
      );
      w.isWell = true;
      yield* TestClock.adjust("2 seconds");
      expect(w.told).toHaveLength(4);
      expect(w.told[3]?.endsAt).toBeLessThan(1_200_000);
    }),
  ));

it("ends what a process before it has told, once all is well", () =>
  watching((w) =>
    Effect.gen(function* () {
      w.firesSince = 700_000;
      w.isWell = false;
      yield* TestClock.adjust("30 seconds");
      expect(w.told).toEqual([]);
      w.isWell = true;
      yield* TestClock.adjust("1 seconds");
      expect(w.told).toMatchObject([{ startsAt: 700_000, endsAt: 1_031_000 }]);
      w.firesSince = undefined;
      yield* TestClock.adjust("30 seconds");
      expect(w.told).toHaveLength(1);
    }),
  ));

it("goes on with what a process before it has told, where it is still wrong", () =>
  watching((w) =>
    Effect.gen(function* () {
      w.firesSince = 700_000;
      w.trouble = "gone";
      yield* TestClock.adjust("3 seconds");
      expect(w.told).toMatchObject([{ startsAt: 700_000 }]);
      expect(w.told[0]?.endsAt).toBeGreaterThan(1_100_000);
    }),
  ));
