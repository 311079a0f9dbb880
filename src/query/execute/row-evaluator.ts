import type { Histogram } from "../../model/histogram.ts";
import { labelValue, METRIC_NAME } from "../../model/labels.ts";
import type { TierUse } from "../../model/query.ts";
import type { SampleBuffer } from "../../model/sample.ts";
import type { Coverage, SeriesSource } from "../../model/series-source.ts";
import { applyScalar, isComparison } from "../functions/binary-op.ts";
import { applyElementwise } from "../functions/elementwise.ts";
import type { RangeCall, RowMap, ShardPlan } from "../plan/shard-plan.ts";
import { cover, type Need, needOf, type Segment, windowSpan } from "../plan/tier.ts";
import { mapHistograms } from "./histogram-map.ts";
import { evaluateHistogramRange } from "./histogram-range.ts";
import { noteIgnored } from "./histogram-range-notes.ts";
import { selectSmoothedHistograms } from "./histogram-range-select.ts";
import { holdsHistogram } from "./histogram-range-series.ts";
import { seekTimes } from "./histogram-stats.ts";
import { selectNewestStats } from "./histogram-stats-select.ts";
import { selectNewest, selectSmoothed } from "./instant.ts";
import type { Notebook } from "./notebook.ts";
import { evaluateSlice, type PreparedRange, prepareRange, rangeKeepsName, sliceEnd } from "./range-function.ts";
import { canNote, noteRange, type RangeNotes } from "./range-notes.ts";
import { evaluateRollup } from "./rollup-range.ts";
import { joinUses, makeSeriesReader, type SeriesReader } from "./series-reader.ts";
import { columnsFor, lacksHistograms } from "./tier-rows.ts";
import {
  dropStale,
  keepRange,
  locateWindows,
  makeWindows,
  roundWindows,
  type Windows,
  windowBounds,
} from "./windows.ts";

/** Work of a slice of a row: enough to have the clock looked at. */
const ONE_SLICE = 1_000_000;

function never(): void {}

/** A plan's way from a series to its row. One evaluator serves all series of a plan, one after the other. */
export interface RowEvaluator {
  readonly steps: number;
  /** Times of what is to be read, inclusive. */
  readonly bounds: { readonly minT: number; readonly maxT: number };
  readonly dropsName: boolean;
  /** Reads a series, which is evaluated next; returns how many samples and buckets it has. */
  load(source: SeriesSource, id: number): number;
  /**
   * Fills the row's cells (which must be absent before), native histograms into `pool`; false when it has no sample at any step.
   */
  evaluate(values: Float64Array, present: Uint8Array, base: number, pool: Histogram[]): boolean;
  /** The samples loaded, as those of a range selector: those of the first window, staleness markers taken out. */
  rangeSamples(): SampleBuffer;
  /** What is to be said of the series evaluated so far: of the range function's results, whatever became of them after. */
  readonly notes: RangeNotes;
  /** What has been read so far, by tier. */
  use(): TierUse[];
  /** Samples and buckets in the windows so far, by step; undefined where the plan does not ask. */
  readonly windowSamples: Float64Array | undefined;
}

/**
 * @param coverages what the source has besides raw samples, of the series that it gives each number; none: nothing
 * @param check called between the slices of long rows, with the work done; it may throw
 */
