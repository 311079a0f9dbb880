import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { Disk } from "../../lib/disk.ts";
import type { Ledger } from "../notify/ledger.ts";
import { type AcceptedAlerts, type AcceptedBatch, openAcceptedAlerts } from "./accepted-alerts.ts";
import { type LoadedAlerts, loadAlerts } from "./alert-snapshot.ts";
import { type HeldAlert, holdAlert, isResolved, mergeAlert } from "./alert-store.ts";

/** Where alerts are kept. */
export interface AlertFiles {
  readonly disk: Disk;
  /** The snapshot of all. */
  readonly snapshot: string;
  /** What was posted since. */
  readonly accepted: string;
}

/**
 * The alerts as they were saved, what was posted since, and those that were told since: should their sender be gone, these end by
 * themselves, so that what was told to fire is told to be over. A file that cannot be read is kept beside. The log of what is
 * posted stays open for as long as the scope.
 */
export const restoreAlerts = Effect.fnUntraced(function* (
  { disk, snapshot, accepted }: AlertFiles,
  ledger: Ledger,
  resolveTimeoutMs: number,
) {
  const now = yield* Clock.currentTimeMillis;
  const orAnew = <A>(path: string, said: string, work: () => Promise<A>, anew: () => Promise<A>) =>
    Effect.tryPromise(work).pipe(
      Effect.catch((e) =>
        Effect.gen(function* () {
          yield* Effect.logError(`${path} not restored and kept as .damaged (${String(e.cause)}); ${said}`);
          yield* Effect.ignore(Effect.tryPromise(() => disk.rename(path, `${path}.damaged`)));
          return yield* Effect.promise(anew);
        }),
      ),
    );
  const NONE: LoadedAlerts = { alerts: [], savedAt: 0, accepted: 0 };
  const endsTold = ledger.endsTold();
  const saved = yield* orAnew(
    snapshot,
    "rules send their alerts again",
    () => loadAlerts(disk, snapshot, now, endsTold),
    () => Promise.resolve(NONE),
  );
  const openLog = () => openAcceptedAlerts(disk, accepted, saved.accepted);
  const log = yield* Effect.acquireRelease(
    orAnew(accepted, "what was posted in the last second may be missing", openLog, openLog),
    (l: AcceptedAlerts) => Effect.ignore(Effect.tryPromise(() => l.close())),
  );
  if (log.damagedLines > 0) yield* Effect.logError(`${accepted}: ${log.damagedLines} damaged lines skipped`);
  const alerts = new Map(saved.alerts.map((a) => [a.fingerprint, a]));
  takeAgain(alerts, log.restored, { now, resolveTimeoutMs, endsTold });
  for (const { alert, time } of ledger.recentAlerts()) {
    const held = alerts.get(alert.fingerprint);
    // It may have ended and begun anew since it was saved: its old end is not the end of what was told last.
    const isAnew = held !== undefined && isResolved(held, time) && alert.startsAt > held.startsAt;
    if (time < saved.savedAt || (held !== undefined && !isAnew)) continue;
    alerts.set(alert.fingerprint, { ...alert, endsAt: now + resolveTimeoutMs, updatedAt: time, timeout: true });
  }
  return { alerts: [...alerts.values()], log };
});

interface Times {
  readonly now: number;
  readonly resolveTimeoutMs: number;
  readonly endsTold: ReadonlyMap<string, number>;
}

/** As with a snapshot that was made right after the last of them: an end that lay ahead is moved on by the time that was lost. */
function takeAgain(alerts: Map<string, HeldAlert>, batches: readonly AcceptedBatch[], times: Times): void {
  /** When each was heard of last. */
  const heard = new Map<string, number>();
  for (const { at, alerts: posted } of batches) {
    for (const one of posted) {
      let next: HeldAlert;
      try {
        next = holdAlert(one, at, times.resolveTimeoutMs);
      } catch {
        // It was refused then, too.
        continue;
      }
      alerts.set(next.fingerprint, mergeAlert(alerts.get(next.fingerprint), next, at));
      heard.set(next.fingerprint, at);
    }
  }
  for (const [name, at] of heard) {
    const alert = alerts.get(name) as HeldAlert;
    const later = alert.endsAt > at ? alert.endsAt + Math.max(0, times.now - at) : alert.endsAt;
    const ended = times.endsTold.get(name) ?? 0;
    alerts.set(name, { ...alert, endsAt: ended >= alert.updatedAt ? Math.min(ended, later) : later });
  }
}
