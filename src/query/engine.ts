import { histogramBytes } from "../model/histogram-code.ts";
import {
  type Engine,
  type InstantRequest,
  type InstantResult,
  QueryError,
  type QueryOptions,
  type QueryStats,
  type RangeRequest,
  type RangeResult,
  type TraceSpan,
} from "../model/query.ts";
import { TIERS } from "../model/rollup.ts";
import { makeSampleBuffer } from "../model/sample.ts";
import type { ShardClient } from "../model/shard.ts";
import { estimateCost } from "./cost.ts";
import { selectorPlans } from "./cost-plans.ts";
import { lacksData, makeAnnotations, tellNotes } from "./execute/annotations.ts";
import { countSeries } from "./execute/ask-shards.ts";
import { fetchRaw } from "./execute/dispatch.ts";
import { evaluateScalar, evaluateVector, evaluator } from "./execute/evaluate.ts";
import { evaluateSubquery, rowSamples } from "./execute/evaluate-subquery.ts";
import type { Patience } from "./execute/gather.ts";
import { countSelectors, makeMatchedSeries, selectorKey } from "./execute/matched-series.ts";
import { hold } from "./execute/memory.ts";
import { checkAlive, stopError } from "./execute/pace.ts";
import { selectionOf } from "./execute/plan-fragment.ts";
import type { QueryContext } from "./execute/query-context.ts";
import { type QueryTrace, startTrace } from "./execute/trace.ts";
import {
  compactRows,
  mergeEqualRows,
  removeDroppedNames,
  SAME_LABELSET,
  sortByLabels,
  type Vector,
  vectorOfScalar,
} from "./execute/vector.ts";
import {
  checkedGrid,
  checkedLength,
  type EngineLimits,
  type LimitSource,
  limitsFor,
  lookbackOf,
  parseLimits,
  timeoutError,
} from "./limits.ts";
import type { Expr, MatrixSelector, SubqueryExpr } from "./parse/ast.ts";
import { typeOf } from "./parse/check.ts";
import { parseKept } from "./parse/kept-trees.ts";
import { checkTree } from "./plan/check-tree.ts";
import { type QueryTimes, resolveDurations } from "./plan/duration-expr.ts";
import { type Grid, instantGrid } from "./plan/grid.ts";
import { collectStatsOnly } from "./plan/stats-only.ts";
import { literalText, unwrap } from "./plan/step-invariant.ts";
import type { QueryQueue } from "./queue.ts";
import { cachedRange } from "./results-cache/cached-range.ts";
import type { Rows } from "./results-cache/join-columns.ts";
import type { ResultsCache } from "./results-cache/results-cache.ts";

const NO_BYTES = new Uint8Array(0);

export interface EngineOptions extends LimitSource {
  readonly shards: readonly ShardClient[];
  /** How long shards are waited for, by what is known of them; without it as long as limits and the query's time allow. */
  readonly patience?: Patience;
  /** Lets queries wait for one another, but those that are `urgent`; without it all run at once. */
  readonly queue?: QueryQueue;
  /** Keeps what range queries answer; without it every query is evaluated as a whole. */
  readonly results?: ResultsCache;
  /** Step of subqueries that name none; 1 minute (Prometheus: the evaluation interval). */
  readonly defaultSubqueryStepMs?: number;
  /** A clock in ms for time limits; the process's monotonic clock by default. */
  readonly now?: () => number;
}

