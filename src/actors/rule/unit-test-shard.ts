import { encodeHistogram, histogramBytes, makeHistogramBytes } from "../../model/histogram-code.ts";
import type { Ingest, SeriesRef } from "../../model/ingest.ts";
import type { Labels } from "../../model/labels.ts";
import { DEFAULT_TENANT, writeHistogramRef, writeStale } from "../../model/sample.ts";
import type { ShardClient, ShardRequest, ShardResponses } from "../../model/shard.ts";
import { runShardQuery } from "../../query/execute/run-shard-query.ts";
import type { Point } from "../../query/notation/series-notation.ts";
import { appendColumns } from "../../storage/head/append.ts";
import { createHead, defineSeries } from "../../storage/head/head.ts";
import { headSource } from "../../storage/head/head-source.ts";

/** A shard in memory for one unit test: a head as the server has it, without a bus, a log or a thread. */
export interface UnitTestShard {
  readonly client: ShardClient;
  /** Where rules write. Takes samples at once. */
  readonly ingest: Pick<Ingest, "series" | "append">;
}

/** Of an input series: when (Unix ms, ascending) and what; points of kind "none" take no place in the storage. */
export interface InputSeries {
  readonly labels: Labels;
  readonly points: readonly Point[];
}

export function makeUnitTestShard(): UnitTestShard {
  const head = createHead({ outOfOrderWindowMs: 0 });
  const source = headSource(head);
  const known = new Map<string, SeriesRef>();
  const series = (tenant: string, labels: Labels): SeriesRef => {
    const key = JSON.stringify(labels);
    const found = known.get(key);
    if (found !== undefined) return found;
    // Nobody else hands out hashes here, so a number is as good as one.
    const ref = { tenant, labels, hashLo: Math.imul(known.size + 1, 0x9e3779b1) >>> 0, hashHi: known.size };
    defineSeries(head, ref.hashLo, ref.hashHi, tenant, labels);
    known.set(key, ref);
    return ref;
  };
  const append: Ingest["append"] = async (refs, ts, values, histograms) => {
    const length = refs.length;
    const columns = {
      length,
      hashLo: Uint32Array.from(refs, (r) => r.hashLo),
      hashHi: Uint32Array.from(refs, (r) => r.hashHi),
      ts,
      values,
      histograms: histograms === undefined || histograms.length === 0 ? undefined : histograms,
    };
    const { tooOld, invalidTime, accepted } = appendColumns(head, columns, new Uint32Array(length));
    const count = tooOld + invalidTime;
    const message = "a sample is older than the newest one of its series";
    return { accepted, rejected: count === 0 ? [] : [{ reason: "out_of_order", count, message }] };
  };
  const client: ShardClient = {
    partition: 0,
    async request<K extends ShardRequest["kind"]>(
      request: Extract<ShardRequest, { kind: K }>,
      signal?: AbortSignal,
    ): Promise<ShardResponses[K]> {
      signal?.throwIfAborted();
      const asked = request as ShardRequest;
      if (asked.kind !== "query") throw new Error(`a unit test's shard answers queries only, not ${asked.kind}`);
      return runShardQuery(source, asked.plan).result as ShardResponses[K];
    },
  };
  return { client, ingest: { series, append } };
}

/** Hands the input series to a shard bit by bit, as virtual time goes on. */
export interface InputFeed {
  /** Stores what is at or before `time` and was not stored yet. */
  until(time: number): Promise<void>;
}

/**
 * @param start Unix ms of the first point
 * @param intervalMs from point to point
 */
export function makeInputFeed(
  ingest: UnitTestShard["ingest"],
  inputs: readonly InputSeries[],
  start: number,
  intervalMs: number,
): InputFeed {
  const refs = inputs.map((s) => ingest.series(DEFAULT_TENANT, s.labels));
  const longest = inputs.reduce((n, s) => Math.max(n, s.points.length), 0);
  let next = 0;
  return {
    until: async (time) => {
      for (; next < longest && start + next * intervalMs <= time; next++) {
        const at = inputs.flatMap(({ points }, i) => {
          const point = points[next];
          return point === undefined || point.kind === "none" ? [] : [{ ref: refs[i] as SeriesRef, point }];
        });
        if (at.length === 0) continue;
        const values = new Float64Array(at.length);
        const words = new Uint32Array(values.buffer);
        const histograms = makeHistogramBytes();
        for (const [k, { point }] of at.entries()) {
          if (point.kind === "float") values[k] = point.value;
          else if (point.kind === "stale") writeStale(words, k);
          else if (point.kind === "histogram") {
            writeHistogramRef(words, k, encodeHistogram(point.histogram, histograms));
          }
        }
        const ts = new Float64Array(at.length).fill(start + next * intervalMs);
        const of = at.map(({ ref }) => ref);
        await ingest.append(of, ts, values, histogramBytes(histograms));
      }
    },
  };
}
