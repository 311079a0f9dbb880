import { setTimeout as sleep } from "node:timers/promises";
import type { ClaimEntry, ClaimStore, ToldByAny } from "../../model/claims.ts";
import { notificationReason } from "../alert/group.core.ts";
import type { Intent } from "./ledger.ts";

/**
 * Asks, before a notification is sent, whether another Tocsin with the same rules has sent it or is sending it.
 *
 * Invariants:
 * - Of all who ask about one group, receiver and integration, one is told to go at a time, while the store answers.
 * - One who went and is not heard of for LEASE_MS is taken over; that is measured here, by a clock that does not go back, from when
 *   its entry was seen first: clocks of others do not matter.
 * - Where the store does not answer, it goes: rather twice than never.
 * - An entry that is older than what was told from here while the store did not answer says nothing any more: whoever wrote it may
 *   be gone, and what it says was told may have ended meanwhile.
 */
export interface Claims {
  /** Never rejects. */
  acquire(intent: Intent, signal?: AbortSignal): Promise<Claim>;
  stats(): ClaimStats;
}

export type Claim =
  /** To be sent; `settle` says what came of it: true, false, or undefined when nobody knows. */
  | { readonly verdict: "go"; readonly settle: (ok: boolean | undefined, time: number) => Promise<void> }
  /** Another has told the receiver all of it. */
  | { readonly verdict: "told"; readonly time: number }
  /** Another has just told something that contradicts it: one of the two is behind, and will see. */
  | { readonly verdict: "later" };

export interface ClaimStats {
  /** Left to another, taken over from one that was not heard of, and sent without asking since the store did not answer. */
  readonly leftToOthers: number;
  readonly takenOver: number;
  readonly unclaimed: number;
}

export interface ClaimsOptions {
  readonly store: ClaimStore;
  /** Who this is, the same after a restart. */
  readonly self: string;
  readonly leaseMs?: number;
  /** Milliseconds that never go back; default performance.now. */
  readonly now?: () => number;
}

export const LEASE_MS = 10_000;
/** So long the store may take to answer. */
const STORE_WAIT_MS = 1000;
const POLL_MS = 100;
/** Slots of which it is remembered that they were told while the store did not answer. */
const MAX_MISSING = 10_000;
/** Entries that are written by several at once are tried so often. */
const TRIES = 20;

