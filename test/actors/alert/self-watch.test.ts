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
