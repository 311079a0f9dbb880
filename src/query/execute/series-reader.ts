import { appendSamples } from "../../model/copy-samples.ts";
import { copyHistogram, makeHistogramBytes } from "../../model/histogram-code.ts";
import type { TierUse } from "../../model/query.ts";
import {
  columnMask,
  HISTOGRAM_ROLLUPS,
  makeRollupBuffer,
  type RollupBuffer,
  type RollupHistograms,
  TIER_MS,
} from "../../model/rollup.ts";
import {
  makeSampleBuffer,
  makeSampleView,
  reserveSamples,
  type SampleBuffer,
  type SampleView,
  writeHistogramRef,
  writeStale,
} from "../../model/sample.ts";
import type { SeriesSource } from "../../model/series-source.ts";
import type { Need, Segment } from "../plan/tier.ts";
import { appendSampleRows, makeTierRows, noteHistograms, settleRows, type TierRows } from "./tier-rows.ts";
import { dropStale } from "./windows.ts";

/**
 * Reads series as a plan's segments say: into `samples` (raw ones, and points that stand for buckets) or, for functions that work
 * on buckets, into `rows`. The memory is reused from series to series.
 */
export interface SeriesReader {
  readonly samples: SampleBuffer;
  /** `samples` is what the source keeps in memory: nobody may change it, and the same `ts` has the same times. */
  readonly view: SampleView | undefined;
  readonly rows: TierRows;
  /** True: `rows` are read; false: `samples`. */
  readonly buckets: boolean;
  /** Reads a series; returns how many samples and rows there were. */
  load(source: SeriesSource, id: number): number;
  /** What has been read so far, one entry a tier. */
  use(): TierUse[];
}

/** Filled by sources alone, which keep their optional columns as they need them. */
const raw = makeSampleBuffer(4096);
const mixed = makeSampleBuffer(1024);
const kept = makeSampleView();
const tierRows = makeTierRows();
const points = makeRollupBuffer(256);

/**
 * @param mask columns of the buckets that are needed; undefined: the function works on samples
 * @param histograms native histograms are samples for it, too
 * @param views whether it may be given a view of what the source keeps: such that have NaNs (staleness markers) or not
 */
export function makeSeriesReader(
  segments: readonly Segment[],
  need: Need,
  mask: number | undefined,
  histograms: boolean,
  views: "never" | "withoutNan" | "any" = "never",
): SeriesReader {
  const uses = segments.map((s) => ({ ...s, rows: 0 }));
  const buckets = mask !== undefined && segments.some((s) => s.tier !== "raw");
  const only = segments.length === 1 && segments[0]?.tier === "raw" ? segments[0] : undefined;
  let view: SampleView | undefined;
  const loadView = (source: SeriesSource, id: number, { after, until }: Segment): boolean => {
    if (views === "never" || source.view?.(id, after + 1, until, kept) !== true) return false;
    if (views === "any" || !kept.hasNan) view = kept;
    else copyView(kept, raw);
    return true;
  };
  const load = (source: SeriesSource, id: number): number => {
    view = undefined;
    if (only !== undefined) {
      if (loadView(source, id, only)) {
        (uses[0] as { rows: number }).rows += kept.length;
        return kept.length;
      }
      raw.length = 0;
      source.read(id, only.after + 1, only.until, raw);
      (uses[0] as { rows: number }).rows += raw.length;
      return raw.length;
    }
    return buckets
      ? loadRows(source, id, segments, mask, uses)
      : loadPoints(source, id, segments, need, histograms, uses);
  };
  return {
    get samples() {
      return view ?? (only === undefined ? mixed : raw);
    },
    get view() {
      return view;
    },
    rows: tierRows,
    buckets,
    load,
    use: () => joinUses(uses),
  };
}

function copyView({ ts, words, length }: SampleView, out: SampleBuffer): void {
  out.length = 0;
  reserveSamples(out, length);
  out.ts.set(ts);
  out.words.set(words);
  out.startTs?.fill(0, 0, length);
  if (out.histograms !== undefined) out.histograms.length = 0;
  out.length = length;
}

type Counting = { rows: number }[];

function loadRows(
  source: SeriesSource,
  id: number,
  segments: readonly Segment[],
  mask: number,
  uses: Counting,
): number {
  const { buffer, histogramEnds } = tierRows;
  buffer.length = 0;
  histogramEnds.length = 0;
  for (let i = 0; i < segments.length; i++) {
    const { after, until, tier } = segments[i] as Segment;
    const from = buffer.length;
    if (tier === "raw") {
      raw.length = 0;
      source.read(id, after + 1, until, raw);
      noteHistograms(raw, tierRows);
      dropStale(raw, (mask & HISTOGRAM_ROLLUPS) === 0);
      appendSampleRows(raw, tierRows, mask);
    } else {
      source.rollups?.read(id, tier, after, until, mask | HISTOGRAM_ROLLUPS, buffer);
      settleRows(tierRows, from, TIER_MS[tier], mask);
    }
    (uses[i] as { rows: number }).rows += buffer.length - from;
  }
  return buffer.length;
}