/** The query front end over the given shards: parses, plans, asks the shards, evaluates the rest. */
export function makeEngine(options: EngineOptions): Engine {
  return {
    async instant(request) {
      const opened = clockOf(options)();
      const trace = request.trace === true ? startTrace(request.query) : undefined;
      const limits = limitsFor(options, request.tenant);
      const expr = parseKept(checkedLength(limits, request.query), parseLimits(limits));
      trace?.ended("parse");
      const query = await openQuery(
        options,
        limits,
        request,
        { start: request.time, end: request.time, step: 0 },
        1,
        trace,
      );
      try {
        const result = await runInstant(
          query.ctx,
          prepared(query.ctx, expr, instantGrid(request.time), limits),
          request,
        );
        return { ...result, ...statistics(query.ctx, request, opened), ...traced(trace) };
      } finally {
        query.close();
      }
    },
    async range(request) {
      const opened = clockOf(options)();
      const trace = request.trace === true ? startTrace(request.query) : undefined;
      const limits = limitsFor(options, request.tenant);
      const expr = parseKept(checkedLength(limits, request.query), parseLimits(limits));
      trace?.ended("parse");
      checkRangeType(expr);
      const grid = checkedGrid(request, limits);
      const query = await openQuery(options, limits, request, request, grid.steps, trace);
      try {
        const result = await runRange(
          query.ctx,
          prepared(query.ctx, expr, grid, limits),
          grid,
          request,
          options.results?.hasRoom() === true ? options.results : undefined,
        );
        return { ...result, ...statistics(query.ctx, request, opened), ...traced(trace) };
      } finally {
        query.close();
      }
    },
    async cost(request) {
      const limits = limitsFor(options, request.tenant);
      const expr = parseKept(checkedLength(limits, request.query), parseLimits(limits));
      const isRange = request.step !== 0;
      if (isRange) checkRangeType(expr);
      // More points than there may be are told, as other limits are.
      const grid = isRange ? checkedGrid(request, { maxPoints: Number.POSITIVE_INFINITY }) : instantGrid(request.start);
      const query = await openQuery(options, limits, { ...request, urgent: true }, request, grid.steps);
      try {
        const { ctx } = query;
        const tree = prepared(ctx, expr, grid, limits);
        const asked = { maxPoints: limits.maxPoints, isRange };
        return await unlessStopped(ctx, () => estimateCost(ctx, tree, request.query, grid, asked));
      } finally {
        query.close();
      }
    },
  };
}

/** Throws `QueryError` ("bad_data") for what has no value at each step. */
function checkRangeType(expr: Expr): void {
  const type = typeOf(expr);
  if (type === "vector" || type === "scalar") return;
  const name = type === "matrix" ? "range vector" : type;
  const text = `invalid expression type "${name}" for range query, must be Scalar or instant Vector`;
  throw new QueryError("bad_data", text);
}

/** The query's tree as it is evaluated. */
function prepared(ctx: QueryContext, expr: Expr, grid: Grid, limits: EngineLimits): Expr {
  const resolved = resolveDurations(expr, ctx.times);
  checkTree(ctx.notes.query, resolved, ctx.times, ctx.lookback, limits);
  collectStatsOnly(resolved, ctx.statsOnly);
  ctx.matched.selectors = countSelectors(resolved);
  ctx.matched.countAll = () => {
    const plans = selectorPlans(ctx, resolved, grid).filter((p) => p.isInfo !== true);
    const byKey = new Map(plans.map(({ body }) => [selectorKey(body.select.matchers), body]));
    return countSeries(ctx, [...byKey.values()]);
  };
  ctx.trace?.ended("plan");
  return resolved;
}

function clockOf(options: EngineOptions): () => number {
  return options.now ?? (() => performance.now());
}

function traced(trace: QueryTrace | undefined): { trace?: TraceSpan } {
  return trace === undefined ? {} : { trace: trace.span() };
}

/** What the query took, where it was asked for. */
function statistics(ctx: QueryContext, request: QueryOptions, opened: number): { stats?: QueryStats } {
  if (ctx.windowSamples === undefined) return {};
  const { total, perStep } = ctx.windowSamples;
  const { start, step } = ctx.times;
  const stats = {
    tiers: TIERS.flatMap((t) => ctx.tiers.get(t) ?? []),
    samples: ctx.samples,
    windowSamples: total,
    ...(request.stats === "perStep" ? { perStep: { start, step, windowSamples: perStep } } : {}),
    peakPoints: ctx.peak,
    preparationMs: ctx.started - ctx.queuedMs - opened,
    queuedMs: ctx.queuedMs,
    evaluationMs: ctx.now() - ctx.started,
  };
  return { stats };
}