export function makeClaims(options: ClaimsOptions): Claims {
  const { store, self } = options;
  const leaseMs = options.leaseMs ?? store.leaseMs ?? LEASE_MS;
  const now = options.now ?? (() => performance.now());
  const counts = { leftToOthers: 0, takenOver: 0, unclaimed: 0 };
  /** The entries of others that are held, and since when this has seen each unchanged. */
  const seen = new Map<string, { readonly revision: number; readonly at: number }>();
  /** When something was told from here that its entry does not say, by key. */
  const missing = new Map<string, number>();
  const miss = (key: string, time: number): void => {
    missing.delete(key);
    missing.set(key, time);
    if (missing.size > MAX_MISSING) missing.delete(missing.keys().next().value as string);
  };
  const unclaimed = (key: string): Claim => {
    counts.unclaimed++;
    return {
      verdict: "go",
      settle: async (ok, time) => {
        if (ok === true) miss(key, time);
      },
    };
  };

  const isAlive = (key: string, revision: number): boolean => {
    const known = seen.get(key);
    if (known?.revision === revision) return now() - known.at < leaseMs;
    seen.set(key, { revision, at: now() });
    return true;
  };
  const write = (key: string, entry: ClaimEntry, revision: number) => within(store.write(key, entry, revision));

  const tryOnce = async (key: string, intent: Intent): Promise<Claim | "wait" | "again"> => {
    const found = await within(store.read(key));
    const { entry, revision } = found ?? { entry: undefined, revision: 0 };
    if (entry?.held && entry.by !== self && isAlive(key, revision)) return "wait";
    const told = entry?.told !== undefined && entry.told.time < (missing.get(key) ?? 0) ? undefined : entry?.told;
    const verdict = told === undefined || told.by === self ? "go" : judge(told, intent);
    if (verdict === "told") {
      counts.leftToOthers++;
      return { verdict, time: told?.time ?? intent.time };
    }
    if (verdict === "later") return { verdict };
    if (entry?.held && entry.by !== self) counts.takenOver++;
    const mine: ClaimEntry = { by: self, held: true, ...(told === undefined ? {} : { told }) };
    const claimed = await write(key, mine, revision);
    if (claimed === undefined) return "again";
    seen.delete(key);
    return { verdict: "go", settle: hold(key, intent, mine, claimed) };
  };

  /** Says from time to time that the claim is alive; what comes back ends that. */
  const hold = (key: string, intent: Intent, mine: ClaimEntry, claimed: number) => {
    let revision = claimed;
    let renewing: Promise<unknown> = Promise.resolve();
    const timer = setInterval(() => {
      renewing = renewing
        .then(() => write(key, mine, revision))
        .then((next) => {
          revision = next ?? revision;
        })
        .catch(() => undefined);
    }, leaseMs / 3);
    timer.unref();
    return async (ok: boolean | undefined, time: number): Promise<void> => {
      clearInterval(timer);
      await renewing;
      // Whoever takes over does not know either.
      if (ok === undefined) return;
      let told = mine.told;
      if (ok) told = toldBy(self, intent, time);
      for (let i = 0; i < TRIES; i++) {
        const done = await write(key, { by: self, held: false, ...(told === undefined ? {} : { told }) }, revision);
        if (done !== undefined && ok) missing.delete(key);
        if (done !== undefined || !ok) return;
        // Taken over while it was not heard of: what was told is told all the same.
        revision = (await within(store.read(key)))?.revision ?? 0;
      }
    };
  };

  return {
    acquire: async (intent, signal) => {
      const key = keyOf(intent);
      let refusals = 0;
      while (signal?.aborted !== true) {
        let result: Claim | "wait" | "again";
        try {
          result = await tryOnce(key, intent);
        } catch {
          return unclaimed(key);
        }
        if (typeof result !== "string") {
          if (result.verdict !== "go") return result;
          const { settle } = result;
          const said = async (ok: boolean | undefined, time: number) => {
            await settle(ok, time).catch(() => {
              if (ok === true) miss(key, time);
            });
          };
          return { verdict: "go", settle: said };
        }
        if (result === "again" && ++refusals > TRIES) break;
        if (result === "wait") await sleep(POLL_MS, undefined, { ref: false });
      }
      return unclaimed(key);
    },
    stats: () => ({ ...counts }),
  };
}

/** What has been told by another, against what is about to be told. */
function judge(told: ToldByAny, intent: Intent): "go" | "told" | "later" {
  // What began or ended well after it was told is another story of the same alert; an evaluator that is a bit behind is not.
  const { alerts } = intent.notification;
  const isNew = alerts.some((a) => (a.endsAt === 0 ? a.startsAt : a.endsAt) > told.time + intent.patienceMs);
  const resolved = told.resolved.map(([name]) => name);
  const before = { ...intent, time: told.time, firing: told.firing, resolved, expiresAt: 0 };
  const repeatIntervalMs = intent.keepMs / 2;
  const options = { repeatIntervalMs, sendResolved: true, now: intent.time };
  if (!isNew && notificationReason(before, intent.firing, intent.resolved, options) === undefined) return "told";
  // The alerts whose end was told as later than they began here are the same ones; but not for ever.
  if (told.time < intent.time - intent.patienceMs) return "go";
  const ends = new Map(told.resolved);
  const behind = alerts.some((a) => a.endsAt === 0 && a.startsAt < (ends.get(a.fingerprint) ?? 0));
  return behind ? "later" : "go";
}

function toldBy(by: string, { firing, resolved, notification }: Intent, time: number): ToldByAny {
  const ends = new Map(notification.alerts.map((a) => [a.fingerprint, a.endsAt]));
  return { by, time, firing, resolved: resolved.map((name) => [name, ends.get(name) ?? time]) };
}

function keyOf({ groupKey, receiver, slot }: Intent): string {
  return JSON.stringify([groupKey, receiver, slot]);
}

/** Rejects when it takes too long. */
async function within<T>(work: Promise<T>): Promise<T> {
  const late = new AbortController();
  const tooLong = sleep(STORE_WAIT_MS, undefined, { signal: late.signal }).then(() => {
    throw new Error(`no answer within ${STORE_WAIT_MS} ms`);
  });
  tooLong.catch(() => undefined);
  try {
    return await Promise.race([work, tooLong]);
  } finally {
    late.abort();
  }
}
