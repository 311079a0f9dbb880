/**
 * The main side of a shard: a supervised worker thread, and the client through which the rest of the process asks it.
 *
 * Invariants:
 * - the client outlives the incarnations of the worker; a request to a shard that is down, or that dies before it answers,
 *   rejects with `ShardDown`, never hangs;
 * - at most `maxInFlight` requests wait (policy: fail, `ShardBusy`), so a stuck shard cannot fill the memory of its callers;
 * - a cancelled request rejects at once, and keeps its slot until the worker has let go of it.
 */
import type { Worker } from "node:worker_threads";
import * as Cause from "effect/Cause";
import * as Data from "effect/Data";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { ShardClient, ShardRequest, ShardResponses } from "../../model/shard.ts";
import type { OnDeath } from "../runtime/death.ts";
import { type MailboxStats, makeMailbox } from "../runtime/mailbox.ts";
import { type ChildSpec, KEEP_TRYING, oneForOne } from "../runtime/supervisor.ts";
import { workerActor } from "../runtime/worker-actor.ts";
import { makeJobDesk, type RunJob } from "./job-relay.ts";
import type { LaneBounds } from "./lanes.ts";
import { type FromShard, type ShardPhase, type ShardThreadData, type ToShard, uncarryError } from "./protocol.ts";
import { KEEP_ALL, type StorageSettings } from "./storage-settings.ts";
import { makeVisibleCell, type VisibleCell } from "./visible-cell.ts";

/** The shard is not there: between two incarnations, reading its WAL, or it died before it answered. */
export class ShardDown extends Data.TaggedError("ShardDown")<{ readonly partition: number; readonly why: string }> {
  override get message(): string {
    return `shard ${this.partition} is down: ${this.why}`;
  }
}

/** Too many requests wait for this shard. */
export class ShardBusy extends Data.TaggedError("ShardBusy")<{ readonly partition: number; readonly waiting: number }> {
  override get message(): string {
    return `shard ${this.partition} is busy: ${this.waiting} requests wait`;
  }
}

export interface ShardHostOptions {
  readonly partition: number;
  /** Partitions of the cluster. With it a frame is refused whose series belong to another one or are not what their hashes say. */
  readonly partitions?: number;
  /** The shard's folder; made when absent. */
  readonly dir: string;
  /** Default: all is kept, and nothing is cut or checkpointed. */
  readonly storage?: StorageSettings;
  /** Carries out jobs on blocks; without it there are none. */
  readonly runJob?: RunJob;
  readonly busUrl: string;
  readonly outOfOrderWindowMs: number;
  /** Samples that may wait for their series' labels; default 2,000,000 (about 60 MB). */
  readonly maxParkedSamples?: number;
  /** When the newest messages are read before older ones; default 16 MiB (and 10 s while it runs) behind. */
  readonly lanes?: LaneBounds;
  /** Default 256. */
  readonly maxInFlight?: number;
  /** Where the shard says how far it can be queried; without it nobody asks. */
  readonly visible?: VisibleCell | undefined;
  /** The shard's log lines. */
  readonly say: (level: "debug" | "info" | "warn" | "error", line: string) => void;
  /** Hears of each thread that is started. */
  readonly onThread?: (thread: Worker) => void;
  /** How long a clean stop may take before the thread is terminated; default 30 s: a snapshot of the head is written. */
  readonly stopMs?: number;
}

export interface ShardStatus {
  readonly partition: number;
  readonly phase: ShardPhase;
  readonly detail: string;
  /** Incarnations started so far. */
  readonly starts: number;
}

export interface ShardHost {
  readonly client: ShardClient;
  /** The shard as a child of a supervisor. */
  readonly child: ChildSpec;
  status(): ShardStatus;
  /** Hears of every change of the phase; returns what stops that. */
  onStatus(listener: (status: ShardStatus) => void): () => void;
  /** The mailbox in front of the thread. */
  mailbox(): MailboxStats;
}

interface Pending {
  readonly slot: number;
  settle: ((outcome: { value: unknown } | { error: Error }) => void) | undefined;
}

const CANCELLED = 1;
/** Room in the mailbox besides requests. */
const JOB_MESSAGES = 8;

