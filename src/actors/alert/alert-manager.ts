import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { type Disk, realDisk } from "../../lib/disk.ts";
import type {
  AlertSink,
  EventPublisher,
  ManagedAlert,
  ManagedGroup,
  NotifyStats,
  PostedAlert,
} from "../../model/alerts.ts";
import { makeEventOutlet } from "../notify/event-outlet.ts";
import { type Ledger, openLedger } from "../notify/ledger.ts";
import {
  type Delivery,
  type IntegrationCounters,
  makeCounters,
  makeReceiverMailbox,
  receiverActor,
} from "../notify/receiver.actor.ts";
import { spawn } from "../runtime/actor.ts";
import type { OnDeath } from "../runtime/death.ts";
import { makeDynamicSupervisor } from "../runtime/dynamic-supervisor.ts";
import { type Mailbox, makeMailbox } from "../runtime/mailbox.ts";
import { KEEP_TRYING } from "../runtime/supervisor.ts";
import { loadAlerts, saveAlerts } from "./alert-snapshot.ts";
import { countAlerts, managedAlerts, managedGroups } from "./alert-status.ts";
import type { AlertmanagerConfig } from "./alertmanager-config.ts";
import {
  type Dispatched,
  dropOldAlerts,
  groupAlert,
  inhibitions,
  makeDispatcher,
  postAlert,
  retireGroup,
} from "./dispatcher.ts";
import { groupActor } from "./group.actor.ts";
import type { AlertGroup } from "./group.core.ts";
import { type NotifyDeps, notifyGroup } from "./notify-group.ts";
import { runSilences } from "./silence-clock.ts";
import { makeSilences, type Silences } from "./silences.ts";

export interface AlertManagerOptions {
  readonly config: AlertmanagerConfig;
  /** `<data>/alerting`. */
  readonly dataDir: string;
  /** Publishes intents and results to `tocsin.notifications.<receiver>`. */
  readonly publish: EventPublisher;
  /** Without a slash at the end; in every notification. */
  readonly externalUrl: string;
  /** For the User-Agent header: `Tocsin/0.1.0`. */
  readonly userAgent: string;
  readonly onDeath: OnDeath;
  readonly disk?: Disk;
  /** For what is shown; the actors use Effect's clock. */
  readonly now?: () => number;
}

export interface AlertManager {
  /** Runs it; a child of the supervision tree. Does not return. */
  readonly run: Effect.Effect<never, unknown, Scope.Scope>;
  /** Takes alerts in; never blocks. An alert without labels, or that ends before it starts, is dropped and logged. */
  readonly receive: AlertSink;
  /** As `receive`; resolves when the alerts are among those shown, or after a moment when that takes long. */
  accept(alerts: readonly PostedAlert[]): Promise<void>;
  readonly silences: Silences;
  /** Takes a new configuration; alerts are grouped anew, what was told is remembered. */
  reload(config: AlertmanagerConfig): void;
  alerts(): readonly ManagedAlert[];
  groups(): readonly ManagedGroup[];
  config(): AlertmanagerConfig;
  stats(): NotifyStats;
}

/** Batches that may wait; rules send what was dropped again within their resend delay. */
const WAITING_BATCHES = 10_000;
const SAVE_EVERY_MS = 1000;
const TIDY_EVERY_MS = 60_000;
/** What is under way gets this long at a stop or a new configuration. */
const STOP_GRACE_MS = 2000;
/** A sender is answered after so long, though its alerts still wait. */
const ACCEPT_MS = 1000;

type Message =
  | { readonly type: "alerts"; readonly alerts: readonly PostedAlert[]; readonly taken?: () => void }
  | { readonly type: "config"; readonly config: AlertmanagerConfig };

