/** A shard in this thread, over a head alone: what it answers goes through structured clone, as to and from a thread. */
import { answerRequest } from "../../../src/actors/shard/answer.ts";
import { changesSince, noteChange } from "../../../src/actors/shard/changes.ts";
import { applyFrame, makeShardCore } from "../../../src/actors/shard/shard.core.ts";
import type { Matcher } from "../../../src/model/matcher.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import type { ShardClient, ShardRequest } from "../../../src/model/shard.ts";
import { deleteSamples } from "../../../src/storage/head/delete.ts";
import { createHead } from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { frameOf, type Row, type TestSeries } from "../../actors/shard/frames.ts";

export interface CoreShard {
  readonly client: ShardClient;
  /** Requests by kind. */
  readonly asked: Map<string, number>;
  /** Series that were read. */
  reads: number;
  /** What ages have taken, as the shard tells it. */
  agedUpTo: number;
  /** Called before each request is answered. */
  onRequest: (request: ShardRequest) => void;
  write(rows: readonly Row[]): void;
  delete(matchers: readonly Matcher[], minT: number, maxT: number): void;
  /** Begins another life with the same samples. */
  restart(): void;
}

export function coreShard(partition: number, outOfOrderWindowMs = 3_600_000): CoreShard {
  const frames: Uint8Array[] = [];
  let core = makeShardCore(createHead({ outOfOrderWindowMs }), 1_000);
  const asked = new Map<string, number>();
  const shard: CoreShard = {
    asked,
    reads: 0,
    agedUpTo: Number.NEGATIVE_INFINITY,
    onRequest: () => undefined,
    client: {
      partition,
      request: async (request) => {
        shard.onRequest(request);
        asked.set(request.kind, (asked.get(request.kind) ?? 0) + 1);
        const head = headSource(core.head);
        const source: typeof head = {
          ...head,
          read: (...args) => {
            shard.reads++;
            head.read(...args);
          },
        };
        const from = {
          source,
          head: core.head,
          metadata: core.metadata,
          stats: () => {
            throw new Error("not asked");
          },
          changes: (since: Parameters<typeof changesSince>[1]) => ({
            ...changesSince(core.changes, since),
            agedUpTo: shard.agedUpTo,
          }),
        };
        return structuredClone(answerRequest(from, structuredClone(request), () => false).value) as never;
      },
    },
    write: (rows) => {
      const defined = new Map<string, TestSeries>(rows.map(([s]) => [s.labels.join(), s]));
      const frame = frameOf([...defined.values()], rows);
      frames.push(frame);
      applyFrame(core, frame);
    },
    delete: (matchers, minT, maxT) => {
      deleteSamples(core.head, DEFAULT_TENANT, matchers, minT, maxT);
      noteChange(core.changes, Number.NEGATIVE_INFINITY);
    },
    restart: () => {
      core = makeShardCore(createHead({ outOfOrderWindowMs }), 1_000);
      for (const frame of frames) applyFrame(core, frame);
    },
  };
  return shard;
}
