import { type RollupTier, TIER_MS } from "../../model/rollup.ts";
import type { Coverage, Stretch } from "../../model/series-source.ts";
import { type Grid, gridEnd } from "./grid.ts";
import type { ShardPlan } from "./shard-plan.ts";

/**
 * Which tiers a plan reads, and where.
 *
 * A tier gives the right answer where every window is made of whole buckets. What a function needs of that:
 * - "whole": both ends of every window are multiples of the width;
 * - "newest": only the newest sample at or before the window's end counts: the ends must be multiples of the width (a bucket
 *   keeps the time of its newest sample, which tells whether that lies in the window);
 * - "oldest": the same from the window's start;
 * - "samples": no bucket will do.
 *
 * The time that the windows span is covered stretch by stretch, each by the coarsest tier that is right and complete there, by
 * raw samples otherwise. Where raw samples are no longer kept and nothing is right, the finest tier that is there stands in,
 * and the stretch is marked as rounded.
 */
export type Need = "whole" | "newest" | "oldest" | "samples";

/** A stretch (after, until] and what it is read from. */
export interface Segment extends Stretch {
  readonly tier: RollupTier | "raw";
  /** The windows are not made of whole buckets here: the answer is one of near-by windows. */
  readonly rounded: boolean;
}

/** What the windows of a plan have in common: their first and last bounds, and their distance. */
export interface WindowSpan {
  readonly firstStart: number;
  readonly firstEnd: number;
  readonly lastEnd: number;
  /** Distance of the windows; 0 when there is only one. */
  readonly step: number;
  readonly range: number;
}

const WHOLE: ReadonlySet<string> = new Set([
  "rate",
  "increase",
  "delta",
  "changes",
  "resets",
  "sum_over_time",
  "avg_over_time",
  "min_over_time",
  "max_over_time",
  "count_over_time",
]);
const NEWEST: ReadonlySet<string> = new Set(["last_over_time", "ts_of_last_over_time", "present_over_time"]);
const OLDEST: ReadonlySet<string> = new Set(["first_over_time", "ts_of_first_over_time"]);

export function needOf(plan: Pick<ShardPlan, "select" | "range" | "raw">): Need {
  const { select, range } = plan;
  if (plan.raw === true || select.smoothed === true) return "samples";
  if (range === undefined) return select.output === "startTimestamp" ? "samples" : "newest";
  if (range.anchored === true || range.smoothed === true) return "samples";
  if (WHOLE.has(range.func)) return "whole";
  if (NEWEST.has(range.func)) return "newest";
  return OLDEST.has(range.func) ? "oldest" : "samples";
}

export function windowSpan(grid: Grid, range: number, offset: number, at: number | undefined): WindowSpan {
  const firstEnd = (at ?? grid.start) - offset;
  const lastEnd = (at ?? gridEnd(grid)) - offset;
  const step = at !== undefined || grid.steps < 2 ? 0 : grid.step;
  return { firstStart: firstEnd - range, firstEnd, lastEnd, step, range };
}

/** Whether every window is made of whole buckets of the width, as far as the function needs it. */
export function isAligned(need: Need, span: WindowSpan, width: number): boolean {
  if (need === "samples" || span.step % width !== 0) return false;
  const startFits = span.firstStart % width === 0;
  const endFits = span.firstEnd % width === 0;
  if (need === "newest") return endFits;
  return need === "oldest" ? startFits : startFits && endFits;
}

/** Multiples of the width at or around a time; times may be infinite. */
function floorTo(t: number, width: number): number {
  return Math.floor(t / width) * width;
}
function ceilTo(t: number, width: number): number {
  return Math.ceil(t / width) * width;
}

interface Candidate {
  readonly tier: RollupTier;
  readonly width: number;
  readonly complete: readonly Stretch[];
  /** Every window is made of whole buckets. */
  readonly aligned: boolean;
  /** It is, or there is a single window, long enough to have whole buckets inside and raw samples at its edges. */
  readonly usable: boolean;
  /** It is to be read although raw samples are there. */
  readonly worth: boolean;
}

/** A single window is worth being put together from this many buckets. */
const BUCKETS_WITHIN = 8;

/**
 * Covers the times (after, until] of the windows, `before` and `beyond` more than the windows themselves; ascending, without gaps
 * except where nothing is kept. With a single window that ends inside of buckets, raw samples make its edges.
 */