/** The actor that owns the alerts and groups; each group and each receiver is an actor below it. */
export function makeAlertManager(options: AlertManagerOptions): AlertManager {
  const disk = options.disk ?? realDisk;
  const alertsFile = join(options.dataDir, "alerts.json");
  const mailbox = makeMailbox<Message>("alert-manager", { capacity: WAITING_BATCHES, overflow: "dropOldest" });
  const events = makeEventOutlet("notification-events", options.publish);
  const counters = new Map<string, IntegrationCounters>();
  const silences = makeSilences({ disk, path: join(options.dataDir, "silences.log") });
  let dispatcher = makeDispatcher(options.config);
  let changed = false;
  /** Messages taken out of the mailbox and not yet handled; a change of configuration leaves the rest to the next. */
  const backlog: Message[] = [];
  const wallClock = options.now ?? Date.now;

  const countersOf = (receiver: string, integration: string): IntegrationCounters => {
    const key = JSON.stringify([receiver, integration]);
    const known = counters.get(key);
    if (known !== undefined) return known;
    const made = makeCounters();
    counters.set(key, made);
    return made;
  };

  const run = Effect.gen(function* () {
    yield* Effect.promise(() => disk.makeDir(options.dataDir));
    const ledger = yield* openState(options, disk);
    yield* spawn("notification-events", events.run);
    yield* runSilences(silences, {
      alerts: () => dispatcher.alerts.values(),
      receive: (alerts) => mailbox.offer({ type: "alerts", alerts }),
      event: (event) => events.offer("tocsin.alerts.default", event),
    });
    const restored = yield* restoreAlerts(disk, alertsFile, ledger);
    // After a death the groups of before have no actors any more: the alerts are put into new ones, in their old rhythm.
    dispatcher = makeDispatcher(dispatcher.config, dispatcher.alerts);
    for (const alert of restored)
      if (!dispatcher.alerts.has(alert.fingerprint)) dispatcher.alerts.set(alert.fingerprint, alert);
    const save = Effect.gen(function* () {
      if (!changed) return;
      changed = false;
      const now = yield* Clock.currentTimeMillis;
      dropOldAlerts(dispatcher, now);
      yield* Effect.tryPromise(() => saveAlerts(disk, alertsFile, dispatcher.alerts.values(), now)).pipe(
        Effect.catch((e) => Effect.logError(`alerts not saved (${String(e.cause)})`)),
      );
    });
    yield* Effect.addFinalizer(() => save);
    yield* spawn("alert-keeper", Effect.forever(Effect.andThen(Effect.sleep(SAVE_EVERY_MS), save)));
    yield* spawn(
      "alert-tidy",
      Effect.forever(
        Effect.andThen(
          Effect.sleep(TIDY_EVERY_MS),
          Effect.sync(() => {
            changed = true;
          }),
        ),
      ),
    );
    while (true) {
      const next = yield* Effect.scoped(runConfiguration(ledger));
      dispatcher = makeDispatcher(next, dispatcher.alerts);
    }
  });

  /** Runs groups and receivers of the dispatcher's configuration until another configuration comes. */
  const runConfiguration = Effect.fnUntraced(function* (ledger: Ledger) {
    const d = dispatcher;
    const receivers = yield* makeDynamicSupervisor("receivers", KEEP_TRYING, options.onDeath);
    const mailboxes = new Map<string, Mailbox<Delivery>>();
    for (const { name, integrations } of d.config.receivers) {
      if (integrations.length === 0) continue;
      const box = makeReceiverMailbox(name);
      mailboxes.set(name, box);
      for (const integration of integrations) countersOf(name, integration.name);
      const run = receiverActor(name, box, (integration) => countersOf(name, integration));
      yield* receivers.start({ id: name, restart: "permanent", run });
    }
    const groups = yield* makeDynamicSupervisor("alert-groups", KEEP_TRYING, options.onDeath);
    const deps: NotifyDeps = {
      config: d.config,
      externalUrl: options.externalUrl,
      userAgent: options.userAgent,
      ledger,
      mailboxOf: (receiver) => mailboxes.get(receiver),
      inhibitedBy: (alerts, now) => inhibitions(d, alerts, now),
      silencedBy: (alerts, now) => silences.silencedBy(alerts, now),
      lastMoment: once(() => setTimeout(STOP_GRACE_MS, undefined, { ref: false })),
      event: (receiver, event) => events.offer(`tocsin.notifications.${subjectToken(receiver)}`, event),
    };
    const retired = makeMailbox<string>("retired-groups", { capacity: 10_000, overflow: "backpressure" });
    yield* spawn("group-reaper", Effect.forever(Effect.flatMap(retired.take, (id) => groups.stop(id))));
    const wakes = new WeakMap<AlertGroup, Mailbox<void>>();
    let started = 0;
    const act = Effect.fnUntraced(function* (dispatched: Dispatched) {
      for (const group of dispatched.started) {
        const wake = makeMailbox<void>(group.key, { capacity: 1, overflow: "dropNewest" });
        wakes.set(group, wake);
        // A group of the same key may come back while this one is being stopped.
        const id = `${group.route.receiver} ${group.key} #${++started}`;
        const run = groupActor(group, wake, {
          notify: (g, alerts, now) => notifyGroup(deps, g, alerts, now),
          // Full when thousands end at once: the group is asked again at its next flush.
          retire: (g) => g.alerts.size === 0 && retired.offer(id) && retireGroup(d, g),
        });
        yield* groups.start({ id, restart: "permanent", run });
      }
      for (const group of dispatched.hurried) wakes.get(group)?.offer();
    });
    const lastToldAt = (now: number) => (group: AlertGroup) => lastTold(ledger, d.config, group, now);
    const begin = yield* Clock.currentTimeMillis;
    for (const alert of d.alerts.values()) yield* act(groupAlert(d, alert, begin, lastToldAt(begin)));
    while (true) {
      if (backlog.length === 0) backlog.push(...(yield* mailbox.takeAll));
      for (let message = backlog.shift(); message !== undefined; message = backlog.shift()) {
        if (message.type === "config") return message.config;
        const now = yield* Clock.currentTimeMillis;
        for (const alert of message.alerts) {
          changed = true;
          let dispatched: Dispatched;
          try {
            dispatched = postAlert(d, alert, now, lastToldAt(now));
          } catch (error) {
            yield* Effect.logWarning(`alert ${alert.labels.join(" ")} dropped: ${(error as Error).message}`);
            continue;
          }
          yield* act(dispatched);
        }
        message.taken?.();
      }
    }
  });

  return {
    run,
    receive: (alerts) => {
      mailbox.offer({ type: "alerts", alerts });
    },
    accept: (alerts) =>
      new Promise((resolve) => {
        const late = globalThis.setTimeout(resolve, ACCEPT_MS);
        const taken = () => {
          clearTimeout(late);
          resolve();
        };
        mailbox.offer({ type: "alerts", alerts, taken });
      }),
    silences,
    reload: (config) => {
      if (config.text !== dispatcher.config.text) mailbox.offer({ type: "config", config });
    },
    alerts: () => managedAlerts(dispatcher, silences, wallClock()),
    groups: () => managedGroups(dispatcher, silences, wallClock()),
    config: () => dispatcher.config,
    stats: () => ({
      alerts: countAlerts(dispatcher, silences, wallClock()),
      groups: dispatcher.groups.size,
      integrations: [...counters].map(([key, c]) => {
        const [receiver, integration] = JSON.parse(key) as [string, string];
        return { receiver, integration, ...c };
      }),
    }),
  };
}

