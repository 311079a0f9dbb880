import { type Disk, readWhole, replaceFile } from "../../lib/disk.ts";
import { labelsFromObject, labelsToObject } from "../../model/labels.ts";
import type { HeldAlert } from "./alert-store.ts";
import { fingerprint } from "./fingerprint.ts";

/**
 * The alert manager's alerts on disk. Rules send theirs again after a restart; this is for those that others sent, and so
 * that groups know their alerts from the first moment.
 */
interface StoredSnapshot {
  readonly version: 1;
  readonly savedAt: number;
  /** Number of the newest batch of posted alerts that it holds (accepted-alerts.ts). */
  readonly accepted?: number;
  readonly alerts: readonly (Omit<HeldAlert, "labels" | "fingerprint"> & { readonly labels: Record<string, string> })[];
}

export async function saveAlerts(
  disk: Disk,
  path: string,
  alerts: Iterable<HeldAlert>,
  now: number,
  accepted: number,
): Promise<void> {
  const stored: StoredSnapshot = {
    version: 1,
    savedAt: now,
    accepted,
    alerts: [...alerts].map(({ fingerprint: _, labels, ...rest }) => ({ ...rest, labels: labelsToObject(labels) })),
  };
  await replaceFile(disk, path, new TextEncoder().encode(JSON.stringify(stored)));
}

/**
 * The alerts as they were saved and when that was, none when there is no file. An end that lay ahead is moved on by the time that was lost:
 * nobody could say during it that the alert goes on. The snapshot may be older than the ledger: an alert whose end has been
 * told after it was last heard of has ended. Rejects when the file is unreadable or damaged.
 * @param endsTold when each alert's end was told, by fingerprint
 */
export async function loadAlerts(
  disk: Disk,
  path: string,
  now: number,
  endsTold: ReadonlyMap<string, number>,
): Promise<LoadedAlerts> {
  const bytes = await readWhole(disk, path);
  if (bytes === undefined) return { alerts: [], savedAt: 0, accepted: 0 };
  const stored = JSON.parse(new TextDecoder().decode(bytes)) as StoredSnapshot;
  if (stored.version !== 1) throw new Error(`version ${String(stored.version)}, this program reads version 1`);
  const lost = Math.max(0, now - stored.savedAt);
  const alerts = stored.alerts.map((alert) => {
    const labels = labelsFromObject(alert.labels);
    const name = fingerprint(labels);
    const ended = endsTold.get(name) ?? 0;
    const later = alert.endsAt > stored.savedAt ? alert.endsAt + lost : alert.endsAt;
    return { ...alert, labels, fingerprint: name, endsAt: ended >= alert.updatedAt ? Math.min(ended, later) : later };
  });
  return { alerts, savedAt: stored.savedAt, accepted: stored.accepted ?? 0 };
}

export interface LoadedAlerts {
  readonly alerts: readonly HeldAlert[];
  readonly savedAt: number;
  /** Number of the newest batch of posted alerts among them. */
  readonly accepted: number;
}
