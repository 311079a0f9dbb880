/** The entry of a shard's thread: wires the shard to its host's messages, the disk and the bus. */
import { isMainThread, parentPort, threadId, workerData } from "node:worker_threads";
import { realDisk } from "../../lib/disk.ts";
import { connectBus } from "../../streams/nats/bus.ts";
import type { Say } from "../../streams/nats/say.ts";
import { makeJobSender } from "./job-relay.ts";
import { carryError, type FromShard, type ShardThreadData, type ToShard } from "./protocol.ts";
import { startShard } from "./shard.actor.ts";
import { setVisible, visibleCell } from "./visible-cell.ts";

if (isMainThread || parentPort === null) throw new Error("shard.worker.ts runs as a worker thread only");
const port = parentPort;
const LINGER_MS = 50;
const data = workerData as ShardThreadData;
const cancelled = new Int32Array(data.cancelled);
const visible = visibleCell(data.visible);

const post = (message: FromShard, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
const say: Say = (level, line) => post({ kind: "log", level, line });

const jobs = makeJobSender(post);

const shard = startShard({
  partition: data.partition,
  partitions: data.partitions,
  dir: data.dir,
  storage: data.storage,
  runJob: jobs.run,
  disk: realDisk,
  // What the shard holds can be asked for whatever the bus says to it.
  connect: (signal) =>
    connectBus(data.busUrl, { name: `tocsin shard ${data.partition} (${threadId})`, say, signal, insist: true }),
  outOfOrderWindowMs: data.outOfOrderWindowMs,
  maxParkedSamples: data.maxParkedSamples,
  lanes: data.lanes,
  say,
  onVisible: (sequence) => setVisible(visible, sequence),
  onPhase: (phase, detail) => post({ kind: "phase", phase, detail }),
});

port.on("message", (message: ToShard) => {
  if (message.kind === "stop") {
    shard.stop();
    // Its jobs are called off; that they have ended is not told to a thread that stops.
    jobs.close();
    return;
  }
  if (message.kind === "jobDone") return jobs.heard(message);
  const { id, slot, request } = message;
  const later = shard.later(request);
  if (later !== undefined) {
    const tell = (value: unknown) => post({ kind: "answer", id, value });
    later.then(tell, (error: unknown) => post({ kind: "failed", id, error: carryError(error) }));
    return;
  }
  const stopped = () => Atomics.load(cancelled, slot) !== 0;
  try {
    if (stopped()) throw new Error("cancelled");
    const { value, transfer } = shard.answer(request, stopped);
    post({ kind: "answer", id, value }, transfer);
  } catch (error) {
    post({ kind: "failed", id, error: carryError(error) });
  }
});

shard.done.then(
  () => {
    port.close();
    // Whatever timer a library has left must not keep the thread.
    setTimeout(() => process.exit(0), LINGER_MS).unref();
  },
  (error: unknown) => {
    // Out of the promise, so that it ends the thread and reaches the host as the reason.
    setImmediate(() => {
      throw error;
    });
  },
);
