/**
 * The compactor: one thread that merges and rolls up the blocks of all shards, so that neither queries nor ingest wait for it.
 *
 * Invariants:
 * - one job at a time, in the order of asking; what waits is bounded by the shards, which have one job each under way;
 * - a job that is called off, or whose thread dies, rejects; its half-written blocks are temporary folders that their shard
 *   removes;
 * - it owns nothing: its death costs the job at hand;
 * - its thread is there from the first job on: a start does not wait for it, and hours pass before a new server has one.
 */
import * as Effect from "effect/Effect";
import { JobCancelled, JobFailed, type JobResult, type StorageJob } from "../../storage/engine/jobs.ts";
import { type MailboxStats, makeMailbox } from "../runtime/mailbox.ts";
import type { ChildSpec } from "../runtime/supervisor.ts";
import { workerActor } from "../runtime/worker-actor.ts";
import type { CompactorThreadData, FromCompactor, ToCompactor } from "./protocol.ts";

export interface Compactor {
  readonly child: ChildSpec;
  /** Resolves when the blocks of the job are durable. Rejects with JobCancelled or JobFailed. */
  run(job: StorageJob, signal: AbortSignal): Promise<JobResult>;
  mailbox(): MailboxStats;
}

interface Waiting {
  readonly id: number;
  readonly job: StorageJob;
  readonly settle: (outcome: { result: JobResult } | { error: Error }) => void;
}

export function makeCompactor(): Compactor {
  const mailbox = makeMailbox<ToCompactor>("compactor", { capacity: 4, overflow: "fail" });
  const cancelled = new SharedArrayBuffer(4);
  const flag = new Int32Array(cancelled);
  const queue: Waiting[] = [];
  let atWork: Waiting | undefined;
  let alive = false;
  let nextId = 1;
  let wake = () => {};

  const startNext = () => {
    if (!alive || atWork !== undefined) return;
    atWork = queue.shift();
    if (atWork !== undefined) mailbox.offer({ kind: "job", id: atWork.id, job: atWork.job });
  };
  const finish = (id: number, outcome: { result: JobResult } | { error: Error }) => {
    if (atWork?.id !== id) return;
    const { settle } = atWork;
    atWork = undefined;
    settle(outcome);
    startNext();
  };
  const onMessage = (raw: unknown) => {
    const message = raw as FromCompactor;
    if (message.kind === "done") return finish(message.id, { result: message.result });
    const wasCancelled = Atomics.load(flag, 0) === message.id;
    finish(message.id, { error: wasCancelled ? new JobCancelled() : new JobFailed(message.message, message.block) });
  };

  const someJob = Effect.promise(
    () =>
      new Promise<void>((resolve) => {
        if (queue.length > 0) resolve();
        else wake = resolve;
      }),
  );
  const run = Effect.gen(function* () {
    yield* someJob;
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        alive = true;
        startNext();
      }),
      () =>
        Effect.sync(() => {
          alive = false;
          mailbox.clear();
          if (atWork !== undefined) finish(atWork.id, { error: new JobFailed("the compactor died at it", undefined) });
        }),
    );
    const workerData: CompactorThreadData = { cancelled };
    return yield* workerActor<ToCompactor>({
      name: "compactor",
      url: new URL("./compactor.worker.ts", import.meta.url),
      mailbox,
      workerData,
      stop: { message: { kind: "stop" }, graceMs: 0 },
      onMessage,
    });
  });

  return {
    child: { id: "compactor", restart: "permanent", run },
    run: (job, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(new JobCancelled());
        const id = nextId++;
        const abort = () => {
          if (atWork?.id === id) return void Atomics.store(flag, 0, id);
          const at = queue.findIndex((w) => w.id === id);
          if (at >= 0) queue.splice(at, 1)[0]?.settle({ error: new JobCancelled() });
        };
        signal.addEventListener("abort", abort, { once: true });
        queue.push({
          id,
          job,
          settle: (outcome) => {
            signal.removeEventListener("abort", abort);
            if ("error" in outcome) reject(outcome.error);
            else resolve(outcome.result);
          },
        });
        startNext();
        wake();
      }),
    mailbox: () => mailbox.stats(),
  };
}
