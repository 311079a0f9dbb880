import type { SampleBatch } from "../codec/sample-batch.ts";
import { partitionOf } from "../codec/series-hash.ts";
import { appendExemplars } from "./append-exemplars.ts";
import { appendKnown } from "./append-known.ts";
import { appendMetadata, type MetadataCore } from "./append-metadata.ts";
import { type AppendCore, appendRows, type Run } from "./append-rows.ts";
import { canonicalize, type LabelLimits, showSeries } from "./canonical.ts";
import type { Ticket } from "./partition-queue.ts";
import { type Rejections, reject } from "./rejections.ts";
import { insertSeries, lookupAll, lookupRaw, NOT_FOUND, setAmbiguous, speaker } from "./series-cache.ts";
import type { TenantInfo } from "./tenants.ts";

export interface BatchCore extends MetadataCore {
  /** What holds for a tenant's labels. */
  readonly limitsOf: (tenant: string) => LabelLimits;
  readonly partitions: number;
  /** Series hashes that a shard called ambiguous (`ambiguousKey`). */
  readonly ambiguous: Set<string>;
  /** Scratch of the lookups. */
  found: Int32Array;
  misses: number;
  /** How often labels were checked and sorted, which is what takes the time of a request with new series. */
  canonicalized: number;
}

/** Key of a series hash in `BatchCore.ambiguous`. */
export function ambiguousKey(low: number, high: number): string {
  return `${high}:${low}`;
}

export interface RunTimes {
  readonly nowSeconds: number;
  readonly maxTime: number;
  readonly minTime: number;
}

/** How many of each kind were put into frames; `samples` counts histograms as well. */
export interface Appended {
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
}

/**
 * Puts what a batch holds into the open frames of its partitions. `noun` names what `batch.seen`
 * counts ("series" from 0, "line" from 1), for messages.
 */
export function appendBatch(
  core: AppendCore & BatchCore,
  batch: SampleBatch,
  tenant: TenantInfo,
  noun: string,
  times: RunTimes,
  ticket: Ticket,
  rejected: Rejections,
): Appended {
  const { canonical } = core;
  let canonicalOf = -1;
  const run: Run = {
    tenant: tenant.bytes,
    ts: batch.ts,
    words: batch.words,
    histograms: batch.histogramRows > 0 ? batch.histograms.bytes.subarray(0, batch.histograms.length) : undefined,
    startTs: batch.hasStart ? batch.startTs : undefined,
    ticket,
    rejected,
    nowSeconds: times.nowSeconds,
    maxTime: times.maxTime,
    minTime: times.minTime,
    accepted: 0,
    acceptedHistograms: 0,
    define: (s) => {
      if (canonicalOf === s) return canonical.problem === undefined;
      canonicalOf = s;
      core.canonicalized++;
      const start = batch.labelStart[s] as number;
      const limits = core.limitsOf(tenant.name);
      return canonicalize(canonical, tenant.bytes, batch.arena.bytes, start, batch.labelEnd[s] as number, limits);
    },
    describe: (s) => {
      run.define(s);
      return `${noun} ${batch.seen[s]} ${showSeries(canonical)}`;
    },
  };
  for (const { reason, number, message, count } of batch.extras.refused) {
    reject(rejected, reason, count, () => `${noun} ${number}: ${message}`);
  }

  const n = batch.series;
  if (core.found.length < n) core.found = new Int32Array(2 * n);
  const found = core.found;
  lookupAll(core.cache, batch.hashes, n, found);
  const append = (s: number, row: number, end: number) => {
    let entry = found[s] as number;
    if (entry === NOT_FOUND) {
      entry = enter(core, run, batch, s, Math.max(1, end - row));
      found[s] = entry;
    }
    if (entry !== NOT_FOUND && end > row) appendRows(core, run, speaker(core.cache, entry), s, row, end);
  };
  if (
    batch.samples === n &&
    batch.extras.exemplars.series.length === 0 &&
    !batch.hasStart &&
    batch.histogramRows === 0
  ) {
    // Every series has something, so each has one sample.
    appendKnown(core, run, batch, found, (s) => append(s, s, s + 1));
  } else {
    for (let s = 0; s < n; s++)
      append(s, s === 0 ? 0 : (batch.sampleEnd[s - 1] as number), batch.sampleEnd[s] as number);
  }
  const exemplars = appendExemplars(core, run, batch.extras, found);
  appendMetadata(core, run, tenant.name, batch.extras);
  return { samples: run.accepted, histograms: run.acceptedHistograms, exemplars };
}

/** The slow path of a series that is new here: checks its labels and enters it; NOT_FOUND when it is rejected. */
function enter(core: AppendCore & BatchCore, run: Run, batch: SampleBatch, s: number, samples: number): number {
  // It may stand in the request twice.
  const entry = lookupRaw(core.cache, batch.hashes, s);
  if (entry !== NOT_FOUND) return entry;
  core.misses++;
  const { canonical } = core;
  if (!run.define(s)) {
    const { reason, message } = canonical.problem as NonNullable<typeof canonical.problem>;
    reject(run.rejected, reason, samples, () => `${run.describe(s)}: ${message}`);
    return NOT_FOUND;
  }
  return enterCanonical(core, batch.hashes, s);
}

/** Enters the series that `core.canonical` describes under the raw hash at `hashes[3 * s]`. */
export function enterCanonical(core: AppendCore & BatchCore, hashes: Uint32Array, s: number): number {
  const [low, high, check] = core.canonical.hash as unknown as [number, number, number];
  const raw = { a: hashes[3 * s] as number, b: hashes[3 * s + 1] as number, c: hashes[3 * s + 2] as number };
  const entry = insertSeries(core.cache, raw, low, high, check, partitionOf(high, core.partitions));
  if (core.ambiguous.size > 0 && core.ambiguous.has(ambiguousKey(low, high))) setAmbiguous(core.cache, low, high);
  return entry;
}