/** Sets up a query: its clock, its way to be stopped; waits for its turn. `close` must be called at the end. */
async function openQuery(
  options: EngineOptions,
  limits: EngineLimits,
  request: QueryOptions,
  { start, end, step }: QueryTimes,
  steps: number,
  trace?: QueryTrace,
): Promise<{ ctx: QueryContext; close(): void }> {
  const now = clockOf(options);
  const opened = now();
  const lookback = lookbackOf(limits, request);
  const timeout = Math.min(request.timeoutMs ?? Number.POSITIVE_INFINITY, limits.timeoutMs);
  const late = (phase: string): QueryError => timeoutError(phase, timeout, timeout < limits.timeoutMs);
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(new QueryError("canceled", "query was canceled in expression evaluation"));
  if (request.signal?.aborted === true) onAbort();
  request.signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => {
    stop.abort(late("expression evaluation"));
  }, timeout);
  const stopWatching = (): void => {
    clearTimeout(timer);
    request.signal?.removeEventListener("abort", onAbort);
  };
  let leave: (() => void) | undefined;
  try {
    if (request.urgent !== true)
      leave = await options.queue?.enter(request.tenant, stop.signal, limits.maxTenantQueries);
  } catch (error) {
    stopWatching();
    const tooLate = error instanceof QueryError && error.type === "timeout";
    throw tooLate ? late("query queue") : error;
  }
  trace?.ended("queue");
  const started = now();
  const ctx: QueryContext = {
    tenant: request.tenant,
    shards: options.shards,
    notes: makeAnnotations(request.query),
    times: { start, end, step },
    statsOnly: new Set(),
    matched: makeMatchedSeries(),
    lookback,
    subqueryStep: options.defaultSubqueryStepMs ?? 60_000,
    limits: { maxSamples: limits.maxSamples, maxSeries: limits.maxSeries, maxMemoryBytes: limits.maxMemoryBytes },
    ...(options.patience === undefined ? {} : { patience: options.patience }),
    shardTimeoutMs: limits.shardTimeoutMs,
    timeoutError: () => late("expression evaluation"),
    signal: stop.signal,
    deadline: opened + timeout,
    now,
    work: 0,
    queuedMs: started - opened,
    started,
    turnAt: started,
    points: 0,
    peak: 0,
    missing: new Map(),
    histograms: [],
    samples: 0,
    tiers: new Map(),
    ...(request.stats !== undefined ? { windowSamples: { total: 0, perStep: new Float64Array(steps) } } : {}),
    ...(trace === undefined ? {} : { trace }),
    evaluator,
  };
  return {
    ctx,
    close() {
      stopWatching();
      leave?.();
    },
  };
}

/** Waits for the evaluation, but no longer than the query may go on: a shard that never answers does not hold it. */
async function unlessStopped<T>(ctx: QueryContext, work: () => Promise<T>): Promise<T> {
  checkAlive(ctx);
  let listener: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    listener = () => reject(stopError(ctx));
    ctx.signal.addEventListener("abort", listener, { once: true });
  });
  try {
    return await Promise.race([work(), stopped]);
  } finally {
    ctx.signal.removeEventListener("abort", listener);
  }
}

/** The vector as the client sees it: names dropped, rows of equal labels joined. */
async function finishVector(ctx: QueryContext, vector: Vector): Promise<Vector> {
  const merged = await mergeEqualRows(ctx, await removeDroppedNames(ctx, vector));
  if (merged === undefined) throw new QueryError("execution", SAME_LABELSET);
  return compactRows(ctx, merged);
}

