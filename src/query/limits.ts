import { formatDuration } from "../lib/duration.ts";
import { QueryError, type QueryOptions, type RangeRequest } from "../model/query.ts";
import type { ParseLimits } from "./parse/parser-state.ts";
import { type Grid, makeGrid } from "./plan/grid.ts";

/** What a tenant's queries may take. Each is called in errors by its key in the configuration. */
export interface EngineLimits {
  /** Samples that one query may read over all shards, and points that it may hold at a time; 50 million. */
  readonly maxSamples: number;
  /** Series that the query's selectors may match together, in all shards; 1 million. */
  readonly maxSeries: number;
  /** Bytes of points and labels that a query may hold in one shard, and in front; 1 GiB. */
  readonly maxMemoryBytes: number;
  /** Points a series of a range query may have; 11,000. */
  readonly maxPoints: number;
  /** Bytes that a query's text may have; 65,536. */
  readonly maxQueryBytes: number;
  /** Levels that a query's tree may have; 1000. */
  readonly maxDepth: number;
  /** Time from the first sample that a query may read to its end, ms; 0, the default: any. */
  readonly maxTotalMs: number;
  /** Largest lookback that a request may ask for, ms; 0, the default: any. */
  readonly maxLookbackMs: number;
  /** Of the query's regular expressions together (lib/regex-cost.ts); 10,000. */
  readonly maxRegexCost: number;
  /** Queries of a tenant that run at a time; 0, the default: as many as there may be at all. */
  readonly maxTenantQueries: number;
  /** 2 minutes; a request may ask for less. */
  readonly timeoutMs: number;
  /** When a shard that has not answered is left out; 0, the default: after three quarters of the query's own time. */
  readonly shardTimeoutMs: number;
  /** How far an instant selector looks back; 5 minutes. */
  readonly lookbackMs: number;
}

const DEFAULTS: EngineLimits = {
  maxSamples: 50_000_000,
  maxSeries: 1_000_000,
  maxMemoryBytes: 2 ** 30,
  maxPoints: 11_000,
  maxQueryBytes: 65_536,
  maxDepth: 1000,
  maxTotalMs: 0,
  maxLookbackMs: 0,
  maxRegexCost: 10_000,
  maxTenantQueries: 0,
  timeoutMs: 120_000,
  shardTimeoutMs: 0,
  lookbackMs: 300_000,
};

export interface LimitSource extends Partial<EngineLimits> {
  /** What holds for a tenant's next query, in place of the others. */
  readonly limitsOf?: (tenant: string) => Partial<EngineLimits>;
}

/** The limits of a tenant's query, with the defaults where nothing is said. */
export function limitsFor(source: LimitSource, tenant: string): EngineLimits {
  const out: { -readonly [K in keyof EngineLimits]: number } = { ...DEFAULTS };
  for (const from of [source, source.limitsOf?.(tenant) ?? {}]) {
    for (const key of Object.keys(DEFAULTS) as (keyof EngineLimits)[]) out[key] = from[key] ?? out[key];
  }
  return out;
}

/** What the parser is to keep to. */
export function parseLimits({ maxDepth, maxRegexCost }: Pick<EngineLimits, "maxDepth" | "maxRegexCost">): ParseLimits {
  return { maxDepth, maxRegexCost };
}

/** The text, unless it is too long: `QueryError` ("bad_data"). */
export function checkedLength({ maxQueryBytes }: Pick<EngineLimits, "maxQueryBytes">, query: string): string {
  const bytes = Buffer.byteLength(query);
  if (bytes <= maxQueryBytes) return query;
  const text = `the query has ${bytes} bytes, over the limit of ${maxQueryBytes} (limits.max_query_length)`;
  throw new QueryError("bad_data", text);
}

/** How far the query's instant selectors look back. Throws `QueryError` where the request asks for too much. */
export function lookbackOf({ maxLookbackMs, lookbackMs }: EngineLimits, request: QueryOptions): number {
  const asked = request.lookbackMs;
  if (asked === undefined) return lookbackMs;
  if (maxLookbackMs === 0 || asked <= maxLookbackMs) return asked;
  const text = `lookback_delta is ${spoken(asked)}, over the limit of ${spoken(maxLookbackMs)} (limits.max_lookback_delta)`;
  throw new QueryError("bad_data", text);
}

/** The grid of a range query. Throws `QueryError` ("bad_data") where there can be none, or one of too many points. */
export function checkedGrid({ start, end, step }: RangeRequest, { maxPoints }: Pick<EngineLimits, "maxPoints">): Grid {
  if (!(step > 0)) {
    throw new QueryError(
      "bad_data",
      "zero or negative query resolution step widths are not accepted. Try a positive integer",
    );
  }
  if (end < start) throw new QueryError("bad_data", "end timestamp must not be before start time");
  checkPoints(Math.floor((end - start) / step), maxPoints);
  return makeGrid(start, end, step);
}

/** The limit is on whole steps between start and end, as Prometheus counts: one point more is allowed. */
export function checkPoints(steps: number, maxPoints: number): void {
  if (steps <= maxPoints) return;
  const most = maxPoints.toLocaleString("en-US");
  const text = `exceeded maximum resolution of ${most} points per timeseries. Try decreasing the query resolution (?step=XX)`;
  throw new QueryError("bad_data", `${text} or raise limits.max_query_points`);
}

/** The error of a query whose time is over. `asked`: it was the request that limited it. */
export function timeoutError(phase: string, timeoutMs: number, asked: boolean): QueryError {
  const whose = asked ? "the request's timeout" : "limits.query_timeout";
  return new QueryError("timeout", `query timed out in ${phase} (after ${spoken(timeoutMs)}, ${whose})`);
}

/** A duration as a person writes it. */
export function spoken(ms: number): string {
  return Number.isInteger(ms) ? formatDuration(ms) : `${ms}ms`;
}
