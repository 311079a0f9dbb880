import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { Disk } from "../../lib/disk.ts";
import type { Ledger } from "../notify/ledger.ts";
import { loadAlerts } from "./alert-snapshot.ts";
import type { HeldAlert } from "./alert-store.ts";

/**
 * The alerts as they were saved, and those that were told since: should their sender be gone, these end by themselves, so that what
 * was told to fire is told to be over. A file that cannot be read is kept beside.
 */
export const restoreAlerts = Effect.fnUntraced(function* (
  disk: Disk,
  path: string,
  ledger: Ledger,
  resolveTimeoutMs: number,
) {
  const now = yield* Clock.currentTimeMillis;
  const { alerts, savedAt } = yield* Effect.tryPromise(() => loadAlerts(disk, path, now, ledger.endsTold())).pipe(
    Effect.catch((e) =>
      Effect.gen(function* () {
        yield* Effect.logError(
          `${path} not restored and kept as .damaged (${String(e.cause)}); rules send their alerts again`,
        );
        yield* Effect.ignore(Effect.tryPromise(() => disk.rename(path, `${path}.damaged`)));
        return { alerts: [], savedAt: 0 };
      }),
    ),
  );
  const known = new Set(alerts.map((a) => a.fingerprint));
  const told: HeldAlert[] = [];
  for (const { alert, time } of ledger.recentAlerts()) {
    if (time < savedAt || known.has(alert.fingerprint)) continue;
    told.push({ ...alert, endsAt: now + resolveTimeoutMs, updatedAt: time, timeout: true });
  }
  return [...alerts, ...told];
});
