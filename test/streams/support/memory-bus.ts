import { TryLater } from "../../../src/model/ingest.ts";
import type { Labels } from "../../../src/model/labels.ts";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import type { FramePublisher, Stored } from "../../../src/streams/ingest/partition-queue.ts";

interface Waiting {
  readonly partition: number;
  readonly frame: Uint8Array;
  readonly msgId: string;
  resolve(where: Stored): void;
  reject(error: Error): void;
}

/**
 * A bus in memory. Its fault model: a frame is stored or lost, and independently of that acknowledged or not, at a moment of
 * the test's choosing; frames in flight settle in any order; a frame with a known id is not stored twice.
 */
export interface MemoryBus {
  readonly publisher: FramePublisher;
  readonly waiting: Waiting[];
  readonly stored: { readonly partition: number; readonly frame: Uint8Array; readonly msgId: string }[];
  /** Settles the n-th waiting frame. */
  settle(n: number, fate: { stored: boolean; acknowledged: boolean }): void;
  /** From now on every frame is stored and acknowledged as it comes. */
  open(): void;
}

export function makeMemoryBus(): MemoryBus {
  const waiting: Waiting[] = [];
  const stored: { partition: number; frame: Uint8Array; msgId: string }[] = [];
  const ids = new Set<string>();
  let isOpen = false;
  const store = (w: { partition: number; frame: Uint8Array; msgId: string }) => {
    if (ids.has(w.msgId)) return;
    ids.add(w.msgId);
    stored.push({ partition: w.partition, frame: w.frame.slice(), msgId: w.msgId });
  };
  const where = (partition: number): Stored => ({
    sequence: stored.filter((s) => s.partition === partition).length,
    stream: "0a0b0c0d",
  });
  const bus: MemoryBus = {
    waiting,
    stored,
    publisher: {
      publish: (partition, frame, msgId) => {
        if (isOpen) {
          store({ partition, frame, msgId });
          return Promise.resolve(where(partition));
        }
        return new Promise((resolve, reject) => waiting.push({ partition, frame, msgId, resolve, reject }));
      },
    },
    settle: (n, fate) => {
      const [w] = waiting.splice(n, 1) as [Waiting];
      if (fate.stored) store(w);
      if (fate.acknowledged) w.resolve(where(w.partition));
      else w.reject(new TryLater("bus_unavailable", 503, 5, "no acknowledgement"));
    },
    open: () => {
      isOpen = true;
      while (waiting.length > 0) bus.settle(0, { stored: true, acknowledged: true });
    },
  };
  return bus;
}

export interface StoredSample {
  readonly partition: number;
  readonly tenant: string;
  readonly labels: Labels;
  readonly ts: number;
  readonly bits: readonly [number, number];
}

/**
 * What a shard makes of frames, written plainly: series are known by the definitions so far; rows of unknown hashes are
 * handed to `onUnknown` (and dropped).
 */
export function replay(
  frames: MemoryBus["stored"],
  onUnknown: (partition: number, low: number, high: number) => void = () => {
    throw new Error("a sample came before its labels");
  },
): StoredSample[] {
  const known = new Map<string, { tenant: string; labels: Labels }>();
  const samples: StoredSample[] = [];
  for (const { partition, frame } of frames) {
    const { definitions, columns, bound } = decodeFrame(frame);
    for (const d of definitions)
      known.set(`${partition} ${d.hashHi} ${d.hashLo}`, { tenant: d.tenant, labels: d.labels });
    const words = new Uint32Array(columns.values.buffer);
    const boundTo = new Map(Array.from(bound.rows, (row, i) => [row, definitions[bound.definition[i]!]!]));
    for (let i = 0; i < columns.length; i++) {
      const low = columns.hashLo[i]!;
      const high = columns.hashHi[i]!;
      const series = boundTo.get(i) ?? known.get(`${partition} ${high} ${low}`);
      if (series === undefined) onUnknown(partition, low, high);
      else {
        const { tenant, labels } = series;
        samples.push({ partition, tenant, labels, ts: columns.ts[i]!, bits: [words[2 * i]!, words[2 * i + 1]!] });
      }
    }
  }
  return samples;
}
