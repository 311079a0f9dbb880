import { setTimeout as sleep } from "node:timers/promises";
import { TryLater } from "../../model/ingest.ts";
import type { FramePublisher } from "../ingest/partition-queue.ts";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

/**
 * Publishes each frame until it is stored, under the same id, while the bus is away or its stream is full; gives up after
 * `giveUpMs` or when the signal is aborted. A frame that is stored a second time, because it took longer than the stream
 * remembers ids, changes nothing: its samples are there already.
 */
export function persistentPublisher(publisher: FramePublisher, giveUpMs: number, signal: AbortSignal): FramePublisher {
  return {
    publish: async (partition, frame, msgId) => {
      const deadline = performance.now() + giveUpMs;
      for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)) {
        try {
          return await publisher.publish(partition, frame, msgId);
        } catch (error) {
          if (!(error instanceof TryLater) || signal.aborted || performance.now() + retryMs > deadline) throw error;
        }
        // Woken by the abort, the next try is the last.
        await sleep(retryMs, undefined, { signal }).catch(() => {});
      }
    },
  };
}
