import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { Receiver } from "../alert/alertmanager-config.ts";
import type { Mailbox } from "../runtime/mailbox.ts";
import type { Attempt } from "./attempt.ts";
import type { Claims } from "./claims.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Intent, Ledger } from "./ledger.ts";
import type { Delivered, Delivery } from "./receiver.actor.ts";
import type { Notification } from "./webhook-payload.ts";

type Integration = Receiver["integrations"][number];

export interface CarryOutDeps {
  readonly ledger: Ledger;
  readonly deadLetters: DeadLetters;
  readonly integrationOf: (receiver: string, integration: string) => Integration | undefined;
  readonly mailboxOf: (receiver: string, integration: string) => Mailbox<Delivery> | undefined;
  readonly attempt: (integration: Integration, n: Notification) => (signal: AbortSignal) => Promise<Attempt>;
  /** A notification has failed, or has arrived: whoever stands in for its receiver may have to be told. */
  readonly standIn: (intent: Intent, ok: boolean, now: number) => void;
  /** Other Tocsins with the same rules; undefined: there are none. */
  readonly claims?: Claims;
  /** Resolves when a stop cannot wait any longer for what is under way. */
  readonly lastMoment: () => Promise<void>;
}

/** `stopped`: nobody knows how it would have gone on. */
export type CarriedOut =
  | { readonly ok: true }
  | { readonly ok: false; readonly stopped?: boolean; readonly reason: string };

/** A disk that does not answer must not keep a page back longer than this. */
const LEDGER_WAIT_MS = 1000;

/**
 * Carries out an intent: writes it down, hands it to the actor of its integration, and writes down what came of it; what fails becomes
 * a dead letter. What is cut off by a stop stays without a result, and is carried out again after the next start.
 */
export const carryOut = Effect.fnUntraced(function* (deps: CarryOutDeps, intent: Intent) {
  // Pages of an escalation are of one Tocsin: another one has a book of its own.
  if (deps.claims === undefined || intent.notification.page !== undefined) return yield* writeAndSend(deps, intent);
  const { claims } = deps;
  const claim = yield* Effect.promise((signal) => claims.acquire(intent, signal));
  if (claim.verdict === "told") return yield* toldByAnother(deps, intent, claim.time);
  if (claim.verdict === "later") {
    // One that a crash cut off is not told as it was: the group will say what there is to say.
    if (deps.ledger.unfinished().some(({ id }) => id === intent.id)) {
      const now = yield* Clock.currentTimeMillis;
      yield* Effect.promise(() => problemOf(deps.ledger.recordFailure(intent, "told otherwise by another", now)));
    }
    const held: CarriedOut = { ok: false, reason: "another evaluator has just told otherwise" };
    return held;
  }
  const result = yield* writeAndSend(deps, intent).pipe(
    Effect.onInterrupt(() => Effect.promise(() => claim.settle(undefined, 0))),
  );
  const at = yield* Clock.currentTimeMillis;
  yield* Effect.promise(() => claim.settle(result.ok ? true : result.stopped ? undefined : false, at));
  return result;
});

/** The receiver knows it: that is written down as if it had been told from here. */
const toldByAnother = Effect.fnUntraced(function* (
  { ledger, deadLetters }: CarryOutDeps,
  intent: Intent,
  time: number,
) {
  const { groupKey, receiver, slot: integration, firing, resolved } = intent;
  const entry = { groupKey, receiver, integration, time, firing, resolved, expiresAt: time + intent.keepMs };
  const written = yield* Effect.promise(() =>
    Promise.all([problemOf(ledger.record(entry, intent)), problemOf(deadLetters.arrived(intent))]),
  );
  for (const problem of written)
    if (problem !== undefined) yield* Effect.logError(`notification ledger not written (${problem})`);
  const arrived: CarriedOut = { ok: true };
  return arrived;
});

const writeAndSend = Effect.fnUntraced(function* (deps: CarryOutDeps, intent: Intent) {
  const { ledger } = deps;
  const noted = yield* Effect.promise(() => problemOf(ledger.intend(intent))).pipe(
    Effect.timeoutOption(LEDGER_WAIT_MS),
  );
  if (noted._tag === "None") yield* Effect.logError(`notification ledger not written within ${LEDGER_WAIT_MS} ms`);
  else if (noted.value !== undefined) yield* Effect.logError(`notification ledger not written (${noted.value})`);
  return yield* deliver(deps, intent);
});

const deliver = Effect.fnUntraced(function* (deps: CarryOutDeps, intent: Intent) {
  const clock = yield* Clock.clockWith(Effect.succeed);
  const { receiver, integration: name, notification } = intent;
  const { promise, resolve } = Promise.withResolvers<Delivered>();
  const integration = deps.integrationOf(receiver, name);
  const mailbox = deps.mailboxOf(receiver, name);
  const work = promise.then((outcome) => finish(deps, intent, outcome, () => clock.currentTimeMillisUnsafe()));
  return yield* Effect.gen(function* () {
    if (integration === undefined || mailbox === undefined) {
      resolve({ ok: false, reason: `${receiver}/${name} is not configured` });
    } else {
      const sent: Delivery = {
        alerts: notification.alerts,
        attempt: deps.attempt(integration, notification),
        deadline: clock.currentTimeMillisUnsafe() + intent.patienceMs,
        failed: (n, reason) => deps.ledger.attempted(intent, n, reason, clock.currentTimeMillisUnsafe()),
        done: resolve,
      };
      yield* Effect.ignore(mailbox.send(sent)).pipe(
        Effect.onInterrupt(() => Effect.sync(() => resolve({ ok: false, stopped: true, reason: "stopped" }))),
      );
    }
    const { problems, ...result } = yield* Effect.promise(() => work);
    for (const problem of problems) yield* Effect.logError(problem);
    return result;
  }).pipe(
    // What is under way at a stop gets a moment to end and be written down, so that it is not sent again.
    Effect.onInterrupt(() => Effect.promise(() => Promise.race([work, deps.lastMoment()]))),
  );
});

async function finish(
  { ledger, deadLetters, standIn }: CarryOutDeps,
  intent: Intent,
  outcome: Delivered,
  now: () => number,
): Promise<CarriedOut & { readonly problems: readonly string[] }> {
  if (!outcome.ok && outcome.stopped) return { ...outcome, problems: [] };
  const time = now();
  const { groupKey, receiver, slot, firing, resolved } = intent;
  let written: (string | undefined)[];
  if (outcome.ok) {
    const entry = { groupKey, receiver, integration: slot, time, firing, resolved, expiresAt: time + intent.keepMs };
    written = await Promise.all([problemOf(ledger.record(entry, intent)), problemOf(deadLetters.arrived(intent))]);
    standIn(intent, true, time);
  } else {
    // The letter first: killed in between, the notification is tried again and counted in the same letter.
    const letter = await problemOf(deadLetters.add(intent, outcome.reason, time));
    standIn(intent, false, time);
    written = [letter, await problemOf(ledger.recordFailure(intent, outcome.reason, time))];
  }
  const problems = written.filter((x) => x !== undefined).map((x) => `notification ledger not written (${x})`);
  return { ...outcome, problems };
}

function problemOf(work: Promise<void>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => String(error),
  );
}
