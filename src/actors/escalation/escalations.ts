import { createHash } from "node:crypto";
import type { Disk } from "../../lib/disk.ts";
import type { Labels } from "../../model/labels.ts";
import type { HeldAlert } from "../alert/alert-store.ts";
import { type Mailbox, makeMailbox } from "../runtime/mailbox.ts";
import { ackLinkProblem, ackPath, ackSecret } from "./ack-link.ts";
import {
  type Acknowledgement,
  type EscalationEvent,
  type EscalationState,
  transition,
  trigger,
} from "./escalation.core.ts";
import type { Escalation, EscalationConfig } from "./escalation-config.ts";
import { type EscalationLog, type EscalationRecord, openEscalationLog } from "./escalation-log.ts";
import { stepTargets } from "./next-step.ts";
import { nextHandOver, onCallAt } from "./schedule.core.ts";

/**
 * The escalations of this process, in memory and on disk.
 *
 * Invariants:
 * - Every change goes through the pure transitions, at once in memory; what is decided is on disk before anybody is paged.
 * - A disk that does not take a change must not stop a page: it is paged nevertheless, and the change written with the next.
 */
export interface Escalations {
  /** Reads what is on disk; resolves with how many lines of it were damaged. */
  open(): Promise<number>;
  close(): Promise<void>;
  /** Takes the configuration that holds from now on. Rejects when the secret of its links cannot be had: pages go without links then. */
  configure(config: EscalationConfig): Promise<void>;
  /** A group of a route with an escalation was looked at. Rejects with the disk's error; the change holds nevertheless. */
  flush(group: EscalatedGroup, look: GroupLook, now: number): Promise<void>;
  /** Decides what is due, in the same way. */
  due(id: string, now: number, fallback: readonly string[]): Promise<void>;
  /** Notes how a page to one receiver went, in the same way. */
  delivered(id: string, key: string, receiver: string, ok: boolean, now: number): Promise<void>;
  /** Ends those whose group is none of these. */
  closeOthers(groups: ReadonlySet<string>, reason: string, now: number): Promise<void>;
  /** Acknowledges; resolves when it is on disk. Rejects with AckRefused, or the disk's error. */
  acknowledge(id: string, ack: Ack, now: number): Promise<EscalationState>;
  /** The path of a receiver's link, signed; undefined as long as there is no secret. */
  linkOf(id: string, receiver: string, now: number): string | undefined;
  /** What is wrong with a link, undefined when nothing is. */
  linkProblem(id: string, by: string, expires: number, signature: string, now: number): string | undefined;
  get(id: string): EscalationRecord | undefined;
  /** The newest first. */
  all(): EscalationRecord[];
  /** The one of the group that is not resolved. */
  activeOf(group: string): EscalationState | undefined;
  /** Ids of those that something is left to be done for. */
  unfinished(): string[];
  /** Forgets those that were resolved long ago. */
  tidy(now: number): void;
  /** Ids of escalations that have begun. */
  readonly begun: Mailbox<string>;
  /** Woken at each change of the escalation, and when its group was looked at. */
  wakeOf(id: string): Mailbox<void>;
  stats(): EscalationStats;
  /** Who is on call by each schedule at `t`. */
  onCall(t: number): OnCallAnswer[];
}

export interface EscalationStats {
  readonly states: Readonly<Record<EscalationState["status"], number>>;
  readonly writeFailures: number;
}

export interface EscalatedGroup {
  /** Tells it apart from all others (dispatcher's identity). */
  readonly identity: string;
  readonly key: string;
  readonly labels: Labels;
  readonly escalation: string;
}

export interface GroupLook {
  /** All alerts of the group, those that fire with the end that they will have when nobody speaks of them again. */
  readonly alerts: readonly HeldAlert[];
  readonly firing: readonly string[];
  /** The firing ones that nothing mutes. */
  readonly heard: readonly string[];
}

export type Ack = Pick<Acknowledgement, "by" | "via" | "comment">;

