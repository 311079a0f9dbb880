/** A shard's answer to a plan that asks what it would read: series are found, chunks are counted by their headers, none is read. */
import { watched } from "../lib/work-at-hand.ts";
import { QueryError, type TierUse } from "../model/query.ts";
import type { Coverage, SeriesSource, Touched } from "../model/series-source.ts";
import { segmentsOf } from "./execute/row-evaluator.ts";
import { joinUses } from "./execute/series-reader.ts";
import type { ShardEstimate, ShardFailure, ShardPlan } from "./plan/shard-plan.ts";
import { needOf, type Segment, windowSpan } from "./plan/tier.ts";

/** Throws what is a fault of the shard; what is one of the plan, or of its time, comes back as a failure. */
export function estimatePlan(
  source: SeriesSource,
  plan: ShardPlan,
  stopped: () => boolean,
): ShardEstimate | ShardFailure {
  if (plan.version !== 1) {
    const message = `query plan version ${plan.version} is not known to this shard`;
    return { kind: "failure", type: "internal", message };
  }
  const deadline = performance.now() + plan.limits.timeoutMs;
  const check = (): void => {
    if (stopped()) throw new QueryError("canceled", "query was canceled in query execution");
    if (performance.now() > deadline) throw new QueryError("timeout", "query timed out in query execution");
  };
  try {
    return watched(check, () => estimate(source, plan, check));
  } catch (error) {
    if (error instanceof QueryError) return { kind: "failure", type: error.type, message: error.message };
    throw error;
  }
}

function estimate(source: SeriesSource, plan: ShardPlan, check: () => void): ShardEstimate {
  const { rollups } = source;
  const coverages: readonly (Coverage | undefined)[] =
    rollups === undefined ? [undefined] : (rollups.coverages?.() ?? [rollups.coverage()]);
  const { ways, minT, maxT } = readsOf(plan, coverages);
  const ids = source.select(plan.tenant, plan.select.matchers, minT, maxT);
  check();
  const uses: TierUse[] = [];
  let bytes = 0;
  for (const [i, own] of byCoverage(source, ids, ways.length).entries()) {
    if (own.length === 0) continue;
    for (const segment of ways[i] as readonly Segment[]) {
      const touched = touchedIn(source, own, segment, check);
      uses.push({ ...segment, rows: touched.rows });
      bytes += touched.bytes;
    }
  }
  return { kind: "estimate", series: ids.length, bytes, tiers: joinUses(uses) };
}

/** What is read of series of each coverage, and of which times series are looked for. */
function readsOf(plan: ShardPlan, coverages: readonly (Coverage | undefined)[]) {
  const { grid, select, range } = plan;
  const smoothed = range === undefined ? select.smoothed === true : range.smoothed === true;
  const before = range !== undefined && (range.anchored === true || smoothed) ? select.lookback : 0;
  const after = smoothed ? select.lookback : 0;
  const width = range?.range ?? select.lookback;
  const ways = coverages.map((c) => segmentsOf(plan, needOf(plan), width, c, before, after));
  const span = windowSpan(grid, width, select.offset, select.at);
  const segments = ways.flat();
  return {
    ways,
    minT: Math.min(span.firstStart - before, ...segments.map((s) => s.after)) + 1,
    maxT: Math.max(span.lastEnd + after, ...segments.map((s) => s.until)),
  };
}

/** The series of each coverage by its number. */
function byCoverage({ rollups }: SeriesSource, ids: Uint32Array, coverages: number): Uint32Array[] {
  if (coverages === 1) return [ids];
  const numbers = Uint32Array.from(ids, (id) => rollups?.coverageOf?.(id) ?? 0);
  return Array.from({ length: coverages }, (_, c) => ids.filter((_id, i) => numbers[i] === c));
}

function touchedIn(
  source: SeriesSource,
  ids: Uint32Array,
  { tier, after, until }: Segment,
  check: () => void,
): Touched {
  const touched =
    tier === "raw"
      ? source.estimate?.(ids, after + 1, until, check)
      : source.rollups?.estimate?.(ids, tier, after, until, check);
  return touched ?? { rows: 0, bytes: 0 };
}
