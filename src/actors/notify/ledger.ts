import type { Disk } from "../../lib/disk.ts";
import type { LogEntry } from "../alert/group.core.ts";
import { openLineLog } from "./line-log.ts";
import type { Notification, ToldAlert } from "./webhook-payload.ts";

/**
 * The ledger of notifications: what was about to be told, each attempt that failed, and what came of it.
 *
 * Invariants:
 * - `intend` resolves when the intent is on disk: an attempt made after that is known of after a crash.
 * - `record` resolves when the result is on disk; until then a restart tells it again, with the same key, never forgets it.
 * - Entries in memory are what was told, whether or not the disk took it: a full disk repeats nothing in this life.
 * - Every line is an event for the bus with a number of its own, and is kept until the bus has it (`published`) or there are
 *   too many that it has not; then the oldest are dropped and counted.
 */
export interface Ledger {
  /** What was told last, undefined when nothing or when it has expired. */
  entryOf(groupKey: string, receiver: string, slot: string, now: number): LogEntry | undefined;
  /** The same though it has expired, while anything of it fired then: its end has still to be told. */
  unended(groupKey: string, receiver: string, slot: string, now: number): LogEntry | undefined;
  /** How often exactly this content was told already; see `contentOf` in transition-key.ts. */
  timesTold(groupKey: string, receiver: string, slot: string, content: string, now: number): number;
  /** By fingerprint, when an alert's end was told, or about to be told, last. */
  endsTold(): ReadonlyMap<string, number>;
  /** Alerts that were about to be told as firing, with when, the end of which has not been told since; see `alertsSaved`. */
  recentAlerts(): Iterable<RecentAlert>;
  /** The alerts are kept elsewhere as they were at `time`: what was told before need not be remembered here. */
  alertsSaved(time: number): void;
  /** Notes what is about to be sent. Rejects with the disk's error; the intent counts nevertheless. */
  intend(intent: Intent): Promise<void>;
  /** Notes an attempt that failed and is followed by another; on disk with the next sync. */
  attempted(intent: Intent, attempt: number, reason: string, time: number): void;
  /** Notes what was told. Rejects with the disk's error. */
  record(entry: LogEntry, intent: Intent): Promise<void>;
  /** Notes that it could not be told. Rejects with the disk's error. */
  recordFailure(intent: Intent, reason: string, time: number): Promise<void>;
  /** Intents without a result, of this life and the one before: whether these arrived is not known. */
  unfinished(): readonly Intent[];
  /** Hears of every event from now on; those that the bus does not have yet come first. */
  onEvent(listener: (event: LedgerEvent) => void): void;
  /** The bus has this event. On disk with the next sync. */
  published(seq: number): void;
  /** Puts on disk what waits. Rejects with the disk's error. */
  flush(): Promise<void>;
  stats(): { readonly unpublished: number; readonly dropped: number };
  readonly damagedLines: number;
  close(): Promise<void>;
}

export interface RecentAlert {
  readonly alert: ToldAlert;
  readonly time: number;
}

export interface Intent {
  readonly id: string;
  /** The same whenever the same is told again, by whomever: a receiver that has seen it need not act. */
  readonly key: string;
  /** What is told, without how often it was before. */
  readonly content: string;
  readonly groupKey: string;
  readonly receiver: string;
  readonly integration: string;
  /** Under what it is remembered that it was told: the integration, or that and for whom it stands in. */
  readonly slot: string;
  readonly time: number;
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
  /** How long it is remembered as told, ms. */
  readonly keepMs: number;
  /** How long it is tried, ms. */
  readonly patienceMs: number;
  /** All that is needed to tell it again. */
  readonly notification: Notification;
}

/** What the stream of notifications is told; `msgId` is the same whenever the same event is published again. */
export interface LedgerEvent {
  readonly seq: number;
  readonly msgId: string;
  readonly receiver: string;
  readonly event: Readonly<Record<string, unknown>>;
}

interface Told extends LogEntry {
  /** How often each content was told, the oldest first. */
  readonly contents?: readonly (readonly [string, number])[];
  /** The same for contents that are not remembered one by one. */
  readonly atLeast?: number;
}

type Numbered = { readonly seq: number };
type Line =
  | ({ readonly type: "intent" } & Numbered & Intent)
  | ({ readonly type: "attempt" } & Numbered & EventLine)
  | ({ readonly type: "told" } & Partial<EventLine & Numbered> & { readonly id: string } & Told)
  | ({ readonly type: "failed" } & Numbered & EventLine & { readonly id: string })
  | { readonly type: "event"; readonly event: LedgerEvent }
  | ({ readonly type: "alert" } & RecentAlert)
  | { readonly type: "published"; readonly seq: number };
interface EventLine {
  readonly event: LedgerEvent;
}

