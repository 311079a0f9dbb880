import { randomUUID } from "node:crypto";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import type { AlertmanagerConfig } from "../alert/alertmanager-config.ts";
import { spawn } from "../runtime/actor.ts";
import { makeMailbox } from "../runtime/mailbox.ts";
import { type CarriedOut, type CarryOutDeps, carryOut } from "./carry-out.ts";
import type { DeadLetter } from "./dead-letters.ts";
import type { Intent, Ledger } from "./ledger.ts";
import { transitionKey } from "./transition-key.ts";

/**
 * Notifications that no group is about to send: those that a crash cut off, those told to a fallback receiver, and dead letters that a
 * person sends again. Each is carried out by itself; a key that is under way is not begun a second time.
 */
export interface Redrives {
  /** Takes a notification; false when there is no room or it is under way. */
  push(intent: Intent): boolean;
  /** As `push`, of dead letters; resolves with what came of each, or that it still goes on after `waitMs`. */
  redrive(letters: readonly DeadLetter[], waitMs: number): Promise<readonly Redriven[]>;
  /** Takes up what a crash or a stop has cut off; what is not configured any more fails and is a dead letter then. */
  recover(): void;
  /** Resolves when nothing that was cut off is under way for this slot, with the keys of what has failed. */
  settled(groupKey: string, receiver: string, slot: string): Promise<readonly string[]> | undefined;
  /** Runs for ever, with one configuration. */
  run(deps: CarryOutDeps): Effect.Effect<never, never, Scope.Scope>;
}

export interface Redriven {
  readonly key: string;
  readonly receiver: string;
  readonly integration: string;
  readonly result: "sent" | "failed" | "under way";
  readonly reason?: string;
}

interface Job {
  readonly intent: Intent;
  readonly done: (result: CarriedOut) => void;
}

const CAPACITY = 10_000;
const AT_A_TIME = 64;

export function makeRedrives(ledger: Ledger): Redrives {
  const jobs = makeMailbox<Job>("notification-redrives", { capacity: CAPACITY, overflow: "fail" });
  const underWay = new Set<string>();
  const waiting = new Map<string, Promise<readonly string[]>>();

  const start = (intent: Intent): Promise<CarriedOut> | undefined => {
    if (underWay.has(intent.key)) return undefined;
    const { promise, resolve } = Promise.withResolvers<CarriedOut>();
    const done = (result: CarriedOut) => {
      underWay.delete(intent.key);
      resolve(result);
    };
    if (!jobs.offer({ intent, done })) return undefined;
    underWay.add(intent.key);
    return promise;
  };
  return {
    push: (intent) => start(intent) !== undefined,
    redrive: async (letters, waitMs) => {
      const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), waitMs).unref());
      return Promise.all(
        letters.map(async ({ intent }) => {
          const { key, receiver, integration } = intent;
          const result = await Promise.race([start({ ...intent, id: randomUUID() }), late]);
          if (result === undefined) return { key, receiver, integration, result: "under way" as const };
          if (result.ok) return { key, receiver, integration, result: "sent" as const };
          return { key, receiver, integration, result: "failed" as const, reason: result.reason };
        }),
      );
    },
    recover: () => {
      for (const intent of ledger.unfinished()) {
        const work = start(intent);
        if (work === undefined) continue;
        const slot = JSON.stringify([intent.groupKey, intent.receiver, intent.slot]);
        const all: Promise<readonly string[]> = Promise.all([waiting.get(slot), work]).then(([others = [], { ok }]) => {
          if (waiting.get(slot) === all) waiting.delete(slot);
          return ok ? others : [...others, intent.key];
        });
        waiting.set(slot, all);
      }
    },
    settled: (groupKey, receiver, slot) => waiting.get(JSON.stringify([groupKey, receiver, slot])),
    run: Effect.fnUntraced(function* (deps: CarryOutDeps) {
      const places = yield* Semaphore.make(AT_A_TIME);
      while (true) {
        yield* places.take(1);
        const { intent, done } = yield* jobs.take.pipe(Effect.onInterrupt(() => places.release(1)));
        yield* spawn(
          `redrive to ${intent.receiver}/${intent.integration}`,
          carryOut(deps, intent).pipe(
            Effect.tap((result) => Effect.sync(() => done(result))),
            Effect.onExit(() => {
              // Does nothing when it has been answered.
              done({ ok: false, reason: "stopped" });
              return places.release(1);
            }),
          ),
        );
      }
    }),
  };
}

/**
 * What the fallback receiver has to be told when a notification has failed, or, when one has arrived, the end of what it was told
 * before. Nobody stands in for a fallback receiver.
 */
export function standIns(
  config: AlertmanagerConfig,
  ledger: Ledger,
  intent: Intent,
  ok: boolean,
  now: number,
): readonly Intent[] {
  const { receiver, integration, groupKey } = intent;
  if (intent.slot !== integration) return [];
  const name = config.receivers.find((r) => r.name === receiver)?.fallbackReceiver ?? config.fallbackReceiver;
  if (name === undefined || name === receiver) return [];
  const out: Intent[] = [];
  for (const other of config.receivers.find((r) => r.name === name)?.integrations ?? []) {
    const slot = `${other.name} for ${receiver}/${integration}`;
    const told = ledger.entryOf(groupKey, name, slot, now);
    if (ok && (intent.firing.length > 0 || (told?.firing.length ?? 0) === 0)) continue;
    if (ledger.timesTold(groupKey, name, slot, intent.key, now) > 0) continue;
    const alerts = intent.notification.alerts.filter((a) => a.endsAt === 0 || other.sendResolved);
    if (alerts.length === 0) continue;
    const key = transitionKey(groupKey, name, slot, intent.key, 0);
    const notification = { ...intent.notification, alerts, receiver: name, key };
    const of = { receiver: name, integration: other.name, slot };
    out.push({ ...intent, id: randomUUID(), key, content: intent.key, ...of, time: now, notification });
  }
  return out;
}
