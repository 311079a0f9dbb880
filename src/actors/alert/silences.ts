import { randomUUID } from "node:crypto";
import type { Disk } from "../../lib/disk.ts";
import { type Labels, labelValue } from "../../model/labels.ts";
import type { HeldAlert } from "./alert-store.ts";
import {
  expireSilence,
  forgettable,
  mutesAt,
  type Silence,
  type SilenceChange,
  type SilenceDraft,
  type SilenceEvents,
  type SilenceLimits,
  type SilenceState,
  type SilenceTable,
  setSilence,
  silenceEvents,
  stateOf,
} from "./silence.core.ts";
import { makeSilenceIndex } from "./silence-index.ts";
import { openSilenceLog, type SilenceLog } from "./silence-log.ts";

/**
 * The silences of this process, in memory and on disk.
 *
 * Invariants:
 * - What `set` and `expire` have answered is on disk; what they rejected has changed nothing.
 * - Changes come one after another, in the order in which they were asked for.
 */
export interface Silences {
  /** Makes or changes a silence; resolves with its id once it is on disk. Rejects with SilenceRefused, or the disk's error. */
  set(draft: SilenceDraft, now: number): Promise<string>;
  /** Ends a silence, of which there need be nothing left. Rejects with SilenceRefused, or the disk's error. */
  expire(id: string, now: number): Promise<void>;
  get(id: string): Silence | undefined;
  all(): Iterable<Silence>;
  counts(now: number): Readonly<Record<SilenceState, number>>;
  /** Ids of the silences that mute each of the alerts; alerts that none mutes are left out. The notice of its own end no silence mutes. */
  silencedBy(alerts: Iterable<MutableAlert>, now: number): Map<string, readonly string[]>;
  /** Does what time and the firing alerts bring about, and tells of it; each end of a silence is `ending` once. */
  tick(firing: () => Iterable<Labels>, now: number): Promise<SilenceEvents>;
  /** Forgets old ones, in memory and at times on disk. Rejects with the disk's error. */
  tidy(now: number): Promise<void>;
  /** Reads what is on disk; resolves with how many lines of it were damaged. */
  open(now: number): Promise<number>;
  close(): Promise<void>;
}

type MutableAlert = Pick<HeldAlert, "fingerprint" | "labels" | "endsAt">;

export interface SilencesOptions {
  readonly disk: Disk;
  readonly path: string;
  readonly retentionMs?: number;
  readonly limits?: SilenceLimits;
  readonly newId?: () => string;
}

/** As Alertmanager keeps them. */
const RETENTION_MS = 120 * 3_600_000;
const LIMITS: SilenceLimits = { maxSilences: 10_000, maxBytes: 64 << 10 };
/** After a start senders get so long to tell again what fires, before a silence is taken for finished. */
const SETTLE_MS = 120_000;

export function makeSilences(options: SilencesOptions): Silences {
  const { disk, path, retentionMs = RETENTION_MS, limits = LIMITS, newId = randomUUID } = options;
  let table: SilenceTable = new Map();
  const index = makeSilenceIndex();
  let log: SilenceLog | undefined;
  let openedAt = 0;
  /** By id, the end of which notice was given. */
  const noticed = new Map<string, number>();

  const take = (next: SilenceTable) => {
    table = next;
    index.take(next);
  };

  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <A>(work: () => Promise<A>): Promise<A> => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
  const commit = async (change: SilenceChange) => {
    if (log === undefined) throw new Error("the silences have not been read yet");
    if (change.length === 0) return;
    await log.append(change);
    const next = new Map(table);
    for (const s of change) next.set(s.id, s);
    take(next);
  };

  return {
    set: (draft, now) =>
      inTurn(async () => {
        const change = setSilence(table, draft, now, newId(), limits);
        await commit(change);
        return (change.at(-1) as Silence).id;
      }),
    expire: (id, now) => inTurn(async () => commit(expireSilence(table, id, now))),
    get: (id) => table.get(id),
    all: () => table.values(),
    counts: (now) => {
      const counts = { active: 0, pending: 0, expired: 0 };
      for (const s of table.values()) counts[stateOf(s, now)]++;
      return counts;
    },
    silencedBy: (alerts, now) => {
      const out = new Map<string, readonly string[]>();
      if (table.size === 0) return out;
      for (const { fingerprint, labels, endsAt } of alerts) {
        const resolved = endsAt > 0 && endsAt <= now;
        const matching = index.matching(labels);
        if (matching.length === 0) continue;
        const ids = matching
          .filter((s) => mutesAt(s, resolved, now) && labelValue(labels, "silence") !== s.id)
          .map((s) => s.id);
        if (ids.length > 0) out.set(fingerprint, ids);
      }
      return out;
    },
    tick: (firing, now) =>
      inTurn(async () => {
        const events = silenceEvents(index.compiled(), firing, now - openedAt >= SETTLE_MS, now);
        const ending = events.ending.filter((s) => noticed.get(s.id) !== s.endsAt);
        await commit([...events.matched, ...events.finished]);
        for (const s of ending) noticed.set(s.id, s.endsAt);
        return { ...events, ending };
      }),
    tidy: (now) =>
      inTurn(async () => {
        const old = forgettable(table, now, retentionMs);
        if (old.length > 0) {
          const next = new Map(table);
          for (const id of old) {
            next.delete(id);
            noticed.delete(id);
          }
          take(next);
        }
        await log?.compact(table.values());
      }),
    open: (now) =>
      inTurn(async () => {
        const restored = await openSilenceLog(disk, path);
        log = restored.log;
        openedAt = now;
        const old = new Set(forgettable(restored.silences, now, retentionMs));
        take(new Map([...restored.silences].filter(([id]) => !old.has(id))));
        return restored.damagedLines;
      }),
    close: () =>
      inTurn(async () => {
        const open = log;
        log = undefined;
        await open?.close();
      }),
  };
}
