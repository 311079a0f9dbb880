import { type Disk, type DiskFile, readWhole, replaceFile } from "../../lib/disk.ts";
import type { LogEntry } from "../alert/group.core.ts";

/**
 * The ledger of notifications: what was about to be told, and what came of it, one JSON object a line.
 *
 * Invariants:
 * - `record` resolves when the result is on disk; until then a restart may tell it again, never forget it.
 * - Entries in memory are what was told, whether or not the disk took it: a full disk repeats nothing in this life.
 * - A torn last line is what a crash left and is cut off; a damaged line elsewhere is skipped and counted.
 */
export interface Ledger {
  /** What was told last, undefined when nothing or when it has expired. */
  entryOf(groupKey: string, receiver: string, integration: string, now: number): LogEntry | undefined;
  /** By fingerprint, when an alert's end was told last. */
  endsTold(): ReadonlyMap<string, number>;
  /** Notes what is about to be sent; on disk with the next sync. */
  intend(intent: Intent): void;
  /** Notes what was told. Rejects with the disk's error. */
  record(entry: LogEntry, intent: Intent): Promise<void>;
  /** Notes that it could not be told. Rejects with the disk's error. */
  recordFailure(intent: Intent, reason: string, time: number): Promise<void>;
  readonly damagedLines: number;
  /** Intents of the life before without a result: whether these arrived is not known. */
  readonly unfinished: readonly Intent[];
  close(): Promise<void>;
}

export interface Intent {
  readonly id: string;
  readonly groupKey: string;
  readonly receiver: string;
  readonly integration: string;
  readonly time: number;
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
}

type Line =
  | ({ readonly type: "intent" } & Intent)
  | ({ readonly type: "told"; readonly id: string } & LogEntry)
  | { readonly type: "failed"; readonly id: string; readonly time: number; readonly reason: string };

/** The file is rewritten with what still counts when it is this long and mostly past. */
const COMPACT_BYTES = 4 << 20;

/** Lines that wait for a disk that does not take them; the oldest go. */
const MAX_WAITING_LINES = 10_000;

const encoder = new TextEncoder();

export async function openLedger(disk: Disk, path: string, now: number): Promise<Ledger> {
  const entries = new Map<string, LogEntry>();
  const open = new Map<string, Intent>();
  const text = new TextDecoder().decode((await readWhole(disk, path)) ?? new Uint8Array());
  const lines = text.split("\n");
  lines.pop(); // what follows the last newline: nothing, or a torn line
  let damagedLines = 0;
  for (const line of lines) {
    if (!apply(line, entries, open)) damagedLines++;
  }
  const unfinished = [...open.values()];

  let file: DiskFile;
  let at = 0;
  let liveBytes = 0;
  const rewrite = async (time: number) => {
    for (const [key, entry] of entries) if (entry.expiresAt <= time) entries.delete(key);
    const live = [...entries.values()].map((entry) => `${JSON.stringify({ type: "told", id: "", ...entry })}\n`);
    const bytes = encoder.encode(live.join(""));
    await replaceFile(disk, path, bytes);
    file = await disk.open(path, "write");
    at = bytes.length;
    liveBytes = bytes.length;
  };
  await rewrite(now);

  let buffer: string[] = [];
  let writing: Promise<void> | undefined;
  const write = async (time: number) => {
    if (at > COMPACT_BYTES && at > 4 * liveBytes) {
      const old = file;
      // Compaction that fails leaves the old file as it is, and it goes on there.
      await rewrite(time).then(
        () => old.close(),
        () => {},
      );
    }
    const lines = buffer;
    buffer = [];
    try {
      const bytes = encoder.encode(lines.join(""));
      await file.write(bytes, at);
      await file.sync();
      at += bytes.length;
    } catch (error) {
      // Written again, at the same place, with the next.
      buffer = [...lines, ...buffer].slice(-MAX_WAITING_LINES);
      throw error;
    }
  };
  /** Callers that come while a write is under way share the next one. */
  const sync = async (time: number): Promise<void> => {
    while (writing !== undefined) {
      await writing.catch(() => {});
      if (buffer.length === 0) return;
    }
    writing = write(time).finally(() => {
      writing = undefined;
    });
    await writing;
  };
  const push = (line: Line) => buffer.push(`${JSON.stringify(line)}\n`);

  return {
    damagedLines,
    unfinished,
    entryOf: (groupKey, receiver, integration, time) => {
      const entry = entries.get(entryKey(groupKey, receiver, integration));
      return entry === undefined || entry.expiresAt <= time ? undefined : entry;
    },
    endsTold: () => {
      const out = new Map<string, number>();
      for (const { resolved, time } of entries.values()) {
        for (const alert of resolved) out.set(alert, Math.max(time, out.get(alert) ?? 0));
      }
      return out;
    },
    intend: (intent) => {
      push({ type: "intent", ...intent });
    },
    record: (entry, intent) => {
      entries.set(entryKey(entry.groupKey, entry.receiver, entry.integration), entry);
      push({ type: "told", id: intent.id, ...entry });
      return sync(entry.time);
    },
    recordFailure: (intent, reason, time) => {
      push({ type: "failed", id: intent.id, time, reason });
      return sync(time);
    },
    close: async () => {
      if (buffer.length > 0) await sync(now);
      await file.close();
    },
  };
}

function entryKey(groupKey: string, receiver: string, integration: string): string {
  return JSON.stringify([groupKey, receiver, integration]);
}

function apply(text: string, entries: Map<string, LogEntry>, open: Map<string, Intent>): boolean {
  let line: Line;
  try {
    line = JSON.parse(text) as Line;
  } catch {
    return false;
  }
  if (line.type === "intent") open.set(line.id, line);
  else if (line.type === "failed") open.delete(line.id);
  else if (line.type === "told") {
    open.delete(line.id);
    const { type: _, id: __, ...entry } = line;
    entries.set(entryKey(entry.groupKey, entry.receiver, entry.integration), entry);
  } else return false;
  return true;
}