export function makeRowEvaluator(
  plan: ShardPlan,
  coverages: readonly Coverage[],
  check: (work: number) => void = never,
): RowEvaluator {
  const { grid, select, range } = plan;
  const { steps } = grid;
  const smoothed = range === undefined ? select.smoothed === true : range.smoothed === true;
  const before = range !== undefined && (range.anchored === true || smoothed) ? select.lookback : 0;
  const after = smoothed ? select.lookback : 0;
  const width = range?.range ?? select.lookback;
  const need = needOf(plan);
  const mask = need === "whole" ? columnsFor((range as RangeCall).func) : undefined;
  const prepared = range === undefined ? undefined : prepareRange(range, steps);
  const maps = plan.maps.map((m) => prepareMap(m, steps));
  const views = plan.raw === true ? "never" : prepared === undefined && !smoothed ? "any" : "withoutNan";
  const seesStale = prepared === undefined && !smoothed && plan.raw !== true;
  const notes: RangeNotes = new Map();
  const makeWay = (segments: readonly Segment[], as: Need, columns: number | undefined, samples?: Segment[]): Way => {
    const windows = makeWindows(grid, width, select.offset, select.at, before, after);
    roundWindows(windows, segments);
    const way = makeSeriesReader(segments, as, columns, true, views);
    return { reader: way, w: windows, bounds: boundsOf(windows, segments), samples, instead: undefined };
  };
  const ways = new Map<string, Way>();
  const wayOf = (coverage: Coverage | undefined): Way => {
    const segments = segmentsOf(plan, need, width, coverage, before, after);
    const lacks = mask !== undefined && lacksHistograms((range as RangeCall).func);
    const samples = lacks ? segmentsOf(plan, "samples", width, coverage, before, after) : undefined;
    const key = JSON.stringify([segments, samples]);
    const way = ways.get(key) ?? makeWay(segments, need, mask, samples);
    ways.set(key, way);
    return way;
  };
  const [first, ...others] = coverages;
  const usual = wayOf(first);
  const numbered = [usual, ...others.map(wayOf)];
  /** Those of the series loaded last. */
  let { reader, w } = usual;
  let metric = () => "";
  const book: Notebook = {
    say: (severity, text, map) => {
      notes.set(`${severity} ${map ?? ""} ${text}`, {
        kind: "said",
        severity,
        text,
        ...(map === undefined ? {} : { map }),
      });
    },
    metric: () => metric(),
  };
  const load = (source: SeriesSource, id: number): number => {
    metric = () => labelValue(source.labels(id), METRIC_NAME);
    const way = ways.size > 1 ? (numbered[source.rollups?.coverageOf?.(id) ?? 0] as Way) : usual;
    ({ reader, w } = way);
    const read = reader.load(source, id);
    if (!reader.buckets || way.samples === undefined || reader.rows.histogramEnds.length === 0) return read;
    way.instead ??= makeWay(way.samples, "samples", undefined);
    ({ reader, w } = way.instead);
    for (const { tier, rounded } of way.samples) {
      if (rounded && tier !== "raw") notes.set(`points ${tier}`, { kind: "points", tier });
    }
    return read + reader.load(source, id);
  };
  const mayNote = prepared !== undefined && canNote(prepared.call.func);
  const produced = new Uint8Array(mayNote ? steps : 0);
  const windowSamples = plan.countWindows === true ? new Float64Array(steps) : undefined;
  const countWindows = (counts: Float64Array): void => {
    const { lo, hi } = w;
    for (let s = 0; s < steps; s++) {
      const n = (hi[s] as number) - (lo[s] as number);
      counts[s] = (counts[s] as number) + (prepared === undefined ? Math.min(1, n) : n);
    }
  };

  /** The range function or selector over what has been loaded. */
  const fill = (values: Float64Array, present: Uint8Array, base: number, pool: Histogram[]): void => {
    const series = reader.samples;
    if (reader.buckets) {
      const { rows } = reader;
      locateWindows(w, rows.end, rows.buffer.length);
      w.of = undefined;
      evaluateRollup(range as RangeCall, rows, w, values, present, base);
      if ((range as RangeCall).func !== "count_over_time") noteIgnored(rows.histogramEnds, w, present, base, book);
      return;
    }
    const stats = select.statsOnly === true && holdsHistogram(series);
    const seeks = stats && prepared !== undefined ? seekTimes(series, w) : undefined;
    if (reader.view === undefined) {
      if (!seesStale) dropStale(series);
      locateWindows(w, series.ts, series.length);
      w.of = undefined;
    } else if (w.of !== series.ts) {
      // Most series have their samples at the same times as the one before.
      locateWindows(w, series.ts, series.length);
      w.of = series.ts;
    }
    if (prepared !== undefined && holdsHistogram(series)) {
      evaluateHistogramRange(prepared, series, w, pool, values, present, base, book, check, seeks);
    } else if (prepared !== undefined) {
      for (let from = 0; from < steps; ) {
        const to = sliceEnd(prepared, series, w, from);
        evaluateSlice(prepared, series, w, from, to, values, present, base);
        if (to < steps) check(ONE_SLICE);
        from = to;
      }
    } else if (smoothed && holdsHistogram(series)) {
      // It is read in one go.
      selectSmoothedHistograms(series, w, pool, values, present, base, book, stats ? [] : undefined);
    } else if (smoothed) selectSmoothed(series, w, values, present, base);
    else if (stats && select.output === "value") selectNewestStats(series, w, pool, values, present, base);
    else selectNewest(series, w, select.output, pool, values, present, base);
  };

  return {
    steps,
    bounds: {
      minT: Math.min(...numbered.map((way) => way.bounds.minT)),
      maxT: Math.max(...numbered.map((way) => way.bounds.maxT)),
    },
    dropsName:
      (range !== undefined && !rangeKeepsName(range.func)) ||
      select.output !== "value" ||
      maps.some((m) => m.dropsName),
    load,
    evaluate(values, present, base, pool) {
      const before = pool.length;
      fill(values, present, base, pool);
      if (windowSamples !== undefined) countWindows(windowSamples);
      if (mayNote) {
        produced.set(present.subarray(base, base + steps));
        const series = reader.buckets || holdsHistogram(reader.samples) ? undefined : reader.samples;
        noteRange(notes, prepared as PreparedRange, series, w, produced, 0, metric());
      }
      for (let m = 0; m < maps.length; m++) {
        const { map, params, apply } = maps[m] as PreparedMap;
        if (pool.length > before) mapHistograms(map, m, params, pool, values, present, base, steps, book);
        apply(values, present, base);
      }
      for (let i = base; i < base + steps; i++) if (present[i] !== 0) return true;
      return false;
    },
    rangeSamples() {
      const series = reader.samples;
      if (plan.staleMarkers !== true) dropStale(series);
      // Points that stand for buckets may come from before the window.
      locateWindows(w, series.ts, series.length);
      keepRange(series, w.lo[0] as number, w.hi[0] as number);
      if (windowSamples !== undefined) windowSamples[0] = (windowSamples[0] as number) + series.length;
      return series;
    },
    notes,
    use: () =>
      joinUses(
        [...ways.values()].flatMap(({ reader, instead }) => [...reader.use(), ...(instead?.reader.use() ?? [])]),
      ),
    windowSamples,
  };
}