export interface OnCallAnswer {
  readonly schedule: string;
  readonly zone: string;
  readonly receiver: string | undefined;
  readonly by: "override" | "rotation" | undefined;
  /** Unix ms of the next hand-over, undefined when none is in sight; and to whom. */
  readonly until: number | undefined;
  readonly next: string | undefined;
}

/** It cannot be acknowledged: there is none, or it is over. */
export class AckRefused extends Error {
  readonly kind: "unknown" | "over";
  constructor(kind: "unknown" | "over", message: string) {
    super(message);
    this.name = "AckRefused";
    this.kind = kind;
  }
}

export interface EscalationsOptions {
  readonly disk: Disk;
  readonly path: string;
  /** The secret of the links: from the file that is configured, or its own. */
  readonly secret?: (file: string | undefined) => Promise<Uint8Array>;
  /** Where the secret is kept when the configuration names no file. */
  readonly secretPath: string;
  /** Hears of everything that goes into a history. */
  readonly event?: (event: unknown) => void;
}

const KEEP_RESOLVED_MS = 7 * 86_400_000;
const KEEP_RESOLVED = 1000;
const WAITING_STARTS = 10_000;

export function makeEscalations(options: EscalationsOptions): Escalations {
  const records = new Map<string, EscalationRecord>();
  /** Id of the escalation that is not resolved, by group. */
  const active = new Map<string, string>();
  const wakes = new Map<string, Mailbox<void>>();
  const begun = makeMailbox<string>("escalations-begun", { capacity: WAITING_STARTS, overflow: "backpressure" });
  let config: EscalationConfig | undefined;
  let log: EscalationLog | undefined;
  let secret: Uint8Array | undefined;
  let writeFailures = 0;
  const readSecret = options.secret ?? ((file) => ackSecret(file ?? options.secretPath));

  const policyOf = (s: EscalationState): Escalation | undefined => config?.escalations.get(s.escalation);

  const wakeOf = (id: string): Mailbox<void> => {
    const known = wakes.get(id);
    if (known !== undefined) return known;
    const made = makeMailbox<void>(`escalation/${id}`, { capacity: 1, overflow: "dropNewest" });
    wakes.set(id, made);
    return made;
  };

  const keep = (record: EscalationRecord): void => {
    const { id, group, status } = record.state;
    records.set(id, record);
    if (status !== "resolved") active.set(group, id);
    else if (active.get(group) === id) active.delete(group);
  };

  /** Takes a new state; resolves when it is on disk. */
  const change = async (record: EscalationRecord): Promise<void> => {
    const before = records.get(record.state.id)?.state.history ?? [];
    keep(record);
    const { id, groupKey, escalation, status } = record.state;
    for (const { at, what, detail } of record.state.history) {
      if (before.some((h) => h.at === at && h.what === what && h.detail === detail)) continue;
      const time = new Date(at).toISOString();
      options.event?.({ version: 1, type: "escalation", id, groupKey, escalation, status, time, what, detail });
    }
    wakeOf(record.state.id).offer();
    try {
      await log?.write(record);
    } catch (error) {
      writeFailures++;
      throw error;
    }
  };

  const move = async (id: string, event: EscalationEvent): Promise<void> => {
    const record = records.get(id);
    const policy = record === undefined ? undefined : (policyOf(record.state) ?? GONE);
    if (record === undefined || policy === undefined) return;
    const state = transition(policy, record.state, event);
    if (state !== record.state) await change({ ...record, state });
  };

  const targetsOf = (policy: Escalation, now: number) => (step: number) =>
    stepTargets(policy, config?.schedules ?? new Map(), step, now);

  return {
    begun,
    wakeOf,
    open: async () => {
      const restored = await openEscalationLog(options.disk, options.path);
      log = restored.log;
      for (const [id, record] of restored.records) if (!records.has(id)) keep(record);
      return restored.damagedLines;
    },
    close: async () => {
      const old = log;
      log = undefined;
      await old?.close();
    },
    configure: async (next) => {
      config = next;
      secret = undefined;
      if (next.escalations.size > 0) secret = await readSecret(next.links.secretFile);
    },
    flush: async (group, look, now) => {
      const id = active.get(group.identity);
      const known = id === undefined ? undefined : records.get(id);
      if (known === undefined) {
        const policy = config?.escalations.get(group.escalation);
        if (policy === undefined || look.heard.length === 0) return;
        const about = { id: idOf(group.identity, now), group: group.identity, groupKey: group.key };
        const state = trigger(policy, { ...about, groupLabels: group.labels }, look.heard, now);
        const written = change({ state, alerts: look.alerts });
        begun.offer(state.id);
        return await written;
      }
      const policy = policyOf(known.state) ?? GONE;
      const event = { type: "flushed", heard: look.heard, allFiring: look.firing, now } as const;
      const state = transition(policy, known.state, event);
      wakeOf(state.id).offer();
      if (state !== known.state) await change({ state, alerts: look.alerts });
    },
    due: async (id, now, fallback) => {
      const record = records.get(id);
      const policy = record === undefined ? undefined : policyOf(record.state);
      if (policy !== undefined) await move(id, { type: "due", now, targetsOf: targetsOf(policy, now), fallback });
    },
    delivered: (id, key, receiver, ok, now) => move(id, { type: "delivered", key, receiver, ok, now }),
    closeOthers: async (groups, reason, now) => {
      const others = [...active].filter(([group]) => !groups.has(group));
      await Promise.all(others.map(([, id]) => move(id, { type: "close", reason, now })));
    },
    acknowledge: async (id, ack, now) => {
      const record = records.get(id);
      if (record === undefined) throw new AckRefused("unknown", `there is no escalation ${id}`);
      if (record.state.status === "resolved")
        throw new AckRefused("over", `escalation ${id} is over: its alerts are resolved`);
      await move(id, { type: "acknowledge", ...ack, now });
      return records.get(id)?.state ?? record.state;
    },
    linkOf: (id, receiver, now) => {
      if (secret === undefined || config === undefined) return undefined;
      return ackPath(secret, { id, by: receiver, expires: Math.floor((now + config.links.expiresMs) / 1000) });
    },
    linkProblem: (id, by, expires, signature, now) =>
      secret === undefined ? "this server gives no links" : ackLinkProblem(secret, { id, by, expires }, signature, now),
    get: (id) => records.get(id),
    all: () => [...records.values()].sort((a, b) => b.state.startedAt - a.state.startedAt),
    activeOf: (group) => {
      const id = active.get(group);
      return id === undefined ? undefined : records.get(id)?.state;
    },
    unfinished: () => [...records.values()].filter((r) => !isFinished(r.state)).map((r) => r.state.id),
    tidy: (now) => {
      const over = [...records.values()].map((r) => r.state).filter(isFinished);
      over.sort((a, b) => b.resolvedAt - a.resolvedAt);
      for (const [i, s] of over.entries()) {
        if (i < KEEP_RESOLVED && s.resolvedAt > now - KEEP_RESOLVED_MS) continue;
        records.delete(s.id);
        wakes.delete(s.id);
        log?.forget(s.id);
      }
    },
    stats: () => {
      const states = { triggered: 0, acknowledged: 0, exhausted: 0, resolved: 0 };
      for (const { state } of records.values()) states[state.status]++;
      return { states, writeFailures };
    },
    onCall: (t) =>
      [...(config?.schedules.values() ?? [])].map((schedule) => {
        const until = nextHandOver(schedule, t);
        const next = until === undefined ? undefined : onCallAt(schedule, until).receiver;
        return { schedule: schedule.name, zone: schedule.zone, ...onCallAt(schedule, t), until, next };
      }),
  };
}

/** Nothing is left to be done for it. */
export function isFinished(s: EscalationState): boolean {
  return s.status === "resolved" && s.open.length === 0;
}

/** Stands for an escalation that the configuration does not know any more: it can be ended and acknowledged, and pages nobody. */
const GONE: Escalation = {
  name: "",
  steps: [],
  repeat: 0,
  repeatAfterMs: 0,
  ackTimeoutMs: 0,
  repageOnNewAlerts: false,
};

/** The same group at the same time gets the same id. */
function idOf(group: string, now: number): string {
  return createHash("sha256").update(`${group}\u0000${now}`).digest("hex").slice(0, 16);
}
