/**
 * A load whose outcome can be checked to the last sample: SERIES series in partition 0, every frame with one sample of each
 * at a time of its own and a value that names both, so that a lost, doubled or misplaced sample shows.
 */
import { expect } from "vitest";
import { applyFrame, makeShardCore } from "../../../src/actors/shard/shard.core.ts";
import { realDisk } from "../../../src/lib/disk.ts";
import { labelValue } from "../../../src/model/labels.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import type { ShardClient } from "../../../src/model/shard.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { createHead } from "../../../src/storage/head/head.ts";
import { openWal } from "../../../src/storage/wal/open.ts";
import { walClose } from "../../../src/storage/wal/wal.ts";
import type { JetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { frameOf, type Row, testSeries } from "./frames.ts";

export const SERIES = 40;
const STEP_MS = 1_000;
export const T0 = 1_700_000_000_000;
const IN_FLIGHT = 16;

export const loadSeries = Array.from({ length: SERIES }, (_, s) =>
  testSeries(["__name__", "load", "series", String(s)]),
);

/** Frame number `n`; the first frames bring the labels, so that later ones show that the shard remembers them. */
export function loadFrame(n: number, withLabels: boolean): Uint8Array {
  const rows = loadSeries.map((s, i): Row => [s, T0 + n * STEP_MS, n * SERIES + i]);
  return frameOf(withLabels ? loadSeries : [], rows);
}

export interface Load {
  /** Frames that were acknowledged, by number. */
  readonly acked: Set<number>;
  /** Resolves when so many frames in all have been acknowledged. */
  reached(count: number): Promise<void>;
  readonly done: Promise<void>;
}

/** Publishes `frames` frames, some at a time; a frame that is refused is sent again. */
export function startLoad(publisher: JetStreamPublisher, frames: number): Load {
  const acked = new Set<number>();
  const waiting: { count: number; resolve: () => void }[] = [];
  let next = 0;
  const sender = async () => {
    while (next < frames) {
      const n = next++;
      const frame = loadFrame(n, !acked.has(0) || n % 50 === 0);
      await publisher.publish(0, frame, `load-${n}`);
      acked.add(n);
      for (const w of waiting) if (acked.size >= w.count) w.resolve();
    }
  };
  return {
    acked,
    reached: (count) =>
      acked.size >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    done: Promise.all(Array.from({ length: IN_FLIGHT }, sender)).then(() => {}),
  };
}

/** Asks the shard for every sample: each of the load's series must have exactly one a frame, with its value. */
export async function expectAllInHead(
  client: ShardClient,
  frames: number,
  warnings: readonly unknown[] = [],
): Promise<void> {
  const engine = makeEngine({ shards: [client] });
  const rangeSeconds = (frames * STEP_MS) / 1_000 + 10;
  const result = await engine.instant({
    tenant: DEFAULT_TENANT,
    query: `load[${rangeSeconds}s]`,
    time: T0 + (frames + 1) * STEP_MS,
  });
  expect(result.warnings).toEqual(warnings);
  expect(result.partial).toBe(warnings.length > 0);
  if (result.type !== "matrix") throw new Error(`a ${result.type}`);
  expect(result.labels).toHaveLength(SERIES);
  result.labels.forEach((labels, r) => {
    const s = Number(labelValue(labels, "series"));
    const ts = result.ts[r]!;
    const values = result.values[r]!;
    expect(ts.length).toBe(frames);
    for (let n = 0; n < frames; n++) {
      if (ts[n] !== T0 + n * STEP_MS || values[n] !== n * SERIES + s) {
        throw new Error(`series ${s}, frame ${n}: ${ts[n]} ${values[n]}`);
      }
    }
  });
}

/** Reads the WAL into an empty head: each frame must be in it once, so that nothing was a duplicate. */
export async function expectOnceInWal(walDir: string, frames: number): Promise<void> {
  // The newest may be there before the frames that bring the labels.
  const core = makeShardCore(createHead({ outOfOrderWindowMs: 3_600_000 }), frames * SERIES);
  const { wal, replayed, skipped } = await openWal(walDir, realDisk, { replay: (_, frame) => applyFrame(core, frame) });
  await walClose(wal);
  expect({ replayed, skipped }).toEqual({ replayed: frames, skipped: 0 });
  expect(core.counts).toMatchObject({
    appended: frames * SERIES,
    duplicates: 0,
    overwritten: 0,
    tooOld: 0,
    badFrames: 0,
    parkedOverflow: 0,
  });
  expect(core.parked.length).toBe(0);
}

/** The same numbers for the same seed. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
