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
import { lacksData, makeAnnotations, tellNotes } from "./execute/annotations.ts";
import { fetchRaw } from "./execute/dispatch.ts";
import { evaluateScalar, evaluateVector, evaluator } from "./execute/evaluate.ts";
import { evaluateSubquery, rowSamples } from "./execute/evaluate-subquery.ts";
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
import type { Expr, MatrixSelector, SubqueryExpr } from "./parse/ast.ts";
import { typeOf } from "./parse/check.ts";
import { parseExpr } from "./parse/parse.ts";
import { type QueryTimes, resolveDurations } from "./plan/duration-expr.ts";
import { type Grid, instantGrid, makeGrid } from "./plan/grid.ts";
import { collectStatsOnly } from "./plan/stats-only.ts";
import { literalText, unwrap } from "./plan/step-invariant.ts";
import type { QueryQueue } from "./queue.ts";
import { cachedRange } from "./results-cache/cached-range.ts";
import type { Rows } from "./results-cache/join-columns.ts";
import type { ResultsCache } from "./results-cache/results-cache.ts";

const NO_BYTES = new Uint8Array(0);

export interface EngineOptions {
  readonly shards: readonly ShardClient[];
  /** Samples that one query may read over all shards, and points that it may hold at a time; 50 million. */
  readonly maxSamples?: number;
  /** Series that one selector may match in one shard; 1 million. */
  readonly maxSeries?: number;
  /** Points a series of a range query may have; 11,000. */
  readonly maxPoints?: number;
  /** Bytes that a query's text may have; 65,536. */
  readonly maxQueryBytes?: number;
  /** Lets queries wait for one another, but those that are `urgent`; without it all run at once. */
  readonly queue?: QueryQueue;
  /** Keeps what range queries answer; without it every query is evaluated as a whole. */
  readonly results?: ResultsCache;
  /** 2 minutes; a request may ask for less. */
  readonly timeoutMs?: number;
  /** How far an instant selector looks back; 5 minutes. */
  readonly lookbackMs?: number;
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
      const expr = parseExpr(checkedLength(options, request.query));
      trace?.ended("parse");
      const query = await openQuery(options, request, { start: request.time, end: request.time, step: 0 }, 1, trace);
      try {
        const result = await runInstant(query.ctx, prepared(query.ctx, expr), request);
        return { ...result, ...statistics(query.ctx, request, opened), ...traced(trace) };
      } finally {
        query.close();
      }
    },
    async range(request) {
      const opened = clockOf(options)();
      const trace = request.trace === true ? startTrace(request.query) : undefined;
      const expr = parseExpr(checkedLength(options, request.query));
      trace?.ended("parse");
      const type = typeOf(expr);
      if (type !== "vector" && type !== "scalar") {
        const name = type === "matrix" ? "range vector" : type;
        const text = `invalid expression type "${name}" for range query, must be Scalar or instant Vector`;
        throw new QueryError("bad_data", text);
      }
      const grid = checkedGrid(request, options.maxPoints ?? 11_000);
      const query = await openQuery(options, request, request, grid.steps, trace);
      try {
        const result = await runRange(query.ctx, prepared(query.ctx, expr), grid, request, options.results);
        return { ...result, ...statistics(query.ctx, request, opened), ...traced(trace) };
      } finally {
        query.close();
      }
    },
  };
}

function checkedLength({ maxQueryBytes = 65_536 }: EngineOptions, query: string): string {
  const bytes = Buffer.byteLength(query);
  if (bytes <= maxQueryBytes) return query;
  const text = `the query has ${bytes} bytes, over the limit of ${maxQueryBytes} (limits.max_query_length)`;
  throw new QueryError("bad_data", text);
}

function checkedGrid({ start, end, step }: RangeRequest, maxPoints: number): Grid {
  if (!(step > 0)) {
    throw new QueryError(
      "bad_data",
      "zero or negative query resolution step widths are not accepted. Try a positive integer",
    );
  }
  if (end < start) throw new QueryError("bad_data", "end timestamp must not be before start time");
  const grid = makeGrid(start, end, step);
  // The limit is on whole steps between start and end, as Prometheus counts: one point more is allowed.
  if (grid.steps - 1 > maxPoints) {
    throw new QueryError(
      "bad_data",
      `exceeded maximum resolution of ${maxPoints.toLocaleString("en-US")} points per timeseries. Try decreasing the query resolution (?step=XX)`,
    );
  }
  return grid;
}

/** The query's tree as it is evaluated. */
function prepared(ctx: QueryContext, expr: Expr): Expr {
  const resolved = resolveDurations(expr, ctx.times);
  collectStatsOnly(resolved, ctx.statsOnly);
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
  request: QueryOptions,
  { start, end, step }: QueryTimes,
  steps: number,
  trace?: QueryTrace,
): Promise<{ ctx: QueryContext; close(): void }> {
  const now = clockOf(options);
  const opened = now();
  const timeout = Math.min(request.timeoutMs ?? Number.POSITIVE_INFINITY, options.timeoutMs ?? 120_000);
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(new QueryError("canceled", "query was canceled in expression evaluation"));
  if (request.signal?.aborted === true) onAbort();
  request.signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => {
    stop.abort(new QueryError("timeout", "query timed out in expression evaluation"));
  }, timeout);
  const stopWatching = (): void => {
    clearTimeout(timer);
    request.signal?.removeEventListener("abort", onAbort);
  };
  let leave: (() => void) | undefined;
  try {
    if (request.urgent !== true) leave = await options.queue?.enter(request.tenant, stop.signal);
  } catch (error) {
    stopWatching();
    const tooLate = error instanceof QueryError && error.type === "timeout";
    throw tooLate ? new QueryError("timeout", "query timed out in query queue") : error;
  }
  trace?.ended("queue");
  const started = now();
  const ctx: QueryContext = {
    tenant: request.tenant,
    shards: options.shards,
    notes: makeAnnotations(request.query),
    times: { start, end, step },
    statsOnly: new Set(),
    lookback: request.lookbackMs ?? options.lookbackMs ?? 300_000,
    subqueryStep: options.defaultSubqueryStepMs ?? 60_000,
    limits: { maxSamples: options.maxSamples ?? 50_000_000, maxSeries: options.maxSeries ?? 1_000_000 },
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
