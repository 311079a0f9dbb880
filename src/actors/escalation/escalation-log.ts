import { type Disk, type DiskFile, readWhole, replaceFile } from "../../lib/disk.ts";
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
  const bytes = (await readWhole(disk, path)) ?? new Uint8Array();
  const lines = new TextDecoder().decode(bytes).split("\n");
  lines.pop(); // what follows the last newline: nothing, or a torn line
  const live = new Map<string, EscalationRecord>();
  let damagedLines = 0;
  for (const text of lines) {
    const line = parseLine(text);
    if (line === undefined) damagedLines++;
    else {
      const alerts = line.alerts?.map((a) => ({ ...a, labels: labelsFromObject(a.labels) }));
      live.set(line.state.id, { state: line.state, alerts: alerts ?? live.get(line.state.id)?.alerts ?? [] });
    }
  }
  // What could not be read stays for a person to look at.
  if (damagedLines > 0) await replaceFile(disk, `${path}.damaged`, bytes);

  let file: DiskFile;
  let at = 0;
  let liveBytes = 0;
  const rewrite = async () => {
    const whole = new TextEncoder().encode([...live.values()].map((r) => encode(r, true)).join(""));
    await replaceFile(disk, path, whole);
    file = await disk.open(path, "write");
    at = whole.length;
    liveBytes = whole.length;
  };
  await rewrite();

  /** Ids that wait to be written, and whether with their alerts. */
  const waiting = new Map<string, boolean>();
  const write = async () => {
    if (at > COMPACT_BYTES && at > 4 * liveBytes) {
      const old = file;
      // One that fails leaves the old file as it is, and it goes on there.
      await rewrite().then(
        () => old.close(),
        () => {},
      );
    }
    const batch = [...waiting];
    waiting.clear();
    try {
      const text = batch.map(([id, alerts]) => {
        const record = live.get(id);
        return record === undefined ? "" : encode(record, alerts);
      });
      const piece = new TextEncoder().encode(text.join(""));
      // What a write that failed has left behind the end must not show after a shorter one.
      await file.truncate(at);
      await file.write(piece, at);
      await file.sync();
      at += piece.length;
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
  return { log, records: new Map(live), damagedLines };
}

function encode({ state, alerts }: EscalationRecord, withAlerts: boolean): string {
  const stored = alerts.map((a): StoredAlert => ({ ...a, labels: labelsToObject(a.labels) }));
  return `${JSON.stringify({ version: 1, state, ...(withAlerts ? { alerts: stored } : {}) } satisfies Line)}\n`;
}

function parseLine(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Line;
    return line.version === 1 && typeof line.state.id === "string" ? line : undefined;
  } catch {
    return undefined;
  }
}