/** Contents of one group that are remembered one by one. */
const MAX_CONTENTS = 16;
const MAX_UNPUBLISHED = 10_000;
/** So long it is remembered at least that something was told as firing: its end may come late, and a repetition needs a key of its own. */
const REMEMBER_FIRING_MS = 120 * 3_600_000;
/** In a storm most of it counts, and receivers wait while it is made anew. */
const COMPACT_BYTES = 16 << 20;

export async function openLedger(disk: Disk, path: string, now: number): Promise<Ledger> {
  const entries = new Map<string, Told>();
  const open = new Map<string, Intent>();
  const recent = new Map<string, RecentAlert>();
  const unpublished = new Map<number, LedgerEvent>();
  let lastSeq = 0;
  let publishedSeq = 0;
  let writtenPublished = 0;
  let dropped = 0;
  let listener: ((event: LedgerEvent) => void) | undefined;
  let time = now;

  const keep = (event: LedgerEvent) => {
    if (event.seq <= publishedSeq) return;
    lastSeq = Math.max(lastSeq, event.seq);
    unpublished.set(event.seq, event);
    if (unpublished.size <= MAX_UNPUBLISHED) return;
    dropped++;
    unpublished.delete(unpublished.keys().next().value as number);
  };
  const forget = (upTo: number) => {
    publishedSeq = Math.max(publishedSeq, upTo);
    lastSeq = Math.max(lastSeq, upTo);
    for (const seq of unpublished.keys()) {
      if (seq > upTo) break;
      unpublished.delete(seq);
    }
  };
  const remember = ({ notification, time: at }: Intent) => {
    for (const alert of notification.alerts) {
      if (alert.endsAt === 0) recent.set(alert.fingerprint, { alert, time: at });
      else recent.delete(alert.fingerprint);
    }
  };
  const endTold = (resolved: readonly string[]) => {
    for (const alert of resolved) recent.delete(alert);
  };
  const apply = (line: Line): boolean => {
    if (line.type === "intent") {
      const { type: _, seq, ...intent } = line;
      open.set(intent.id, intent);
      remember(intent);
      keep(intentEvent(seq, intent));
    } else if (line.type === "told") {
      const { type: _, id, event, seq: __, ...told } = line;
      open.delete(id);
      entries.set(entryKey(told.groupKey, told.receiver, told.integration), told);
      endTold(told.resolved);
      if (event !== undefined) keep(event);
    } else if (line.type === "failed" || line.type === "attempt") {
      if (line.type === "failed") open.delete(line.id);
      keep(line.event);
    } else if (line.type === "alert") recent.set(line.alert.fingerprint, { alert: line.alert, time: line.time });
    else if (line.type === "event") keep(line.event);
    else if (line.type === "published") forget(line.seq);
    else return false;
    return true;
  };
  function* live(): Generator<Line> {
    for (const [key, entry] of entries) if (forgottenAt(entry) <= time) entries.delete(key);
    for (const entry of entries.values()) yield { type: "told", id: "", ...entry };
    yield { type: "published", seq: publishedSeq };
    for (const alert of recent.values()) yield { type: "alert", ...alert };
    const numbers = new Map([...unpublished.values()].map((e) => [e.msgId, e.seq]));
    for (const intent of open.values()) {
      // Its event comes with it; the number of one that the bus has already hides it.
      const msgId = msgIdOf(intent.id, "intent");
      yield { type: "intent", seq: numbers.get(msgId) ?? publishedSeq, ...intent };
      numbers.delete(msgId);
    }
    for (const event of unpublished.values()) if (numbers.has(event.msgId)) yield { type: "event", event };
  }
  const { log, damagedLines } = await openLineLog({
    disk,
    path,
    apply: (line) => apply(line as Line),
    live,
    compactBytes: COMPACT_BYTES,
  });
  writtenPublished = publishedSeq;
  const inOrder = [...unpublished].sort(([a], [b]) => a - b);
  unpublished.clear();
  for (const [seq, event] of inOrder) unpublished.set(seq, event);

  const tell = (event: LedgerEvent) => {
    keep(event);
    listener?.(event);
  };
  const sync = async () => {
    if (publishedSeq > writtenPublished) {
      log.push({ type: "published", seq: publishedSeq } satisfies Line);
      writtenPublished = publishedSeq;
    }
    await log.sync();
  };
  const eventOf = (intent: Intent, type: string, at: number, more: Readonly<Record<string, unknown>>): LedgerEvent => {
    const { id, receiver } = intent;
    const suffix = more.attempt === undefined ? type : `${type}-${String(more.attempt)}`;
    const event = { version: 1, type, ...slim(intent), time: new Date(at).toISOString(), ...more };
    return { seq: ++lastSeq, msgId: msgIdOf(id, suffix), receiver, event };
  };
  const remembered = (groupKey: string, receiver: string, slot: string, at: number): Told | undefined => {
    const entry = entries.get(entryKey(groupKey, receiver, slot));
    return entry === undefined || forgottenAt(entry) <= at ? undefined : entry;
  };

  return {
    damagedLines,
    entryOf: (groupKey, receiver, slot, at) => {
      const entry = remembered(groupKey, receiver, slot, at);
      return entry === undefined || entry.expiresAt <= at ? undefined : entry;
    },
    unended: (groupKey, receiver, slot, at) => {
      const entry = remembered(groupKey, receiver, slot, at);
      return entry === undefined || entry.firing.length === 0 ? undefined : entry;
    },
    timesTold: (groupKey, receiver, slot, content, at) => {
      const entry = remembered(groupKey, receiver, slot, at);
      return entry?.contents?.find(([c]) => c === content)?.[1] ?? entry?.atLeast ?? 0;
    },
    endsTold: () => {
      const out = new Map<string, number>();
      for (const { resolved, time: at } of [...entries.values(), ...open.values()]) {
        for (const alert of resolved) out.set(alert, Math.max(at, out.get(alert) ?? 0));
      }
      return out;
    },
    recentAlerts: () => recent.values(),
    alertsSaved: (at) => {
      for (const [key, alert] of recent) if (alert.time < at) recent.delete(key);
    },
    intend: (intent) => {
      time = intent.time;
      open.set(intent.id, intent);
      remember(intent);
      const event = intentEvent(++lastSeq, intent);
      log.push({ type: "intent", seq: event.seq, ...intent } satisfies Line);
      tell(event);
      return sync();
    },
    attempted: (intent, attempt, reason, at) => {
      const event = eventOf(intent, "attempt", at, { attempt, ok: false, reason });
      log.push({ type: "attempt", seq: event.seq, event } satisfies Line);
      tell(event);
    },
    record: (entry, intent) => {
      time = entry.time;
      const before = entries.get(entryKey(entry.groupKey, entry.receiver, entry.integration));
      const told: Told = { ...entry, ...counted(before, intent.content) };
      entries.set(entryKey(entry.groupKey, entry.receiver, entry.integration), told);
      endTold(entry.resolved);
      // What was only written down was never an intent, and nobody was told.
      const event = open.delete(intent.id) ? eventOf(intent, "result", entry.time, { ok: true }) : undefined;
      log.push({ type: "told", id: intent.id, ...told, ...(event && { seq: event.seq, event }) } satisfies Line);
      if (event !== undefined) tell(event);
      return sync();
    },
    recordFailure: (intent, reason, at) => {
      open.delete(intent.id);
      const event = eventOf(intent, "result", at, { ok: false, reason });
      log.push({ type: "failed", id: intent.id, seq: event.seq, event } satisfies Line);
      tell(event);
      return sync();
    },
    unfinished: () => [...open.values()],
    onEvent: (hear) => {
      listener = hear;
      for (const event of [...unpublished.values()]) hear(event);
    },
    published: forget,
    flush: sync,
    stats: () => ({ unpublished: unpublished.size, dropped }),
    close: async () => {
      await sync();
      await log.close();
    },
  };
}

