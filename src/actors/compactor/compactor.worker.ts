/** The entry of the compactor's thread: one job after the other, at a lower priority than all else. */
import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { realDisk } from "../../lib/disk.ts";
import { BlockError } from "../../storage/block/block-error.ts";
import { runJob } from "../../storage/engine/run-job.ts";
import type { CompactorThreadData, FromCompactor, ToCompactor } from "./protocol.ts";

if (isMainThread || parentPort === null) throw new Error("compactor.worker.ts runs as a worker thread only");
const port = parentPort;
const cancelled = new Int32Array((workerData as CompactorThreadData).cancelled);
const post = (message: FromCompactor) => port.postMessage(message);

/** Linux gives each thread a priority of its own; elsewhere the compactor competes as an equal. */
const NICE = 10;
try {
  setPriority(Number(readlinkSync("/proc/thread-self").split("/").at(-1)), NICE);
} catch {
  // No such place, or no permission: nothing depends on it.
}

port.on("message", async (message: ToCompactor) => {
  if (message.kind === "stop") return port.close();
  const { id, job } = message;
  try {
    post({ kind: "done", id, result: await runJob(realDisk, job, () => Atomics.load(cancelled, 0) === id) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    post({ kind: "failed", id, message, ...(error instanceof BlockError ? { block: error.block } : {}) });
  }
});