export function cover(need: Need, span: WindowSpan, coverage: Coverage, before = 0, beyond = 0): Segment[] {
  const until = span.lastEnd + beyond;
  const begin = span.firstStart - before;
  const widestFirst = [...coverage.tiers].sort((a, b) => TIER_MS[b.tier] - TIER_MS[a.tier]);
  const single = span.step === 0 && need !== "samples";
  const candidates: Candidate[] = widestFirst.map(({ tier, complete, worthFromMs = 0 }) => {
    const width = TIER_MS[tier];
    const aligned = isAligned(need, span, width);
    const usable = aligned || (single && span.range >= BUCKETS_WITHIN * width);
    return { tier, width, complete, aligned, usable, worth: until - begin >= worthFromMs };
  });
  const out: Segment[] = [];
  let at = begin;
  // A bucket that reaches out of the first window in front may still hold its newest sample.
  const first = candidates.find((c) => need === "newest" && c.aligned && c.worth && holds(c, floorTo(at, c.width)));
  if (first !== undefined) at = floorTo(at, first.width);
  while (at < until) {
    const next = nextSegment(candidates, coverage, at, until);
    if (next.segment !== undefined) add(out, next.segment);
    at = next.at;
  }
  withBucketBefore(out, candidates);
  return out;
}

/** Windows that are rounded at the very beginning may be widened to the bucket before it. */
function withBucketBefore(segments: Segment[], candidates: readonly Candidate[]): void {
  const [first] = segments;
  if (first?.rounded !== true) return;
  const c = candidates.find(({ tier }) => tier === first.tier);
  if (c !== undefined && holds(c, first.after - c.width)) segments[0] = { ...first, after: first.after - c.width };
}

function holds(c: Candidate, at: number): boolean {
  return c.complete.some((s) => s.after <= at && at + c.width <= s.until);
}

/** The segment that begins at `at` (undefined: nothing is kept there) and where it ends. */
function nextSegment(
  candidates: readonly Candidate[],
  { rawAfter, rawGaps = [] }: Coverage,
  at: number,
  until: number,
): { segment: Segment | undefined; at: number } {
  // The coarsest right tier, as far as it goes; a coarser one may take over on the way.
  let limit = until;
  const isKept = at >= rawAfter;
  const gap = isKept ? rawGaps.find((g) => g.until > at) : undefined;
  const isLost = gap !== undefined && gap.after <= at;
  const hasRaw = isKept && !isLost;
  for (const c of candidates) {
    if (!c.usable || (hasRaw && !c.worth)) continue;
    if (!c.worth) limit = Math.min(limit, ceilTo(isLost ? gap.until : rawAfter, c.width));
    const stretch = at % c.width === 0 ? c.complete.find((s) => s.after <= at && s.until >= at + c.width) : undefined;
    if (stretch !== undefined) {
      const end = floorTo(Math.min(limit, stretch.until), c.width);
      if (end > at) return { segment: { after: at, until: end, tier: c.tier, rounded: false }, at: end };
    }
    limit = Math.min(limit, nextStart(c, at, until));
  }
  if (gap !== undefined) limit = Math.min(limit, gap.after > at ? gap.after : gap.until);
  if (!isKept) limit = Math.min(limit, rawAfter);
  const instead = isKept && !isLost ? undefined : standIn(candidates, at, limit);
  // Of samples that were lost some may be left, where no rows are.
  if (instead === undefined || (isLost && instead.segment === undefined)) {
    const end = instead?.at ?? limit;
    return { segment: { after: at, until: end, tier: "raw", rounded: false }, at: end };
  }
  return instead;
}

/** Where a right tier's rows begin next after `at`. */
function nextStart(c: Candidate, at: number, until: number): number {
  for (const s of c.complete) {
    const from = ceilTo(Math.max(s.after, at + 1), c.width);
    if (from + c.width <= Math.min(s.until, until)) return from;
  }
  return Number.POSITIVE_INFINITY;
}

/** The finest tier that has the bucket around `at`, where raw samples are gone. */
function standIn(
  candidates: readonly Candidate[],
  at: number,
  limit: number,
): { segment: Segment | undefined; at: number } {
  let next = limit;
  for (let i = candidates.length - 1; i >= 0; i--) {
    const { tier, width, complete } = candidates[i] as Candidate;
    const from = floorTo(at, width);
    const stretch = complete.find((s) => s.after <= from && s.until > from);
    if (stretch !== undefined) {
      const end = Math.min(ceilTo(limit, width), stretch.until);
      return { segment: { after: from, until: end, tier, rounded: true }, at: end };
    }
    for (const s of complete) if (s.after > at) next = Math.min(next, s.after);
  }
  return { segment: undefined, at: next };
}

/** Appends a segment, joined with the one before where it goes on. */
function add(out: Segment[], segment: Segment): void {
  // A bucket of a coarser tier may begin before the finer tier ends: it has all of that time, which counts once.
  for (let over = out.at(-1); over !== undefined && over.until > segment.after; over = out.at(-1)) {
    out.pop();
    if (over.after < segment.after) out.push({ ...over, until: segment.after });
  }
  const last = out.at(-1);
  if (last !== undefined && last.until === segment.after && last.tier === segment.tier) {
    if (last.rounded === segment.rounded) {
      out[out.length - 1] = { ...last, until: segment.until };
      return;
    }
  }
  out.push(segment);
}
