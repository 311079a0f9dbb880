/** For the crash tests: deaths as the rest of Tocsin sees them, and faults that strike once. */
import { setImmediate as breathe } from "node:timers/promises";
import * as Effect from "effect/Effect";
import * as Logger from "effect/Logger";
import { TestClock } from "effect/testing";
import { Registry } from "prom-client";
import { makeCensus } from "../../src/actors/runtime/census.ts";
import type { DeathNotice } from "../../src/actors/runtime/death.ts";
import { registerSystemMetrics, type SystemSources } from "../../src/api/system-metrics.ts";

/** The defect of all crash tests: nobody foresaw it, so no handler knows it. */
export const defect = (): TypeError => new TypeError("a fault for the test");

export function watchDeaths() {
  const notices: DeathNotice[] = [];
  const lines: string[] = [];
  const census = makeCensus((notice) => notices.push(notice));
  const registry = new Registry();
  const unused = new Proxy({}, { get: () => () => undefined }) as SystemSources;
  registerSystemMetrics(registry, Object.assign(Object.create(unused), { deaths: census.deaths, mailboxes: () => [] }));
  return {
    notices,
    /** What was logged. */
    lines,
    onDeath: census.onDeath,
    log: Logger.layer([Logger.make((entry) => void lines.push([entry.message].flat().join(" ")))]),
    /** tocsin_actor_deaths_total of /metrics, as `supervisor/actor`: count. */
    counted: async () => {
      const metric = await registry.getSingleMetric("tocsin_actor_deaths_total")?.get();
      return Object.fromEntries(
        (metric?.values ?? []).map((v) => [`${v.labels.supervisor}/${v.labels.actor}`, v.value] as const),
      );
    },
  };
}

export type DeathWatch = ReturnType<typeof watchDeaths>;

/** Lets the event loop run, and the network answer, until the condition holds; dies after `patienceMs` of real time. */
export const until = (condition: () => boolean, patienceMs = 10_000) =>
  Effect.promise(async () => {
    const end = performance.now() + patienceMs;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`not within ${patienceMs} ms: ${condition}`);
      await breathe();
    }
  });

/** Moves the test's clock on, in steps, until the condition holds; dies when it does not within `steps`. */
export const pass = (condition: () => boolean, stepMs = 1000, steps = 500) =>
  Effect.gen(function* () {
    for (let step = 0; !condition(); step++) {
      if (step === steps) return yield* Effect.die(new Error(`not within ${steps} steps: ${condition}`));
      yield* wait(stepMs);
    }
  });

/** Moves the test's clock on by this much, and lets the actors do what they have to do then. */
export const wait = (ms: number) =>
  Effect.gen(function* () {
    yield* settle;
    yield* TestClock.adjust(ms);
    yield* settle;
  });

const settle = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await breathe();
});

/** The function, except that the first call for which `when` holds throws the defect. */
export function failsOnce<A extends readonly unknown[], B>(
  self: (...args: A) => B,
  when: (...args: A) => boolean = () => true,
): ((...args: A) => B) & { readonly struck: () => boolean } {
  let struck = false;
  const call = (...args: A): B => {
    if (struck || !when(...args)) return self(...args);
    struck = true;
    throw defect();
  };
  return Object.assign(call, { struck: () => struck });
}
