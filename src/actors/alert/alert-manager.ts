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
import type { ClaimStore } from "../../model/claims.ts";
import { escalateGroups, restoreEscalated, runEscalationBook } from "../escalation/escalate-groups.ts";
import { type Escalations, makeEscalations } from "../escalation/escalations.ts";
import type { AlertHistory } from "../history/alert-history.ts";
import type { CarryOutDeps } from "../notify/carry-out.ts";
import type { DeadLetter } from "../notify/dead-letters.ts";
import { makeEventOutlet } from "../notify/event-outlet.ts";
import { makeAttempt } from "../notify/make-attempt.ts";
import { makeCounterBook, type NotifyState, openNotifyState, startReceivers } from "../notify/notify-desk.ts";
import type { Redriven } from "../notify/redrive.ts";
import { makeTestSender, type TestSender } from "../notify/test-send.ts";
import { spawn } from "../runtime/actor.ts";
import type { OnDeath } from "../runtime/death.ts";
import { makeDynamicSupervisor } from "../runtime/dynamic-supervisor.ts";
import { type Mailbox, makeMailbox } from "../runtime/mailbox.ts";
import { KEEP_TRYING } from "../runtime/supervisor.ts";
import type { AcceptedAlerts } from "./accepted-alerts.ts";
import { saveAlerts } from "./alert-snapshot.ts";
import { countAlerts, makeAlertListing, seldom } from "./alert-status.ts";
import type { HeldAlert } from "./alert-store.ts";
import { makeAlertTrace } from "./alert-trace.ts";
import type { AlertmanagerConfig } from "./alertmanager-config.ts";
import {
  type Dispatched,
  type Dispatcher,
  dropOldAlerts,
  groupAlert,
  holdInDispatcher,
  inhibitions,
  makeDispatcher,
  postAlert,
  retireGroup,
} from "./dispatcher.ts";
import { groupActor } from "./group.actor.ts";
import type { AlertGroup } from "./group.core.ts";
import { lastFailed, lastTold, later } from "./group-rhythm.ts";
import { type NotifyDeps, notifyGroup } from "./notify-group.ts";
import { makePostedDoor } from "./posted-door.ts";
import { restoreAlerts } from "./restore-alerts.ts";
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
  /** Keeps and records what is needed to explain why somebody was told or not; absent: nothing is recorded. */
  readonly history?: AlertHistory;
  readonly disk?: Disk;
  /** The secret of acknowledging links, where it is not to be read from a file. */
  readonly ackSecret?: () => Promise<Uint8Array>;
  /** Makes one attempt to tell an integration; the real one where not given. */
  readonly attempt?: CarryOutDeps["attempt"];
  /** Where other Tocsins with the same rules are asked before something is sent. */
  readonly claims?: ClaimStore;
  /** For what is shown; the actors use Effect's clock. */
  readonly now?: () => number;
}

export interface AlertManager {
  /** Runs it; a child of the supervision tree. Does not return. */
  readonly run: Effect.Effect<never, unknown, Scope.Scope>;
  /** Takes alerts in; never blocks. An alert without labels, or that ends before it starts, is dropped and logged. */
  readonly receive: AlertSink;
  /**
   * As `receive`; resolves when the alerts are among those shown and on disk, so that they survive a kill. With why not, when they
   * are not on disk: they page all the same, for as long as the process lives.
   */
  accept(alerts: readonly PostedAlert[]): Promise<string | undefined>;
  readonly silences: Silences;
  readonly escalations: Escalations;
  /** Takes a new configuration; alerts are grouped anew, what was told is remembered. */
  reload(config: AlertmanagerConfig): void;
  /** Notifications that could not be told, the oldest first. */
  deadLetters(): readonly DeadLetter[];
  /** Sends dead letters again; resolves with what came of each, or that it goes on. */
  redrive(letters: readonly DeadLetter[]): Promise<readonly Redriven[]>;
  /** Sends a test to a receiver. */
  readonly tests: TestSender;
  /** Those that fire, by fingerprint. */
  alerts(): Promise<readonly ManagedAlert[]>;
  groups(): Promise<readonly ManagedGroup[]>;
  config(): AlertmanagerConfig;
  /** The alerts with this fingerprint and their groups, as they are held now; for explanations. */
  held(): Pick<Dispatcher, "alerts" | "groups" | "root" | "config">;
  stats(): NotifyStats;
}

