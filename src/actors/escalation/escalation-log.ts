import type { Disk } from "../../lib/disk.ts";
import { openLineFile } from "../../lib/line-file.ts";
import { labelsFromObject, labelsToObject } from "../../model/labels.ts";
import type { HeldAlert } from "../alert/alert-store.ts";
import type { EscalationState } from "./escalation.core.ts";

/** An escalation with the alerts that it was last about, so that a crash right after the first page forgets none. */
export interface EscalationRecord {
  readonly state: EscalationState;
  readonly alerts: readonly HeldAlert[];
}

/**
 * Escalations on disk: one JSON object a line, each an escalation as it is after a change. Its alerts are written when they
 * changed.
 *
 * Invariants:
 * - `write` resolves when the change is on disk. Those that come while a write is under way share the next one.
 * - A torn last line is what a crash left and is cut off; a damaged line elsewhere is skipped and counted.
 * - What the disk did not take is written with the next change.
 */
export interface EscalationLog {
  /** Rejects with the disk's error. */
  write(record: EscalationRecord): Promise<void>;
  /** Forgets an escalation with the next compaction. */
  forget(id: string): void;
  close(): Promise<void>;
}

export interface RestoredEscalations {
  readonly log: EscalationLog;
  readonly records: ReadonlyMap<string, EscalationRecord>;
  readonly damagedLines: number;
}

interface Line {
  readonly version: 1;
  readonly state: EscalationState;
  readonly alerts?: readonly StoredAlert[];
}

type StoredAlert = Omit<HeldAlert, "labels"> & { readonly labels: Record<string, string> };

/** The file is written anew when it is this long and mostly past. */
const COMPACT_BYTES = 4 << 20;

export async function openEscalationLog(disk: Disk, path: string): Promise<RestoredEscalations> {
  const live = new Map<string, EscalationRecord>();
  const everything = () => Array.from(live.values(), (record) => lineOf(record, true));
  const file = await openLineFile({
    disk,
    path,
    apply: (line) => {
      if (!isLine(line)) return false;
      const alerts = line.alerts?.map((a) => ({ ...a, labels: labelsFromObject(a.labels) }));
      live.set(line.state.id, { state: line.state, alerts: alerts ?? live.get(line.state.id)?.alerts ?? [] });
      return true;
    },
    live: everything,
    compactBytes: COMPACT_BYTES,
    keepDamaged: true,
  });

  /** Ids that wait to be written, and whether with their alerts. */
  const waiting = new Map<string, boolean>();
  const write = async () => {
    // One that fails leaves the lines as they are, and it goes on there.
    if (file.isMostlyPast()) await file.rewrite(everything()).catch(() => {});
    const batch = [...waiting];
    waiting.clear();
    try {
      await file.append(
        batch.flatMap(([id, alerts]) => {
          const record = live.get(id);
          return record === undefined ? [] : [lineOf(record, alerts)];
        }),
      );
    } catch (error) {
      for (const [id, alerts] of batch) waiting.set(id, alerts || (waiting.get(id) ?? false));
      throw error;
    }
  };
  let writing: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  /** The write that begins when the one under way ends: it takes what waits then, for all who asked for it. */
  const sync = (): Promise<void> => {
    next ??= writing
      .catch(() => {})
      .then(() => {
        next = undefined;
        writing = write();
        return writing;
      });
    return next;
  };

  const log: EscalationLog = {
    write: (record) => {
      const { id } = record.state;
      const alertsChanged = live.get(id)?.alerts !== record.alerts;
      live.set(id, record);
      waiting.set(id, alertsChanged || (waiting.get(id) ?? false));
      return sync();
    },
    forget: (id) => void live.delete(id),
    close: async () => {
      await (waiting.size > 0 ? sync() : writing.catch(() => {}));
      await file.close();
    },
  };
  return { log, records: new Map(live), damagedLines: file.damagedLines };
}

function lineOf({ state, alerts }: EscalationRecord, withAlerts: boolean): Line {
  const stored = alerts.map((a): StoredAlert => ({ ...a, labels: labelsToObject(a.labels) }));
  return { version: 1, state, ...(withAlerts ? { alerts: stored } : {}) };
}

function isLine(line: unknown): line is Line {
  const { version, state } = (line ?? {}) as Partial<Line>;
  return version === 1 && typeof state?.id === "string";
}