const NEWEST = columnMask(["count", "last", "lastT", "stale"]);
const OLDEST = columnMask(["count", "first", "firstT", "stale"]);
const SAMPLES = columnMask(["count", "last", "lastT", "lastStart", "stale"]);
const MASKS: Readonly<Record<Need, number>> = { whole: 0, newest: NEWEST, oldest: OLDEST, samples: SAMPLES };

function loadPoints(
  source: SeriesSource,
  id: number,
  segments: readonly Segment[],
  need: Need,
  histograms: boolean,
  uses: Counting,
): number {
  mixed.length = 0;
  delete mixed.startTs;
  delete mixed.histograms;
  const mask = MASKS[need] | (histograms ? HISTOGRAM_ROLLUPS : 0);
  for (let i = 0; i < segments.length; i++) {
    const { after, until, tier } = segments[i] as Segment;
    const from = mixed.length;
    if (tier === "raw") {
      raw.length = 0;
      source.read(id, after + 1, until, raw);
      appendSamples(raw, mixed);
    } else {
      points.length = 0;
      delete points.histograms;
      source.rollups?.read(id, tier, after, until, mask, points);
      if (!histograms) delete points.histograms;
      appendPoints(points, TIER_MS[tier], need, mixed);
    }
    (uses[i] as { rows: number }).rows += mixed.length - from;
  }
  return mixed.length;
}

/**
 * Each bucket's newest (or oldest) float and native histogram in the order of their times, and a staleness marker at its end where
 * it ends the series.
 */
function appendPoints(from: RollupBuffer, width: number, need: Need, out: SampleBuffer): void {
  const { columns, start, length, histograms } = from;
  const { count, stale, lastStart } = columns;
  const oldest = need === "oldest";
  const t = oldest ? columns.firstT : columns.lastT;
  const v = oldest ? columns.first : columns.last;
  reserveSamples(out, out.length + 3 * length);
  for (let i = 0; i < length; i++) {
    const has = histograms !== undefined && histograms.numbers.count[i] !== 0;
    const histogramT = has ? (histograms.numbers[oldest ? "firstT" : "lastT"][i] as number) : 0;
    const floatFirst = !has || histogramT > (t[i] as number);
    const histogramBegan = has && need === "samples" ? (histograms.numbers.lastStart[i] as number) : 0;
    if (has && !floatFirst) appendHistogram(histograms, i, histogramT, histogramBegan, oldest, out);
    if (count[i] !== 0) {
      const began = need === "samples" ? (lastStart[i] as number) : 0;
      out.values[out.length] = v[i] as number;
      appendTime(out, t[i] as number, began);
    }
    if (has && floatFirst) appendHistogram(histograms, i, histogramT, histogramBegan, oldest, out);
    if (stale[i] === 1) {
      writeStale(out.words, out.length);
      appendTime(out, (start[i] as number) + width, 0);
    }
  }
}

/** Ends the sample whose value has just been written. */
function appendTime(out: SampleBuffer, t: number, start: number): void {
  if (start !== 0) out.startTs ??= new Float64Array(out.ts.length);
  if (out.startTs !== undefined) out.startTs[out.length] = start;
  out.ts[out.length++] = t;
}

function appendHistogram(
  from: RollupHistograms,
  i: number,
  t: number,
  began: number,
  oldest: boolean,
  out: SampleBuffer,
): void {
  out.histograms ??= makeHistogramBytes();
  const ref = from.refs[oldest ? "first" : "last"][i] as number;
  writeHistogramRef(out.words, out.length, copyHistogram(from.bytes.bytes, ref, out.histograms));
  appendTime(out, t, began);
}

/** One entry a tier that had anything: from the beginning of its first segment to the end of its last. */
export function joinUses(uses: readonly TierUse[]): TierUse[] {
  const byTier = new Map<string, TierUse>();
  for (const { tier, after, until, rows, rounded } of uses) {
    if (rows === 0) continue;
    const u = byTier.get(tier);
    byTier.set(tier, {
      tier,
      after: Math.min(after, u?.after ?? after),
      until: Math.max(until, u?.until ?? until),
      rows: rows + (u?.rows ?? 0),
      rounded: rounded || u?.rounded === true,
    });
  }
  return [...byTier.values()];
}
