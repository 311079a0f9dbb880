import type { Histogram } from "../../model/histogram.ts";
import { histogramBytes, makeHistogramBytes } from "../../model/histogram-code.ts";
import type { Ingest, SeriesRef } from "../../model/ingest.ts";
import { TryLater } from "../../model/ingest.ts";
import { type Labels, labelsKey } from "../../model/labels.ts";
import { writeHistogramRef, writeStale } from "../../model/sample.ts";
import { storeHistogram } from "../../streams/codec/wire-histogram-stored.ts";

/** A sample's value; undefined: a staleness marker. */
type Queued = number | Histogram | undefined;

/**
 * Samples that rules make, on their way into the pipeline: recorded series, ALERTS and ALERTS_FOR_STATE. A series that an
 * evaluation no longer makes gets a staleness marker.
 *
 * Invariants:
 * - Alerting does not wait for these: samples queue here (at most `maxQueued`, the oldest are dropped and counted) while
 *   the bus is down, and are sent in order when it is back.
 * - One request is in flight at a time, so a series' samples arrive in time order.
 */
export interface RuleOutput {
  readonly ingest: Pick<Ingest, "series" | "append">;
  readonly tenant: string;
  readonly maxQueued: number;
  refs: SeriesRef[];
  ts: number[];
  values: Queued[];
  flushing: Promise<void> | undefined;
  dropped: number;
  /** Why the last request did not go through, "" when it did. */
  lastError: string;
}

/** The series that a rule made in its last evaluation, by label set. */
export type MadeSeries = Map<string, SeriesRef>;

export function makeRuleOutput(ingest: RuleOutput["ingest"], tenant: string, maxQueued = 200_000): RuleOutput {
  const empty = { refs: [], ts: [], values: [] };
  return { ingest, tenant, maxQueued, ...empty, flushing: undefined, dropped: 0, lastError: "" };
}

/** Queues one sample of an evaluation, no `unstorable` histogram; `made` collects the evaluation's series, `before` has those of the one before. */
export function emit(
  out: RuleOutput,
  labels: Labels,
  time: number,
  value: number | Histogram,
  before: MadeSeries,
  made: MadeSeries,
): void {
  const key = labelsKey(labels);
  const ref = before.get(key) ?? out.ingest.series(out.tenant, labels);
  made.set(key, ref);
  push(out, ref, time, value);
}

/** Queues a staleness marker for each series of `before` that is not in `made`. */
export function emitStale(out: RuleOutput, time: number, before: MadeSeries, made: MadeSeries): void {
  for (const [key, ref] of before) if (!made.has(key)) push(out, ref, time, undefined);
}

/** Queues one sample of a series; undefined: its staleness marker. */
export function push(out: RuleOutput, ref: SeriesRef, time: number, value: Queued): void {
  out.refs.push(ref);
  out.ts.push(time);
  out.values.push(value);
}

/** Sends what is queued. Resolves when all of it is durable, or when a request failed (the samples stay queued); never rejects. */
export function flush(out: RuleOutput): Promise<void> {
  trim(out);
  out.flushing ??= drain(out).finally(() => {
    out.flushing = undefined;
  });
  return out.flushing;
}

async function drain(out: RuleOutput): Promise<void> {
  while (out.refs.length > 0) {
    const batch = { refs: out.refs, ts: out.ts, values: out.values };
    out.refs = [];
    out.ts = [];
    out.values = [];
    const { values, histograms } = columnOf(batch.values);
    try {
      const result = await out.ingest.append(batch.refs, Float64Array.from(batch.ts), values, histograms);
      out.lastError = result.rejected.map((r) => `${r.count} ${r.reason}: ${r.message}`).join("; ");
    } catch (error) {
      out.lastError = error instanceof Error ? error.message : String(error);
      if (!(error instanceof TryLater)) {
        out.dropped += batch.refs.length;
        continue;
      }
      // Back to the front, in order; what is over the bound goes, the oldest first.
      out.refs = batch.refs.concat(out.refs);
      out.ts = batch.ts.concat(out.ts);
      out.values = batch.values.concat(out.values);
      trim(out);
      return;
    }
  }
}

/** The values as `Ingest.append` takes them; `histograms` is empty where there are none. */
function columnOf(queued: readonly Queued[]): { values: Float64Array; histograms: Uint8Array } {
  const values = new Float64Array(queued.length);
  const words = new Uint32Array(values.buffer);
  const bytes = makeHistogramBytes();
  for (const [i, value] of queued.entries()) {
    if (value === undefined) writeStale(words, i);
    else if (typeof value === "number") values[i] = value;
    else writeHistogramRef(words, i, storeHistogram(value, bytes));
  }
  return { values, histograms: histogramBytes(bytes) };
}

function trim(out: RuleOutput): void {
  const over = out.refs.length - out.maxQueued;
  if (over <= 0) return;
  out.dropped += over;
  out.refs.splice(0, over);
  out.ts.splice(0, over);
  out.values.splice(0, over);
}