const openState = Effect.fnUntraced(function* (options: AlertManagerOptions, disk: Disk) {
  const now = yield* Clock.currentTimeMillis;
  const ledger = yield* Effect.acquireRelease(
    Effect.promise(() => openLedger(disk, join(options.dataDir, "notifications.log"), now)),
    (l) => Effect.ignore(Effect.tryPromise(() => l.close())),
  );
  if (ledger.damagedLines > 0)
    yield* Effect.logError(`notification ledger: ${ledger.damagedLines} damaged lines skipped`);
  for (const intent of ledger.unfinished) {
    yield* Effect.logWarning(
      `notification ${intent.id} to ${intent.receiver}/${intent.integration} was cut off; it may be sent again`,
    );
  }
  return ledger;
});

const restoreAlerts = Effect.fnUntraced(function* (disk: Disk, path: string, ledger: Ledger) {
  const now = yield* Clock.currentTimeMillis;
  return yield* Effect.tryPromise(() => loadAlerts(disk, path, now, ledger.endsTold())).pipe(
    Effect.catch((e) =>
      Effect.gen(function* () {
        yield* Effect.logError(
          `${path} not restored and kept as .damaged (${String(e.cause)}); rules send their alerts again`,
        );
        yield* Effect.ignore(Effect.tryPromise(() => disk.rename(path, `${path}.damaged`)));
        return [];
      }),
    ),
  );
});

/** When a group whose alerts still fired was told last; undefined when it was not, or all had ended. */
function lastTold(ledger: Ledger, config: AlertmanagerConfig, group: AlertGroup, now: number): number | undefined {
  const receiver = config.receivers.find((r) => r.name === group.route.receiver);
  let last: number | undefined;
  for (const { name } of receiver?.integrations ?? []) {
    const entry = ledger.entryOf(group.key, group.route.receiver, name, now);
    if (entry !== undefined && entry.firing.length > 0) last = Math.max(last ?? 0, entry.time);
  }
  return last;
}

/** The first call makes it, all get the same. */
function once<A>(make: () => A): () => A {
  let made: { value: A } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** A receiver's name as one token of a subject. */
function subjectToken(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, "_") || "_";
}
