import type { ShardChanges, ShardClient } from "../../model/shard.ts";
import { lacksData, tellNotes } from "../execute/annotations.ts";
import { gather, ShardLate } from "../execute/gather.ts";
import { hold } from "../execute/memory.ts";
import { overRows, stopError } from "../execute/pace.ts";
import type { QueryContext } from "../execute/query-context.ts";
import { PRESENT_HISTOGRAM } from "../execute/vector.ts";
import type { Expr } from "../parse/ast.ts";
import { formatExpr } from "../parse/format.ts";
import { type Grid, gridEnd } from "../plan/grid.ts";
import { joinColumns, type Piece, type Rows } from "./join-columns.ts";
import type { Kept, ResultsCache } from "./results-cache.ts";
import { reuseOf } from "./reuse.ts";

/**
 * A range query by way of the cache: what was answered before and has not changed since is taken from there, the rest is
 * evaluated, and both are kept.
 *
 * An answer at time t is made of the samples of (t - depth, t] alone (`reuseOf`). The shards tell since when, in the times of samples,
 * they have changed after they were asked last: everything before is as it was. They are asked before anything is evaluated, so
 * what changes meanwhile is told the next time.
 */
export interface CachedRange {
  readonly cache: ResultsCache;
  readonly ctx: QueryContext;
  /** Its durations worked out. */
  readonly expr: Expr;
  readonly grid: Grid;
  /** The request wants nothing from the cache, or something that is not in it. */
  readonly goPast: boolean;
  /** Evaluates the expression over a grid: rows by their labels, each with a point. */
  readonly evaluate: (grid: Grid) => Promise<Rows>;
}

export async function cachedRange(query: CachedRange): Promise<Rows> {
  const { cache, ctx, expr, grid, evaluate } = query;
  // One step is evaluated in another way than several (plan/tier.ts), and is soon done.
  const isGrid = grid.steps > 1 && Number.isSafeInteger(grid.start) && Number.isSafeInteger(grid.step);
  if (query.goPast || !isGrid) {
    cache.bypass("request");
    return evaluate(grid);
  }
  const reuse = reuseOf(expr, { lookbackMs: ctx.lookback, subqueryStepMs: ctx.subqueryStep });
  if (reuse === undefined) {
    cache.bypass("expression");
    return evaluate(grid);
  }
  const key = keyOf(query);
  const kept = cache.get(key);
  const changes = await askChanges(ctx, kept);
  if (changes === undefined) {
    cache.bypass("shard");
    return evaluate(grid);
  }
  const usable = kept === undefined ? undefined : usableOf(kept, changes, reuse.depth);
  const shared = usable === undefined ? undefined : sharedSteps(usable, grid);
  const answer = shared === undefined ? await evaluate(grid) : await completed(query, shared);
  if (!isWhole(ctx) || (await hasHistograms(ctx, answer))) {
    cache.bypass("answer");
    cache.delete(key);
    return answer;
  }
  cache.count(shared === undefined ? undefined : answer.labels.length * (shared.to - shared.from));
  const at = changes.map(({ incarnation, version }) => ({ incarnation, version }));
  const isAllKept = shared !== undefined && shared.to - shared.from === grid.steps;
  const next = isAllKept
    ? { ...shared.kept, validSteps: (usable as Usable).to, at }
    : { ...(await widened(query, answer, usable)), at };
  if (!cache.set(key, next)) cache.bypass("size");
  return answer;
}

/** Tells apart what has different answers at the same time. */
function keyOf({ ctx, expr, grid }: CachedRange): string {
  const { start, step } = grid;
  const phase = ((start % step) + step) % step;
  return [ctx.tenant, step, phase, ctx.lookback, ctx.subqueryStep, formatExpr(expr)].join("\n");
}

/** Of the time that is left, as the plans of a query are waited for (execute/ask-shards.ts). */
const SHARE = 0.75;

/** What each shard says of its changes; undefined when one of them does not. One that is late is not asked again for this query. */
async function askChanges(ctx: QueryContext, kept: Kept | undefined): Promise<readonly ShardChanges[] | undefined> {
  const { shards, signal, patience } = ctx;
  const ask = (shard: ShardClient, off: AbortSignal): Promise<ShardChanges> => {
    const since = kept?.at[shards.indexOf(shard)];
    return shard.request({ kind: "changes", ...(since === undefined ? {} : { since }) }, off);
  };
  const waitMs = Math.min(SHARE * (ctx.deadline - ctx.now()), ctx.shardTimeoutMs || Number.POSITIVE_INFINITY);
  const outcomes = await gather(shards, ask, { signal, waitMs, patience });
  if (signal.aborted) throw stopError(ctx);
  const told: ShardChanges[] = [];
  outcomes.forEach(({ value, error }, i) => {
    if (value !== undefined) told.push(value);
    if (!(error instanceof ShardLate)) return;
    const { partition } = shards[i] as ShardClient;
    ctx.missing.set(partition, error.message);
    patience?.missed(partition, error);
  });
  return told.length === shards.length ? told : undefined;
}

/** Steps of a kept result that still hold, the first of them at `start`. */
interface Usable {
  readonly kept: Kept;
  readonly from: number;
  readonly to: number;
  readonly start: number;
}

