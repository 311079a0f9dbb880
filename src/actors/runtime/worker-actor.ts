/**
 * An actor in a worker thread, with the same shape as any other child: it fails when the worker ends, and closing its scope
 * stops the worker.
 *
 * A message that was posted to a worker that then died is lost; what must not be lost is acknowledged by the worker, or
 * replayed from the bus.
 */
import { type Transferable, Worker, type WorkerOptions } from "node:worker_threads";
import * as Data from "effect/Data";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import type { Mailbox } from "./mailbox.ts";

/** The worker thread ended though nobody stopped it. */
export class WorkerDown extends Data.TaggedError("WorkerDown")<{
  readonly worker: string;
  readonly code: number;
  readonly reason: string;
}> {
  override get message(): string {
    return `worker ${this.worker} ended with code ${this.code}${this.reason === "" ? "" : `: ${this.reason}`}`;
  }
}

export interface WorkerActorOptions<M> {
  readonly name: string;
  /** The thread's entry, a `.ts` file: `new URL("./shard.worker.ts", import.meta.url)`. */
  readonly url: URL;
  /** Outlives the incarnations; its messages are posted in order, each in the call that sends it. */
  readonly mailbox: Mailbox<M>;
  /** What the thread posts. Must not throw. */
  readonly onMessage: (message: unknown) => void;
  readonly workerData?: unknown;
  readonly resourceLimits?: WorkerOptions["resourceLimits"];
  /** Buffers of a message that move to the thread instead of being copied. */
  readonly transfer?: (message: M) => readonly Transferable[];
  /** Asks the thread to end by itself at a stop; it is terminated when it has not done so in time. */
  readonly stop?: { readonly message: M; readonly graceMs: number };
  /** Called with the worker after its start, e.g. to measure it. */
  readonly onStart?: (worker: Worker) => void;
}

/** The `run` of a ChildSpec. Never returns; fails with `WorkerDown`. */
export const workerActor = Effect.fnUntraced(function* <M>(options: WorkerActorOptions<M>) {
  const down = yield* Deferred.make<never, WorkerDown>();
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const w = new Worker(options.url, {
        name: options.name,
        workerData: options.workerData,
        ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
      });
      let reason = "";
      w.on("error", (e) => {
        reason = e instanceof Error ? (e.stack ?? String(e)) : String(e);
      });
      w.on("message", options.onMessage);
      w.on("exit", (code) => {
        Deferred.doneUnsafe(down, Effect.fail(new WorkerDown({ worker: options.name, code, reason })));
      });
      options.onStart?.(w);
      return w;
    }),
    (w) => Effect.promise(() => stopWorker(w, options.stop)),
  );
  // The thread has a queue of its own: a message is posted in its sender's call.
  const post = (message: M) => {
    try {
      worker.postMessage(message, options.transfer?.(message) as Transferable[] | undefined);
    } catch (error) {
      // It cannot be carried: the message kills, as any that its actor cannot handle.
      Deferred.doneUnsafe(down, Effect.die(error));
    }
  };
  yield* Effect.acquireRelease(
    Effect.sync(() => options.mailbox.handTo(post)),
    (release) => Effect.sync(release),
  );
  return yield* Deferred.await(down);
});

async function stopWorker(worker: Worker, stop: WorkerActorOptions<unknown>["stop"]): Promise<void> {
  // threadId is -1 once the thread has ended.
  if (stop !== undefined && worker.threadId !== -1) {
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    worker.postMessage(stop.message);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, stop.graceMs);
    });
    await Promise.race([ended, late]);
    clearTimeout(timer);
  }
  await worker.terminate();
}
