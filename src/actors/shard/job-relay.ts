/** Jobs on blocks travel from a shard's thread to the compactor by way of the main thread: both ends of that way. */
import { JobCancelled, JobFailed, type JobResult, type StorageJob } from "../../storage/engine/jobs.ts";
import type { FromShard, JobOutcome, ToShard } from "./protocol.ts";

export type RunJob = (job: StorageJob, signal: AbortSignal) => Promise<JobResult>;

/** The shard's end: gives jobs away and hears what became of them. */
export function makeJobSender(post: (message: FromShard) => void): {
  readonly run: RunJob;
  heard(message: Extract<ToShard, { kind: "jobDone" }>): void;
  /** The thread is told nothing more: who waits for a job is told that it was called off. */
  close(): void;
} {
  const waiting = new Map<number, (outcome: JobOutcome) => void>();
  let nextId = 0;
  let closed = false;
  return {
    run: (job, signal) =>
      new Promise((resolve, reject) => {
        // The keeper is stopped behind its shard: it may ask for one more, whose end nobody would tell.
        if (closed || signal.aborted) return reject(new JobCancelled());
        const id = nextId++;
        const cancel = () => post({ kind: "cancelJob", id });
        signal.addEventListener("abort", cancel, { once: true });
        waiting.set(id, (outcome) => {
          signal.removeEventListener("abort", cancel);
          if ("result" in outcome) resolve(outcome.result);
          else if ("cancelled" in outcome) reject(new JobCancelled());
          else reject(new JobFailed(outcome.message, outcome.block));
        });
        post({ kind: "job", id, job });
      }),
    heard: ({ id, outcome }) => {
      const settle = waiting.get(id);
      waiting.delete(id);
      settle?.(outcome);
    },
    close: () => {
      closed = true;
      for (const settle of [...waiting.values()]) settle({ cancelled: true });
      waiting.clear();
    },
  };
}

/** The host's end: has jobs of one incarnation carried out. */
export function makeJobDesk(run: RunJob | undefined, tell: (message: ToShard) => void) {
  const atWork = new Map<number, AbortController>();
  return {
    take: (id: number, job: StorageJob): void => {
      const control = new AbortController();
      atWork.set(id, control);
      const done = (outcome: JobOutcome) => {
        // Nobody waits for the job of a thread that has died.
        if (atWork.delete(id)) tell({ kind: "jobDone", id, outcome });
      };
      if (run === undefined) {
        done({ message: "there is no compactor", block: undefined });
        return;
      }
      run(job, control.signal).then(
        (result) => done({ result }),
        (error: unknown) => {
          if (error instanceof JobCancelled) return done({ cancelled: true });
          const block = error instanceof JobFailed ? error.block : undefined;
          done({ message: error instanceof Error ? error.message : String(error), block });
        },
      );
    },
    cancel: (id: number): void => atWork.get(id)?.abort(),
    /** The thread has ended. */
    clear: (): void => {
      const controls = [...atWork.values()];
      atWork.clear();
      for (const control of controls) control.abort();
    },
  };
}
