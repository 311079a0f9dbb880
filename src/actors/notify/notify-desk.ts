import { randomUUID } from "node:crypto";
import { join } from "node:path";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { type Disk, readWhole, replaceFile } from "../../lib/disk.ts";
import type { NotifyStats } from "../../model/alerts.ts";
import type { ClaimStore } from "../../model/claims.ts";
import type { AlertmanagerConfig, Receiver } from "../alert/alertmanager-config.ts";
import { notificationSubject } from "../history/event-subjects.ts";
import type { OnDeath } from "../runtime/death.ts";
import { makeDynamicSupervisor } from "../runtime/dynamic-supervisor.ts";
import type { Mailbox } from "../runtime/mailbox.ts";
import { KEEP_TRYING } from "../runtime/supervisor.ts";
import type { CarryOutDeps } from "./carry-out.ts";
import { type Claims, makeClaims } from "./claims.ts";
import { type DeadLetters, openDeadLetters } from "./dead-letters.ts";
import type { EventOutlet } from "./event-outlet.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import {
  type Delivery,
  type IntegrationCounters,
  makeCounters,
  makeReceiverMailbox,
  receiverActor,
} from "./receiver.actor.ts";
import { makeRedrives, type Redrives, standIns } from "./redrive.ts";

/** What is kept of notifications on disk, open. */
export interface NotifyState {
  readonly ledger: Ledger;
  readonly deadLetters: DeadLetters;
  readonly redrives: Redrives;
  readonly claims: Claims | undefined;
}

/** Opens the ledger and the dead letters for as long as the scope; what the bus lacks goes to the outlet. */
export const openNotifyState = Effect.fnUntraced(function* (
  disk: Disk,
  dataDir: string,
  events: EventOutlet,
  claimStore?: ClaimStore,
) {
  const now = yield* Clock.currentTimeMillis;
  const deadLetters = yield* Effect.acquireRelease(
    Effect.promise(() => openDeadLetters(disk, join(dataDir, "dead-letters.log"))),
    (d) => Effect.ignore(Effect.tryPromise(() => d.close())),
  );
  const ledger = yield* Effect.acquireRelease(
    Effect.promise(() => openLedger(disk, join(dataDir, "notifications.log"), now)),
    (l) => Effect.ignore(Effect.tryPromise(() => l.close())),
  );
  const damaged = ledger.damagedLines + deadLetters.damagedLines;
  if (damaged > 0) yield* Effect.logError(`notification ledger: ${damaged} damaged lines skipped`);
  for (const { id, receiver, integration } of ledger.unfinished()) {
    yield* Effect.logWarning(`notification ${id} to ${receiver}/${integration} was cut off; it is sent again`);
  }
  ledger.onEvent(({ seq, msgId, receiver, event }) => {
    events.offer(notificationSubject(receiver, String(event.groupKey)), event, {
      msgId,
      done: () => ledger.published(seq),
    });
  });
  const claims =
    claimStore === undefined
      ? undefined
      : makeClaims({ store: claimStore, self: yield* Effect.promise(() => claimantId(disk, dataDir)) });
  const state: NotifyState = { ledger, deadLetters, redrives: makeRedrives(ledger), claims };
  return state;
});

/** Who this is among those that share claims: made once, kept with the ledger. Another one for each life where the disk takes nothing. */
async function claimantId(disk: Disk, dataDir: string): Promise<string> {
  const path = join(dataDir, "claimant.id");
  const id = new TextDecoder().decode(await readWhole(disk, path).catch(() => undefined)).trim() || randomUUID();
  await replaceFile(disk, path, new TextEncoder().encode(`${id}\n`)).catch(() => undefined);
  return id;
}

export interface ReceiversOptions {
  readonly config: AlertmanagerConfig;
  readonly state: NotifyState;
  readonly attempt: CarryOutDeps["attempt"];
  readonly lastMoment: () => Promise<void>;
  readonly countersOf: (receiver: string, integration: string) => IntegrationCounters;
  readonly onDeath: OnDeath;
  readonly claims?: CarryOutDeps["claims"];
}

/** Starts an actor for each integration of a configuration, and takes up what was cut off. */
export const startReceivers = Effect.fnUntraced(function* (options: ReceiversOptions) {
  const { config, state } = options;
  const { ledger, deadLetters, redrives } = state;
  const receivers = yield* makeDynamicSupervisor("receivers", KEEP_TRYING, options.onDeath);
  const mailboxes = new Map<string, Mailbox<Delivery>>();
  const integrations = new Map<string, Receiver["integrations"][number]>();
  for (const receiver of config.receivers) {
    for (const integration of receiver.integrations) {
      const key = nameOf(receiver.name, integration.name);
      const box = makeReceiverMailbox(key);
      mailboxes.set(key, box);
      integrations.set(key, integration);
      const run = receiverActor(key, box, () => options.countersOf(receiver.name, integration.name));
      yield* receivers.start({ id: key, restart: "permanent", run });
    }
  }
  const deps: CarryOutDeps = {
    ledger,
    deadLetters,
    attempt: options.attempt,
    lastMoment: options.lastMoment,
    ...(options.claims === undefined ? {} : { claims: options.claims }),
    integrationOf: (receiver, name) => integrations.get(nameOf(receiver, name)),
    mailboxOf: (receiver, name) => mailboxes.get(nameOf(receiver, name)),
    standIn: (intent, ok, now) => {
      for (const instead of standIns(config, ledger, intent, ok, now)) {
        if (redrives.push(instead)) options.countersOf(intent.receiver, intent.integration).fallbacks++;
      }
    },
  };
  redrives.recover();
  yield* receivers.start({ id: "redrives", restart: "permanent", run: redrives.run(deps) });
  return deps;
});

/** The counters of all integrations there have been. */
export function makeCounterBook(): {
  readonly of: (receiver: string, integration: string) => IntegrationCounters;
  readonly all: () => NotifyStats["integrations"];
} {
  const counters = new Map<string, IntegrationCounters & { readonly receiver: string; readonly integration: string }>();
  return {
    of: (receiver, integration) => {
      const key = JSON.stringify([receiver, integration]);
      const known = counters.get(key);
      if (known !== undefined) return known;
      const made = { receiver, integration, ...makeCounters() };
      counters.set(key, made);
      return made;
    },
    all: () => [...counters.values()],
  };
}

function nameOf(receiver: string, integration: string): string {
  return `${receiver}/${integration}`;
}