function usableOf(kept: Kept, changes: readonly ShardChanges[], depth: number): Usable | undefined {
  const changedFrom = Math.min(...changes.map((c) => c.from));
  const agedUpTo = Math.max(...changes.map((c) => c.agedUpTo));
  const { start, step, validSteps } = kept;
  // The first step whose windows begin behind what goes by its age, and the first one that a change may have reached.
  const from = Math.max(0, Math.floor((agedUpTo + depth - start) / step) + 1);
  const to = Math.min(validSteps, Math.max(0, Math.ceil((changedFrom - start) / step)));
  return from < to ? { kept, from, to, start: start + from * step } : undefined;
}

/** Steps [from, to) of the grid that are steps of a kept result from `at` on. */
interface Shared {
  readonly kept: Kept;
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

/** Less than this part of a range is not worth joining. */
const LEAST_PART = 1 / 16;

function sharedSteps({ kept, from, to }: Usable, grid: Grid): Shared | undefined {
  // In steps of the grid.
  const offset = (kept.start - grid.start) / grid.step;
  let first = Math.max(0, offset + from);
  let last = Math.min(grid.steps, offset + to);
  // A single step would be evaluated in another way than several.
  if (first === 1) first++;
  if (last === grid.steps - 1) last--;
  if (last - first < Math.max(1, grid.steps * LEAST_PART)) return undefined;
  return { kept, from: first, to: last, at: first - offset };
}

/** The answer: the shared steps as they were kept, those before and after them evaluated. */
async function completed({ ctx, grid, evaluate }: CachedRange, shared: Shared): Promise<Rows> {
  const { kept, from, to, at } = shared;
  const pieces: Piece[] = [{ rows: kept.rows, from: at, to: at + to - from, at: from }];
  const add = async (first: number, steps: number): Promise<void> => {
    if (steps === 0) return;
    const rows = await evaluate({ start: grid.start + first * grid.step, step: grid.step, steps });
    pieces.push({ rows, from: 0, to: steps, at: first });
  };
  await add(0, from);
  await add(to, grid.steps - to);
  const covers = pieces.length === 1 && from === at && kept.rows.steps === grid.steps;
  return covers ? kept.rows : joinColumns(ctx, pieces, grid.steps, (points) => hold(ctx, points));
}

/** The answer, together with what was kept of the times around it. */
async function widened(
  { ctx, grid }: CachedRange,
  answer: Rows,
  usable: Usable | undefined,
): Promise<Omit<Kept, "at">> {
  const { start, step, steps } = grid;
  const spanMs = Math.max((steps - 1) * step, usable?.kept.spanMs ?? 0);
  const stretch = usable === undefined ? grid : stretchOf(usable, grid, spanMs);
  const of = { start: stretch.start, step, spanMs, validSteps: stretch.steps };
  if (usable === undefined || stretch.steps === steps) return { ...of, rows: compact(answer) };
  const { kept } = usable;
  const before = (start - stretch.start) / step;
  const offset = (stretch.start - kept.start) / step;
  const pieces: readonly Piece[] = [
    { rows: kept.rows, from: offset, to: offset + before, at: 0 },
    { rows: answer, from: 0, to: steps, at: before },
    { rows: kept.rows, from: offset + before + steps, to: offset + stretch.steps, at: before + steps },
  ];
  const there = pieces.filter((piece) => piece.to > piece.from);
  return { ...of, rows: await joinColumns(ctx, there, stretch.steps, () => undefined) };
}

/** The times to keep: the grid's, and what is usable around it as far as it is no more than the longest range asked for. */
function stretchOf({ kept, from, to }: Usable, grid: Grid, spanMs: number): Grid {
  const { step } = grid;
  const first = kept.start + from * step;
  const last = kept.start + (to - 1) * step;
  // What lies apart, with times between that nobody has, is not kept.
  if (first > gridEnd(grid) + step || last < grid.start - step) return grid;
  const end = Math.max(gridEnd(grid), last);
  const least = end - Math.floor(spanMs / step) * step;
  const start = Math.min(grid.start, Math.max(first, least));
  return { start, step, steps: (end - start) / step + 1 };
}

/** Whether the answer is all there is to say. */
function isWhole({ notes, missing }: QueryContext): boolean {
  return (
    missing.size === 0 &&
    !lacksData(notes) &&
    tellNotes(notes, "warning").length === 0 &&
    tellNotes(notes, "info").length === 0
  );
}

async function hasHistograms(ctx: QueryContext, { labels, steps, present }: Rows): Promise<boolean> {
  if (ctx.histograms.length === 0) return false;
  let met = false;
  await overRows(ctx, labels.length, steps, (r, from, to) => {
    for (let i = r * steps + from; i < r * steps + to && !met; i++) met = present[i] === PRESENT_HISTOGRAM;
  });
  return met;
}

/** Without what lies behind the rows in their memory. */
function compact(rows: Rows): Rows {
  const { values, present } = rows;
  const isTight = values.buffer.byteLength <= 1.25 * values.byteLength + 1024;
  return isTight ? rows : { ...rows, values: values.slice(), present: present.slice() };
}
