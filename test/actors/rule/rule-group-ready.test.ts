import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { TestClock } from "effect/testing";
import { expect } from "vitest";
import { makeRuleManager } from "../../../src/actors/rule/rule-manager.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import { labelValue } from "../../../src/model/labels.ts";
import { alertingRule, freshFolder, recordingIngest, ruleGroup, scriptedEngine, until } from "./fixtures.ts";

const INTERVAL = 10_000;

it.effect("looks at what the others can see, at once, when a shard dies that was there", () =>
  Effect.gen(function* () {
    const engine = scriptedEngine();
    const sent: PostedAlert[] = [];
    let ready = false;
    const manager = makeRuleManager(
      {
        engine,
        ingest: recordingIngest(),
        sink: (alerts) => sent.push(...alerts),
        publish: () => Promise.resolve(),
        dataDir: freshFolder(),
        externalLabels: {},
        externalUrl: "",
        onDeath: () => {},
        ready: () => ready,
      },
      [ruleGroup([alertingRule({ name: "Fire", query: "fire" })], { intervalMs: INTERVAL })],
    );
    const evaluations = () => manager.stats().groups[0]?.evaluations ?? 0;
    const hosts = () => sent.map((a) => labelValue(a.labels, "host"));
    /** Moves on by less than a group would wait for what is not ready. */
    const evaluated = (count: number) =>
      Effect.gen(function* () {
        for (let i = 0; i < 30 && evaluations() < count; i++) {
          yield* TestClock.adjust(INTERVAL / 10);
          yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)));
        }
        expect(evaluations()).toBeGreaterThanOrEqual(count);
      });
    yield* TestClock.setTime(1_700_000_000_000);
    yield* Effect.forkChild(Effect.scoped(manager.run));
    yield* Effect.promise(() => until(() => manager.stats().groups[0] !== undefined));
    engine.answers = { fire: [[{ host: "a" }, 1]] };

    // At a start it waits for the shards.
    for (let i = 0; i < 30; i++) yield* TestClock.adjust(INTERVAL / 10);
    expect(evaluations()).toBe(0);
    ready = true;
    yield* evaluated(1);
    expect(hosts()).toContain("a");

    // A shard dies: what is seen pages in the interval, and what is not seen is not over.
    ready = false;
    engine.answers = { fire: [[{ host: "b" }, 1]] };
    yield* evaluated(evaluations() + 2);
    expect(hosts()).toContain("b");
    expect(manager.alerts("default").map((a) => a.labels)).toHaveLength(2);
  }),
);