/** Batches that may wait; rules send what was dropped again within their resend delay. */
const WAITING_BATCHES = 10_000;
const SAVE_EVERY_MS = 1000;
const TIDY_EVERY_MS = 60_000;
/** What is under way gets this long at a stop or a new configuration. */
const STOP_GRACE_MS = 2000;
/** A sender is answered after so long, though its alerts still wait. */
const ACCEPT_MS = 5000;
/** Alerts of senders that may wait; what is beyond is refused. */
const WAITING_POSTED = 200_000;
/** Saving all alerts takes at most so much of the time: one part in so many. */
const SAVE_SHARE = 20;
/** A person who sends dead letters again waits at most so long for what comes of it. */
const REDRIVE_MS = 30_000;

type Message =
  | { readonly type: "alerts"; readonly alerts: readonly PostedAlert[] }
  /** Something was posted. */
  | { readonly type: "posted" }
  /** Another configuration is wanted. */
  | { readonly type: "config" };

/** The actor that owns the alerts and groups; each group and each receiver is an actor below it. */
export function makeAlertManager(options: AlertManagerOptions): AlertManager {
  const disk = options.disk ?? realDisk;
  const alertsFile = join(options.dataDir, "alerts.json");
  const mailbox = makeMailbox<Message>("alert-manager", { capacity: WAITING_BATCHES, overflow: "dropOldest" });
  const { history } = options;
  const trace = history === undefined ? undefined : makeAlertTrace(history);
  const events = makeEventOutlet("notification-events", options.publish, history?.keep);
  const counters = makeCounterBook();
  let state: NotifyState | undefined;
  const silences = makeSilences({ disk, path: join(options.dataDir, "silences.log") });
  const escalations = makeEscalations({
    disk,
    path: join(options.dataDir, "escalations.log"),
    secretPath: join(options.dataDir, "ack-link.secret"),
    event: (event) => events.offer("tocsin.alerts.default", event),
    ...(options.ackSecret === undefined ? {} : { secret: options.ackSecret }),
  });
  let dispatcher = makeDispatcher(options.config);
  /** The configuration that was asked for last; kept here, since a full mailbox drops messages. */
  let wanted = options.config;
  let changed = false;
  /** Messages taken out of the mailbox and not yet handled; a change of configuration leaves the rest to the next. */
  const backlog: Message[] = [];
  const door = makePostedDoor({ waitMs: ACCEPT_MS, capacity: WAITING_POSTED });
  const wallClock = options.now ?? Date.now;
  const listing = makeAlertListing(() => dispatcher, silences, wallClock);
  const counts = seldom(() => countAlerts(dispatcher, silences, wallClock()));

  const run = Effect.gen(function* () {
    yield* Effect.promise(() => disk.makeDir(options.dataDir));
    const kept = yield* openNotifyState(disk, options.dataDir, events, options.claims);
    state = kept;
    const { ledger } = kept;
    yield* spawn("notification-events", events.run);
    if (history !== undefined) yield* spawn("alert-history", history.run);
    yield* runSilences(silences, {
      alerts: () => dispatcher.alerts.values(),
      receive: (alerts) => mailbox.offer({ type: "alerts", alerts }),
      event: (event) => events.offer("tocsin.alerts.default", event),
    });
    const files = { disk, snapshot: alertsFile, accepted: join(options.dataDir, "accepted-alerts.log") };
    const { alerts: restored, log } = yield* restoreAlerts(files, ledger, dispatcher.config.resolveTimeoutMs);
    yield* runEscalationBook(escalations);
    // After a death the groups of before have no actors any more: the alerts are put into new ones, in their old rhythm.
    dispatcher = makeDispatcher(dispatcher.config, dispatcher.alerts);
    if (log.restored.length > 0) changed = true;
    for (const alert of restored) if (!dispatcher.alerts.has(alert.fingerprint)) holdInDispatcher(dispatcher, alert);
    restoreEscalated(escalations, dispatcher, yield* Clock.currentTimeMillis);
    const save = Effect.gen(function* () {
      yield* Effect.ignore(Effect.tryPromise(() => ledger.flush()));
      if (!changed) return;
      changed = false;
      const now = yield* Clock.currentTimeMillis;
      dropOldAlerts(dispatcher, now);
      const accepted = log.last();
      yield* Effect.tryPromise(() => saveAlerts(disk, alertsFile, dispatcher.alerts.values(), now, accepted)).pipe(
        Effect.andThen(
          Effect.sync(() => {
            ledger.alertsSaved(now);
            log.saved(accepted);
          }),
        ),
        Effect.catch((e) => Effect.logError(`alerts not saved (${String(e.cause)})`)),
      );
    });
    yield* Effect.addFinalizer(() => save);
    const keeper = Effect.gen(function* () {
      while (true) {
        const begun = performance.now();
        yield* save;
        // With very many alerts that takes long, and others need the time more: what was posted is in its log already.
        yield* Effect.sleep(Math.max(SAVE_EVERY_MS, SAVE_SHARE * (performance.now() - begun)));
      }
    });
    yield* spawn("alert-keeper", keeper);
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
    for (let before: AlertmanagerConfig | undefined; ; ) {
      const next: AlertmanagerConfig = yield* Effect.scoped(runConfiguration(kept, log, before));
      before = dispatcher.config;
      dispatcher = makeDispatcher(next, dispatcher.alerts);
    }
  });

  /** Runs groups and receivers of the dispatcher's configuration until another configuration comes. `before`: what ran until now. */
  const runConfiguration = Effect.fnUntraced(function* (
    state: NotifyState,
    log: AcceptedAlerts,
    before: AlertmanagerConfig | undefined,
  ) {
    const { ledger, redrives } = state;
    const d = dispatcher;
    const carryOut = yield* startReceivers({
      config: d.config,
      state,
      attempt: options.attempt ?? ((integration, n) => makeAttempt(integration, n, options.userAgent)),
      lastMoment: once(() => setTimeout(STOP_GRACE_MS, undefined, { ref: false })),
      countersOf: counters.of,
      onDeath: options.onDeath,
      ...(state.claims === undefined ? {} : { claims: state.claims }),
    });
    const look = {
      config: d.config,
      inhibitedBy: (alerts: readonly HeldAlert[], now: number) => inhibitions(d, alerts, now),
      silencedBy: (alerts: readonly HeldAlert[], now: number) => silences.silencedBy(alerts, now),
    };
    const escalating = yield* escalateGroups({
      escalations,
      dispatcher: d,
      look,
      carryOut,
      settled: redrives.settled,
      externalUrl: options.externalUrl,
      onDeath: options.onDeath,
    });
    const groups = yield* makeDynamicSupervisor("alert-groups", KEEP_TRYING, options.onDeath);
    const deps: NotifyDeps = {
      ...look,
      trace,
      labelsOf: (fingerprint) => d.alerts.get(fingerprint)?.labels,
      externalUrl: options.externalUrl,
      carryOut,
      escalate: escalating.escalate,
      settled: redrives.settled,
    };
    const retired = makeMailbox<string>("retired-groups", { capacity: 10_000, overflow: "backpressure" });
    yield* spawn("group-reaper", Effect.forever(Effect.flatMap(retired.take, (id) => groups.stop(id))));
    const wakes = new WeakMap<AlertGroup, Mailbox<void>>();
    let started = 0;
    const act = Effect.fnUntraced(function* (dispatched: Dispatched, at: number) {
      for (const group of dispatched.started) {
        trace?.started(group, at);
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
    const lastToldAt = (now: number) => (group: AlertGroup) =>
      lastTold(ledger, d.config, group, now) ?? escalating.begunAt(group);
    const post = Effect.fnUntraced(function* (alerts: readonly PostedAlert[], now: number, byOthers?: typeof trace) {
      changed = true;
      const toldAt = lastToldAt(now);
      for (const alert of alerts) {
        let dispatched: Dispatched;
        try {
          dispatched = postAlert(d, alert, now, toldAt, byOthers?.received);
        } catch (error) {
          yield* Effect.logWarning(`alert ${alert.labels.join(" ")} dropped: ${(error as Error).message}`);
          continue;
        }
        if (dispatched.started.length + dispatched.hurried.length > 0) yield* act(dispatched, now);
      }
    });
    const begin = yield* Clock.currentTimeMillis;
    trace?.configured(d.config, begin);
    const toldAt = lastToldAt(begin);
    const failedAt = before === undefined ? () => undefined : lastFailed(state.deadLetters, before, d.config);
    const rhythmOf = (group: AlertGroup) => later(toldAt(group), failedAt(group));
    for (const alert of d.alerts.values()) yield* act(groupAlert(d, alert, begin, rhythmOf), begin);
    yield* escalating.run;
    while (wanted.hash === d.config.hash) {
      if (backlog.length === 0) backlog.push(...(yield* mailbox.takeAll));
      for (let message = backlog.shift(); message !== undefined; message = backlog.shift()) {
        if (message.type === "config") break;
        if (message.type === "alerts") yield* post(message.alerts, yield* Clock.currentTimeMillis);
        for (let batch = door.next(); batch !== undefined; batch = door.next()) {
          const now = yield* Clock.currentTimeMillis;
          // The page first, then the disk.
          yield* post(batch.alerts, now, trace);
          batch.answer(log.keep(batch.alerts, now));
        }
      }
    }
    return wanted;
  });

  return {
    run,
    receive: (alerts) => {
      mailbox.offer({ type: "alerts", alerts });
    },
    accept: (alerts) => {
      const answer = door.come(alerts);
      mailbox.offer({ type: "posted" });
      return answer;
    },
    silences,
    escalations,
    tests: makeTestSender({
      config: () => dispatcher.config,
      externalUrl: options.externalUrl,
      attempt: options.attempt ?? ((i, n, heard) => makeAttempt(i, n, options.userAgent, wallClock(), heard)),
      event: (subject, event) => events.offer(subject, event),
      now: wallClock,
    }),
    reload: (config) => {
      if (config.hash === wanted.hash) return;
      wanted = config;
      mailbox.offer({ type: "config" });
    },
    deadLetters: () => state?.deadLetters.list() ?? [],
    redrive: async (letters) => (await state?.redrives.redrive(letters, REDRIVE_MS)) ?? [],
    alerts: listing.alerts,
    groups: listing.groups,
    config: () => dispatcher.config,
    held: () => dispatcher,
    stats: () => ({
      // Only where it is asked for: there may be very many.
      get alerts() {
        return counts();
      },
      groups: dispatcher.groups.size,
      deadLetters: state?.deadLetters.stats() ?? { waiting: 0, added: 0, dropped: 0 },
      events: state?.ledger.stats() ?? { unpublished: 0, dropped: 0 },
      ...(state?.claims === undefined ? {} : { claims: state.claims.stats() }),
      unacknowledged: door.stats(),
      integrations: counters.all(),
    }),
  };
}

/** The first call makes it, all get the same. */
function once<A>(make: () => A): () => A {
  let made: { value: A } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