async function runRange(
  ctx: QueryContext,
  expr: Expr,
  grid: Grid,
  { noCache, stats }: RangeRequest,
  cache: ResultsCache | undefined,
): Promise<RangeResult> {
  const evaluate = async (part: Grid): Promise<Vector> => {
    if (typeOf(expr) === "scalar") return vectorOfScalar(await evaluateScalar(ctx, expr, part));
    return sortByLabels(ctx, await finishVector(ctx, await evaluateVector(ctx, expr, part)));
  };
  const { labels, values, present } = await unlessStopped<Rows>(ctx, () => {
    if (cache === undefined) return evaluate(grid);
    // Statistics are those of an evaluation of the whole.
    return cachedRange({ cache, ctx, expr, grid, goPast: noCache === true || stats !== undefined, evaluate });
  });
  const { histograms } = ctx;
  return { type: "matrix", matrix: { ...grid, labels, values, present, histograms }, ...annotated(ctx) };
}

async function runInstant(ctx: QueryContext, expr: Expr, request: InstantRequest): Promise<InstantResult> {
  const { time } = request;
  const grid = instantGrid(time);
  switch (typeOf(expr)) {
    case "scalar": {
      const [value] = await unlessStopped(ctx, () => evaluateScalar(ctx, expr, grid));
      return { type: "scalar", time, value: value as number, ...annotated(ctx) };
    }
    case "string":
      return { type: "string", time, value: literalText(expr), ...annotated(ctx) };
    case "matrix": {
      const inner = unwrap(expr) as MatrixSelector | SubqueryExpr;
      const series = await unlessStopped(ctx, () => rangeVector(ctx, inner, grid));
      return { type: "matrix", ...series, ...annotated(ctx) };
    }
    default: {
      const evaluate = async (): Promise<Vector> => finishVector(ctx, await evaluateVector(ctx, expr, grid));
      const { labels, values, present } = await unlessStopped(ctx, evaluate);
      return { type: "vector", time, labels, values, present, histograms: ctx.histograms, ...annotated(ctx) };
    }
  }
}

type MatrixColumns = Pick<Extract<InstantResult, { type: "matrix" }>, "labels" | "ts" | "values" | "histograms">;

async function rangeVector(ctx: QueryContext, expr: MatrixSelector | SubqueryExpr, grid: Grid): Promise<MatrixColumns> {
  if (expr.kind === "matrixSelector") {
    const select = selectionOf(ctx, expr.selector);
    const range = { func: "last_over_time", range: expr.range, params: [] } as const;
    const found = await fetchRaw(ctx, { grid, select, range, maps: [] }, expr.pos);
    return {
      labels: found.map((f) => f.labels),
      ts: found.map((f) => f.ts),
      values: found.map((f) => f.values),
      histograms: found.map((f) => f.histograms),
    };
  }
  const { rows, grid: inner } = await evaluateSubquery(ctx, expr, grid);
  const finished = await sortByLabels(ctx, await finishVector(ctx, rows));
  const buffer = makeSampleBuffer(inner.steps);
  const ts: Float64Array[] = [];
  const values: Float64Array[] = [];
  const histograms: Uint8Array[] = [];
  hold(ctx, finished.labels.length * inner.steps);
  for (let r = 0; r < finished.labels.length; r++) {
    await rowSamples(ctx, finished, r, inner, buffer);
    ts.push(buffer.ts.slice(0, buffer.length));
    values.push(buffer.values.slice(0, buffer.length));
    histograms.push(buffer.histograms === undefined ? NO_BYTES : histogramBytes(buffer.histograms).slice());
  }
  return { labels: finished.labels, ts, values, histograms };
}

function annotated(ctx: QueryContext): { warnings: readonly string[]; infos: readonly string[]; partial: boolean } {
  const warnings = tellNotes(ctx.notes, "warning");
  for (const [partition, reason] of ctx.missing) {
    warnings.push(`shard ${partition} did not answer, the result is partial: ${reason}`);
  }
  return { warnings, infos: tellNotes(ctx.notes, "info"), partial: ctx.missing.size > 0 || lacksData(ctx.notes) };
}
