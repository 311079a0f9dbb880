import { setImmediate } from "node:timers/promises";
import { type Disk, readWhole, replaceFile } from "../../lib/disk.ts";
import { labelsFromObject } from "../../model/labels.ts";
import { labelsForJson } from "../../model/labels-json.ts";
import type { HeldAlert } from "./alert-store.ts";
import { fingerprint } from "./fingerprint.ts";

/** Alerts that are encoded in one stretch: a few milliseconds. */
const AT_A_TIME = 1000;

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
  // As they are now: alerts that come while this goes on are not among them.
  const all = [...alerts];
  const head: StoredSnapshot = { version: 1, savedAt: now, accepted, alerts: [] };
  const pieces = [Buffer.from(JSON.stringify(head).slice(0, -2))];
  for (let from = 0; from < all.length; from += AT_A_TIME) {
    const texts = all
      .slice(from, from + AT_A_TIME)
      .map(({ fingerprint: _, labels, ...rest }) => JSON.stringify({ ...rest, labels: labelsForJson(labels) }));
    pieces.push(Buffer.from(`${from === 0 ? "" : ","}${texts.join(",")}`));
    // There may be very many, and others have to be answered meanwhile.
    if (from + AT_A_TIME < all.length) await setImmediate();
  }
  pieces.push(Buffer.from("]}"));
  await replaceFile(disk, path, Buffer.concat(pieces));
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