/** Makes the host of one shard; nothing runs until its child is started. */
export function makeShardHost(options: ShardHostOptions): ShardHost {
  const { partition } = options;
  const maxInFlight = options.maxInFlight ?? 256;
  const mailbox = makeMailbox<ToShard>(`shard/${partition}`, {
    capacity: maxInFlight + JOB_MESSAGES,
    overflow: "fail",
  });
  const cancelled = new SharedArrayBuffer(4 * maxInFlight);
  const flags = new Int32Array(cancelled);
  const visible = options.visible ?? makeVisibleCell();
  const freeSlots = Array.from({ length: maxInFlight }, (_, i) => i);
  const pending = new Map<number, Pending>();
  const listeners = new Set<(status: ShardStatus) => void>();
  let nextId = 0;
  let status: ShardStatus = { partition, phase: "down", detail: "not started", starts: 0 };

  const setStatus = (change: Partial<ShardStatus>) => {
    status = { ...status, ...change };
    for (const listener of [...listeners]) listener(status);
  };

  const finish = (id: number, outcome: { value: unknown } | { error: Error }) => {
    const p = pending.get(id);
    if (p === undefined) return;
    pending.delete(id);
    freeSlots.push(p.slot);
    p.settle?.(outcome);
  };

  const jobs = makeJobDesk(options.runJob, (message) => mailbox.offer(message));

  const failAll = (why: string) => {
    jobs.clear();
    mailbox.clear();
    for (const id of [...pending.keys()]) finish(id, { error: new ShardDown({ partition, why }) });
  };

  const onMessage = (raw: unknown) => {
    const message = raw as FromShard;
    switch (message.kind) {
      case "answer":
        return finish(message.id, { value: message.value });
      case "failed":
        return finish(message.id, { error: uncarryError(message.error) });
      case "phase":
        return setStatus({ phase: message.phase, detail: message.detail });
      case "job":
        return jobs.take(message.id, message.job);
      case "cancelJob":
        return jobs.cancel(message.id);
      case "log":
        return options.say(message.level, `shard ${partition}: ${message.line}`);
    }
  };

  const request = <K extends ShardRequest["kind"]>(
    what: Extract<ShardRequest, { kind: K }>,
    signal?: AbortSignal,
  ): Promise<ShardResponses[K]> => {
    if (signal?.aborted) return Promise.reject(reasonOf(signal));
    const { phase, detail } = status;
    if (phase === "down" || phase === "replaying") return Promise.reject(new ShardDown({ partition, why: detail }));
    const slot = freeSlots.pop();
    if (slot === undefined) return Promise.reject(new ShardBusy({ partition, waiting: pending.size }));
    Atomics.store(flags, slot, 0);
    const id = nextId++;
    return new Promise((resolve, reject) => {
      const entry: Pending = { slot, settle: undefined };
      const abort = () => {
        Atomics.store(flags, slot, CANCELLED);
        entry.settle?.({ error: reasonOf(signal as AbortSignal) });
      };
      entry.settle = (outcome) => {
        entry.settle = undefined;
        signal?.removeEventListener("abort", abort);
        if ("error" in outcome) reject(outcome.error);
        else resolve(outcome.value as ShardResponses[K]);
      };
      signal?.addEventListener("abort", abort, { once: true });
      pending.set(id, entry);
      mailbox.offer({ kind: "request", id, slot, request: what });
    });
  };

  const run = Effect.gen(function* () {
    yield* Effect.acquireRelease(
      Effect.sync(() => setStatus({ phase: "replaying", detail: "starting", starts: status.starts + 1 })),
      // Runs after the thread has ended.
      (_, exit) =>
        Effect.sync(() => {
          const stopped = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause);
          const why = stopped ? "stopped" : "it died and is being restarted";
          setStatus({ phase: "down", detail: why });
          failAll(why);
        }),
    );
    const threadData: ShardThreadData = {
      partition,
      partitions: options.partitions,
      dir: options.dir,
      storage: options.storage ?? KEEP_ALL,
      busUrl: options.busUrl,
      outOfOrderWindowMs: options.outOfOrderWindowMs,
      maxParkedSamples: options.maxParkedSamples ?? 2_000_000,
      lanes: options.lanes,
      cancelled,
      visible: visible.buffer,
    };
    return yield* workerActor<ToShard>({
      name: `shard-${partition}`,
      url: new URL("./shard.worker.ts", import.meta.url),
      mailbox,
      workerData: threadData,
      stop: { message: { kind: "stop" }, graceMs: options.stopMs ?? 30_000 },
      onMessage,
      ...(options.onThread === undefined ? {} : { onStart: options.onThread }),
    });
  });

  return {
    client: { partition, request },
    child: { id: `shard-${partition}`, restart: "permanent", run },
    status: () => status,
    onStatus: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    mailbox: () => mailbox.stats(),
  };
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}

export interface Shards {
  /** In the order of the partitions. */
  readonly clients: readonly ShardClient[];
  readonly hosts: readonly ShardHost[];
  /**
   * All shards as one child of the tree. A shard that keeps dying (say, of a disk error) is started again at a bounded rate
   * for as long as the process lives, because its siblings, the API and the alerts are of use without it.
   */
  readonly child: ChildSpec;
  /** Ready when every shard has read its WAL and what its stream held when it connected. */
  ready(): { readonly ready: boolean; readonly reason: string };
}

/** Makes the hosts of several shards. */
export function makeShards(each: readonly ShardHostOptions[], onDeath: OnDeath): Shards {
  const hosts = each.map(makeShardHost);
  return {
    clients: hosts.map((h) => h.client),
    hosts,
    child: {
      id: "shards",
      restart: "permanent",
      run: oneForOne(
        "shards",
        hosts.map((h) => h.child),
        KEEP_TRYING,
        onDeath,
      ),
    },
    ready: () => {
      const late = hosts.map((h) => h.status()).filter((s) => s.phase !== "ready");
      if (late.length === 0) return { ready: true, reason: "" };
      return { ready: false, reason: late.map((s) => `shard ${s.partition}: ${s.detail}`).join("; ") };
    },
  };
}
