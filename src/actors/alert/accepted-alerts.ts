import type { Disk } from "../../lib/disk.ts";
import type { PostedAlert } from "../../model/alerts.ts";
import { labelsFromObject } from "../../model/labels.ts";
import { labelsForJson } from "../../model/labels-json.ts";
import { openLineLog } from "../notify/line-log.ts";

/**
 * What others have posted, on disk before they are told that it was taken. The snapshot of all alerts (alert-snapshot.ts) comes
 * later and holds it too: then a batch is past.
 *
 * Invariants:
 * - `keep` resolves when the batch is on disk; batches that come while a write is under way share the next one.
 * - A batch that is on disk stays there until a snapshot that holds it is.
 */
export interface AcceptedAlerts {
  /** Batches of a life before that the snapshot does not hold, the oldest first. */
  readonly restored: readonly AcceptedBatch[];
  /** Lines in the middle of the file that could not be read. */
  readonly damagedLines: number;
  /** Number of the newest batch; what a snapshot that is made now holds. */
  last(): number;
  /** Rejects with the disk's error. The batch counts as one that the snapshot made after this call holds. */
  keep(alerts: readonly PostedAlert[], at: number): Promise<void>;
  /** A snapshot with the batches up to this one is on disk. */
  saved(upTo: number): void;
  close(): Promise<void>;
}

export interface AcceptedBatch {
  readonly seq: number;
  /** When they were taken in, Unix ms. */
  readonly at: number;
  readonly alerts: readonly PostedAlert[];
}

interface Line {
  readonly seq: number;
  readonly at: number;
  readonly alerts: readonly (Omit<PostedAlert, "labels"> & { readonly labels: Readonly<Record<string, string>> })[];
}

/**
 * In a storm nearly all of the log still counts: making it anew then costs what it has, while senders wait. So much holds the
 * storm of tens of thousands of alerts.
 */
const COMPACT_BYTES = 32 << 20;

/**
 * Opens the log. Rejects when it cannot be read.
 * @param heldUpTo number of the newest batch that the snapshot holds
 */
export async function openAcceptedAlerts(disk: Disk, path: string, heldUpTo: number): Promise<AcceptedAlerts> {
  /** By number, in their order; those that no snapshot is known to hold. */
  const live = new Map<number, AcceptedBatch>();
  let last = heldUpTo;
  const apply = (read: unknown): boolean => {
    const line = read as Line;
    if (!Number.isInteger(line.seq) || !Array.isArray(line.alerts)) return false;
    last = Math.max(last, line.seq);
    const { seq, at, alerts } = line;
    if (seq <= heldUpTo) return true;
    live.set(seq, { seq, at, alerts: alerts.map((alert) => ({ ...alert, labels: labelsFromObject(alert.labels) })) });
    return true;
  };
  const { log, damagedLines } = await openLineLog({
    disk,
    path,
    apply,
    live: () => Array.from(live.values(), lineOf),
    compactBytes: COMPACT_BYTES,
  });
  const restored = [...live.values()].sort((a, b) => a.seq - b.seq);
  return {
    restored,
    damagedLines,
    last: () => last,
    keep: async (alerts, at) => {
      const seq = ++last;
      const batch = { seq, at, alerts };
      live.set(seq, batch);
      log.push(lineOf(batch));
      try {
        await log.sync();
      } catch (error) {
        // Nobody was told that it is on disk.
        live.delete(seq);
        throw error;
      }
    },
    saved: (upTo) => {
      for (const seq of live.keys()) {
        if (seq > upTo) break;
        live.delete(seq);
      }
    },
    close: () => log.close(),
  };
}

/** The line of a batch, which is made when it is written: until then, and for as long as it counts, the alerts are not held twice. */
function lineOf({ seq, at, alerts }: AcceptedBatch): { toJSON(): Line } {
  return { toJSON: () => ({ seq, at, alerts: alerts.map((a) => ({ ...a, labels: labelsForJson(a.labels) })) }) };
}