/** How series of one coverage are read. */
interface Way {
  readonly reader: SeriesReader;
  readonly w: Windows;
  readonly bounds: { readonly minT: number; readonly maxT: number };
  /** What samples are read from where buckets do not do, for a series that has native histograms; undefined: they do. */
  readonly samples: readonly Segment[] | undefined;
  instead: Way | undefined;
}

/** What the plan reads. */
export function segmentsOf(
  plan: ShardPlan,
  need: Need,
  range: number,
  coverage: Coverage | undefined,
  before: number,
  after: number,
): Segment[] {
  const { grid, select } = plan;
  if (grid.steps === 0) return [];
  const span = windowSpan(grid, range, select.offset, select.at);
  const segments = cover(need, span, coverage ?? { rawAfter: Number.NEGATIVE_INFINITY, tiers: [] }, before, after);
  const [first] = segments;
  if (select.statsOnly !== true || first?.tier !== "raw") return segments;
  // Whether a counter was reset before its first histogram, the one before that tells.
  return segments.with(0, { ...first, after: first.after - select.lookback });
}

function boundsOf(w: Windows, segments: readonly Segment[]): { minT: number; maxT: number } {
  const { minT, maxT } = windowBounds(w);
  const first = segments[0]?.after ?? minT;
  return { minT: Math.min(minT, first + 1), maxT: Math.max(maxT, segments.at(-1)?.until ?? maxT) };
}

interface PreparedMap {
  readonly dropsName: boolean;
  readonly map: RowMap;
  /** One value a step. */
  readonly params: readonly Float64Array[];
  apply(values: Float64Array, present: Uint8Array, base: number): void;
}

function prepareMap(map: RowMap, steps: number): PreparedMap {
  const perStep = (p: number | Float64Array): Float64Array =>
    typeof p === "number" ? new Float64Array(steps).fill(p) : p;
  if (map.kind === "function") {
    const params = map.params.map(perStep);
    const { func } = map;
    return {
      dropsName: true,
      map,
      params,
      apply: (values, present, base) => applyElementwise(func, params, values, present, base, steps),
    };
  }
  const { op, scalarOnLeft, returnBool } = map;
  const scalar = perStep(map.scalar);
  return {
    dropsName: !isComparison(op) || returnBool,
    map,
    params: [scalar],
    apply: (values, present, base) => applyScalar(op, scalar, scalarOnLeft, returnBool, values, present, base, steps),
  };
}