/** Until when an entry is remembered, though it counts as told only until it expires. Unix ms. */
export function forgottenAt({ firing, time, expiresAt }: Pick<LogEntry, "firing" | "time" | "expiresAt">): number {
  return firing.length === 0 ? expiresAt : Math.max(expiresAt, time + REMEMBER_FIRING_MS);
}

function counted(before: Told | undefined, content: string): Pick<Told, "contents" | "atLeast"> {
  const contents = [...(before?.contents ?? [])];
  let atLeast = before?.atLeast ?? 0;
  const i = contents.findIndex(([c]) => c === content);
  const [, times] = i < 0 ? [content, atLeast] : (contents.splice(i, 1)[0] as readonly [string, number]);
  contents.push([content, times + 1]);
  // What is forgotten must not be taken for new: its key was used.
  while (contents.length > MAX_CONTENTS) atLeast = Math.max(atLeast, (contents.shift() as [string, number])[1]);
  return { contents, atLeast };
}

function slim({
  id,
  key,
  groupKey,
  receiver,
  integration,
  firing,
  resolved,
}: Intent): Readonly<Record<string, unknown>> {
  return { id, key, groupKey, receiver, integration, firing, resolved };
}

function intentEvent(seq: number, intent: Intent): LedgerEvent {
  const event = { version: 1, type: "intent", ...slim(intent), time: new Date(intent.time).toISOString() };
  return { seq, msgId: msgIdOf(intent.id, "intent"), receiver: intent.receiver, event };
}

function msgIdOf(id: string, what: string): string {
  return `notification-${id}-${what}`;
}

function entryKey(groupKey: string, receiver: string, slot: string): string {
  return JSON.stringify([groupKey, receiver, slot]);
}
