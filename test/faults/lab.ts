/** A shard's storage without bus and threads: frames go in, jobs run when the test says so, everything that is stored comes out. */
import { type Keeper, openKeeper } from "../../src/actors/shard/keeper.ts";
import { applyFrame, makeShardCore, type ShardCore } from "../../src/actors/shard/shard.core.ts";
import { KEEP_ALL, type StorageSettings } from "../../src/actors/shard/storage-settings.ts";
import type { Disk } from "../../src/lib/disk.ts";
import { labelsKey } from "../../src/model/labels.ts";
import type { RangeResult } from "../../src/model/query.ts";
import { DEFAULT_TENANT, makeSampleBuffer } from "../../src/model/sample.ts";
import type { ShardClient, ShardRequest, ShardResponses } from "../../src/model/shard.ts";
import { makeEngine } from "../../src/query/engine.ts";
import { runShardQuery } from "../../src/query/execute/run-shard-query.ts";
import { BlockError } from "../../src/storage/block/block-error.ts";
import { JobFailed, type JobResult, type StorageJob } from "../../src/storage/engine/jobs.ts";
import { runJob } from "../../src/storage/engine/run-job.ts";
import { answerFrom } from "../../src/storage/engine/shard-storage.ts";
import { createHead } from "../../src/storage/head/head.ts";
import type { RecordKind } from "../../src/storage/wal/format.ts";
import { walAppend, walClose, walSync } from "../../src/storage/wal/wal.ts";
import { FrameError } from "../../src/streams/codec/frame-layout.ts";

export const DIR = "/shard";
export const HOUR = 3600_000;
export const MINUTE = 60_000;
/** Midnight, UTC. */
export const T0 = 1_700_006_400_000;

export interface LabOptions {
  readonly disk: Disk;
  readonly now: () => number;
  readonly settings?: Partial<StorageSettings>;
  readonly outOfOrderWindowMs?: number;
  /** In the place of `runJob`. */
  readonly job?: (job: StorageJob, signal: AbortSignal) => Promise<JobResult>;
  readonly dir?: string;
}

/** What is stored: by series (labelsKey) the values by time. */
export type Contents = Map<string, Map<number, number>>;

export interface Lab {
  readonly keeper: Keeper;
  readonly core: ShardCore;
  readonly lines: string[];
  take(sequence: number, frame: Uint8Array, kind?: RecordKind): void;
  sync(): Promise<void>;
  /** Does what there is to do on blocks; resolves to how many jobs that were. */
  jobs(most?: number): Promise<number>;
  contents(minT?: number, maxT?: number): Contents;
  /** Warnings of an answer about these times, after everything was read. */
  warnings(minT?: number, maxT?: number): string[];
  ask(query: string, start: number, end: number, step: number): Promise<RangeResult>;
  close(): Promise<void>;
}

export async function openLab(options: LabOptions): Promise<Lab> {
  const { disk } = options;
  const head = createHead({ outOfOrderWindowMs: options.outOfOrderWindowMs ?? 1e12 });
  const core = makeShardCore(head, 10_000);
  const lines: string[] = [];
  const apply = (frame: Uint8Array, kind: RecordKind) => {
    try {
      applyFrame(core, frame, kind === "backlog" ? "backlog" : "live");
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
    }
  };
  const run = options.job ?? ((job: StorageJob, signal: AbortSignal) => runHere(disk, job, signal));
  const keeper = await openKeeper({
    disk,
    dir: options.dir ?? DIR,
    core,
    settings: { ...KEEP_ALL, ...options.settings },
    runJob: run,
    replay: (_, frame, kind) => apply(frame, kind),
    say: (level, line) => void lines.push(`${level} ${line}`),
    now: options.now,
  });
  const { storage, maintenance, wal } = keeper;
  const buffer = makeSampleBuffer(256);
  const read = (minT: number, maxT: number): Contents => {
    const { source } = storage;
    const found: Contents = new Map();
    for (const id of source.select(DEFAULT_TENANT, [], minT, maxT)) {
      source.read(id, minT, maxT, buffer);
      if (buffer.length === 0) continue;
      const key = labelsKey(source.labels(id));
      if (found.has(key)) throw new Error(`series ${key} is there twice`);
      const samples = new Map<number, number>();
      for (let i = 0; i < buffer.length; i++) {
        const t = buffer.ts[i] as number;
        if (i > 0 && t <= (buffer.ts[i - 1] as number)) throw new Error(`${key}: time ${t} after ${buffer.ts[i - 1]}`);
        samples.set(t, buffer.values[i] as number);
      }
      found.set(key, samples);
    }
    return found;
  };
  return {
    keeper,
    core,
    lines,
    take: (sequence, frame, kind = "frame") => {
      walAppend(wal, sequence, frame, kind);
      apply(frame, kind);
    },
    sync: () => walSync(wal),
    jobs: async (most = 1000) => {
      let done = 0;
      while (done < most && (await maintenance.lookAtBlocks())) done++;
      return done;
    },
    contents: (minT = Number.NEGATIVE_INFINITY, maxT = Number.POSITIVE_INFINITY) =>
      answerFrom(storage, () => read(minT, maxT)),
    warnings: (minT = Number.NEGATIVE_INFINITY, maxT = Number.POSITIVE_INFINITY) =>
      answerFrom(storage, () => {
        read(minT, maxT);
        return [...(storage.source.problems?.(minT, maxT) ?? [])];
      }),
    ask: async (query, start, end, step) => {
      const shard: ShardClient = {
        partition: 0,
        request: async <K extends ShardRequest["kind"]>(request: Extract<ShardRequest, { kind: K }>) => {
          const asked = structuredClone(request) as ShardRequest;
          if (asked.kind !== "query") throw new Error(`not a query: ${asked.kind}`);
          const { result } = answerFrom(storage, () => runShardQuery(storage.source, asked.plan));
          return structuredClone(result) as ShardResponses[K];
        },
      };
      return makeEngine({ shards: [shard] }).range({ tenant: DEFAULT_TENANT, query, start, end, step, stats: "total" });
    },
    close: async () => {
      await keeper.close();
      await walClose(wal);
    },
  };
}

/** As the compactor's thread does it. */
export async function runHere(disk: Disk, job: StorageJob, signal: AbortSignal): Promise<JobResult> {
  try {
    return await runJob(disk, structuredClone(job), () => signal.aborted);
  } catch (error) {
    if (error instanceof BlockError) throw new JobFailed(error.message, error.block);
    throw error;
  }
}
