import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Logger from "effect/Logger";
import { TestClock } from "effect/testing";
import { describe, expect } from "vitest";
import { type AlertManager, makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import type { CarryOutDeps } from "../../../src/actors/notify/carry-out.ts";
import type { Notification } from "../../../src/actors/notify/webhook-payload.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../../lib/sim-disk.ts";
import { often } from "../../support/often.ts";
import { posted } from "./fixtures.ts";

// Fault model: power cuts at random moments (before any operation on the disk, before and after the provider takes a
// notification), a disk that keeps what was synced and any part of what was not, a provider that fails, or takes a
// notification and whose answer is lost. The provider remembers keys. Virtual time; the seed decides everything.
const KILLS = Number(process.env.SIMULATED_KILLS ?? often(100, 250));
const seed = Number(process.env.SEED ?? 20_261_122);
const START = 1_700_000_000_000;

const config = parseAlertmanagerConfig(
  "alertmanager.yml",
  `route: {receiver: pager, group_by: [alertname], group_wait: 2s, group_interval: 10s, repeat_interval: 100h}
receivers: [{name: pager, webhook_configs: [{url: "http://pager"}]}]
`,
);

/** A condition that begins, is told of by its sender every 5 s, and ends. */
interface Condition {
  readonly labels: Record<string, string>;
  readonly startsAt: number;
  /** It is waited for the page before it ends. */
  readonly patient: boolean;
  endsAt: number;
}

function provider(random: () => number) {
  /** What has arrived, each key once, in order. */
  const taken: Notification[] = [];
  const keys = new Map<string, Notification>();
  let repeats = 0;
  return {
    taken,
    repeats: () => repeats,
    take(n: Notification): void {
      if (keys.has(n.key)) {
        repeats++;
        expect(statuses(n)).toEqual(statuses(keys.get(n.key) as Notification));
        return;
      }
      keys.set(n.key, n);
      taken.push(n);
    },
    fails: () => random() < 0.1,
    answerIsLost: () => random() < 0.05,
  };
}

function statuses(n: Notification): string[] {
  return n.alerts.map((a) => `${a.endsAt === 0 ? "firing" : "resolved"} ${a.fingerprint} ${a.startsAt}`).sort();
}

const settle = Effect.promise(async () => {
  for (let i = 0; i < 12; i++) await new Promise((r) => setImmediate(r));
});

describe("an alert manager under power cuts", () => {
  it.effect(
    `loses no page and repeats none over ${KILLS} of them (SEED=${seed})`,
    () =>
      Effect.gen(function* () {
        const random = seededRandom(seed);
        const to = provider(random);
        const conditions: Condition[] = [];
        let disk: SimDisk = makeSimDisk();
        let kills = 0;
        let now = START;
        let manager: AlertManager | undefined;
        let life: { dead: boolean; moments: number } = { dead: true, moments: 0 };
        yield* TestClock.setTime(START);

        /** Counts down to the moment of the kill; nothing happens in a life after it. */
        const moment = (of: typeof life) => {
          if (!of.dead && of.moments-- <= 0) of.dead = true;
          if (of.dead) throw new Error("killed");
        };
        const begin = Effect.fnUntraced(function* (deadly: boolean) {
          const mine = { dead: false, moments: deadly ? Math.floor(random() ** 2 * 250) : Number.POSITIVE_INFINITY };
          life = mine;
          disk.before = async () => moment(mine);
          const attempt: CarryOutDeps["attempt"] = (_integration, n) => async () => {
            await Promise.resolve();
            moment(mine);
            if (to.fails()) return { ok: false, retry: true, reason: "busy" };
            to.take(n);
            if (to.answerIsLost()) return { ok: false, retry: true, reason: "no answer" };
            moment(mine);
            return { ok: true };
          };
          const made = makeAlertManager({
            config,
            dataDir: "/alerting",
            disk,
            attempt,
            publish: async () => moment(mine),
            externalUrl: "http://tocsin",
            userAgent: "test",
            onDeath: ({ detail }) => {
              if (!mine.dead) throw new Error(`died: ${detail}`);
            },
          });
          manager = made;
          return yield* Effect.forkDetach(Effect.scoped(made.run));
        });
        const second = Effect.fnUntraced(function* () {
          for (const c of conditions) {
            const over = c.endsAt <= now;
            if ((now - START) % 5000 !== 0 || (over && c.endsAt < now - 900_000)) continue;
            const alert = posted(c.labels, { startsAt: c.startsAt, endsAt: over ? c.endsAt : now + 60_000 });
            manager?.receive([alert]);
          }
          yield* settle;
          now += 1000;
          yield* TestClock.setTime(now);
          yield* settle;
        });
        const paged = (c: Condition) =>
          to.taken.some((n) =>
            n.alerts.some((a) => a.endsAt === 0 && a.startsAt === c.startsAt && a.labels.includes(c.labels.host ?? "")),
          );

        let fiber = yield* begin(true);
        let hosts = 0;
        const step = Effect.fnUntraced(function* () {
          if (random() < 0.05 && conditions.filter((c) => c.endsAt > now).length < 8) {
            const labels = { alertname: `A${Math.floor(random() * 4)}`, host: `h${hosts++}` };
            const patient = random() < 0.7;
            const endsAt = patient ? Number.POSITIVE_INFINITY : now + Math.floor(random() * 60) * 1000;
            conditions.push({ labels, startsAt: now, patient, endsAt });
          }
          for (const c of conditions) {
            if (c.endsAt === Number.POSITIVE_INFINITY && paged(c) && random() < 0.1) c.endsAt = now;
          }
          yield* second();
        });
        while (kills < KILLS) {
          yield* step();
          if (!life.dead) continue;
          kills++;
          // The finalizers of a killed process do not run; here they do, on a disk that is not there any more.
          yield* Effect.forkDetach(Fiber.interrupt(fiber));
          manager = undefined;
          disk = disk.crash(random);
          for (let down = Math.floor(random() * 8); down > 0; down--) yield* step();
          fiber = yield* begin(kills < KILLS);
        }
        for (let i = 0; i < 60; i++) yield* second();
        expect(conditions.filter((c) => c.patient && !paged(c))).toEqual([]);
        for (const c of conditions) c.endsAt = Math.min(c.endsAt, now);
        for (let i = 0; i < 120; i++) yield* second();

        // What the provider knows in the end of each alert that it was paged for: that it is over.
        const last = new Map<string, string>();
        for (const n of to.taken)
          for (const a of n.alerts) last.set(a.fingerprint, a.endsAt === 0 ? "firing" : "resolved");
        expect([...last].filter(([, status]) => status !== "resolved")).toEqual([]);
        // Every content once: the repeat interval is never over.
        const contents = to.taken.map((n) => JSON.stringify([n.groupKey, statuses(n)]));
        expect(contents.length - new Set(contents).size).toBe(0);
        expect(conditions.length).toBeGreaterThan(KILLS / 10);
        expect(to.taken.length).toBeGreaterThan(KILLS / 10);
        yield* Fiber.interrupt(fiber);
        if (process.env.VERBOSE) {
          console.log({
            kills,
            alerts: conditions.length,
            told: to.taken.length,
            repeats: to.repeats(),
            seconds: (now - START) / 1000,
          });
        }
      }).pipe(Effect.provide(Logger.layer([]))),
    { timeout: 600_000 },
  );
});
