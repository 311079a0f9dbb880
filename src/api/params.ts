import { parseDuration } from "../lib/duration.ts";
import type { Matcher } from "../model/matcher.ts";
import { QueryError } from "../model/query.ts";
import { parseSelector } from "../query/parse/parse.ts";

/** Parameters of one API call: the URL's query string and, for a POST form, the body's as well (the body's come first). */
export type Params = URLSearchParams;

/** Prometheus's open ends of time (web/api/v1: MinTime, MaxTime), inside what every layer can add to without overflow. */
export const MIN_TIME = -9_007_199_254_740;
export const MAX_TIME = 9_007_199_254_740_000;

export function invalidParameter(name: string, reason: string): QueryError {
  return new QueryError("bad_data", `invalid parameter "${name}": ${reason}`);
}

/** A time as the API takes it: Unix seconds with fractions, or RFC 3339. Returns Unix milliseconds. */
export function parseTime(params: Params, name: string, fallback: number): number {
  const text = params.get(name);
  if (text === null || text === "") return fallback;
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return clampTime(Math.round(Number(text) * 1000));
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)) {
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) return ms;
  }
  // What Prometheus formats its own open ends as.
  if (text === "-292273086-05-16T16:47:06Z") return MIN_TIME;
  if (text === "292277025-08-18T07:12:54.999999999Z") return MAX_TIME;
  throw invalidParameter(name, `cannot parse ${JSON.stringify(text)} to a valid timestamp`);
}

function clampTime(ms: number): number {
  return Math.min(MAX_TIME, Math.max(MIN_TIME, ms));
}

/** A duration as the API takes it: seconds with fractions, or Prometheus's form (`1h30m`). Returns milliseconds; undefined when absent. */
export function parseDurationParam(params: Params, name: string): number | undefined {
  const text = params.get(name);
  if (text === null || text === "") return undefined;
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
    const ms = Number(text) * 1000;
    if (Number.isFinite(ms) && Math.abs(ms) < 9.2e12) return ms;
    throw invalidParameter(name, `cannot parse ${JSON.stringify(text)} to a valid duration. It overflows int64`);
  }
  try {
    return parseDuration(text);
  } catch {
    throw invalidParameter(name, `cannot parse ${JSON.stringify(text)} to a valid duration`);
  }
}

/** `limit`: 0 and absent mean no limit. */
export function parseLimit(params: Params): number {
  const text = params.get("limit");
  if (text === null || text === "") return 0;
  if (!/^\d+$/.test(text))
    throw invalidParameter("limit", `cannot parse ${JSON.stringify(text)} as a non-negative number`);
  return Number(text);
}

/** The `match[]` parameters as lists of matchers. */
export function parseMatchSets(params: Params): Matcher[][] {
  return params.getAll("match[]").map((text) => {
    try {
      return parseSelector(text);
    } catch (e) {
      throw invalidParameter("match[]", e instanceof Error ? e.message : String(e));
    }
  });
}
