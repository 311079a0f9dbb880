import { parseDuration } from "../lib/duration.ts";
import { type Matcher, matchesEmpty } from "../model/matcher.ts";
import { QueryError } from "../model/query.ts";
import { parseSelector } from "../query/parse/parse.ts";
import type { ParseLimits } from "../query/parse/parser-state.ts";
import { parseGoFloat, parseGoInt } from "./go-number.ts";

/** Parameters of one API call: the URL's query string and, for a POST form, the body's as well (the body's come first). */
export type Params = URLSearchParams;

/** Prometheus's open ends of time (web/api/v1: MinTime, MaxTime), inside what every layer can add to without overflow. */
export const MIN_TIME = -9_007_199_254_740_000;
export const MAX_TIME = 9_007_199_254_740_000;

export function invalidParameter(name: string, reason: string): QueryError {
  return new QueryError("bad_data", `invalid parameter "${name}": ${reason}`);
}

/** A time that must be given: Unix seconds with fractions, or RFC 3339. Returns Unix milliseconds. */
export function requiredTime(params: Params, name: string): number {
  const text = params.get(name) ?? "";
  const ms = timeOf(text);
  if (ms === undefined) throw invalidParameter(name, notATime(text));
  return ms;
}

/** A time that may be left out. */
export function parseTime(params: Params, name: string, fallback: number): number {
  const text = params.get(name) ?? "";
  if (text === "") return fallback;
  const ms = timeOf(text);
  if (ms === undefined) throw invalidParameter(name, `invalid time value for '${name}': ${notATime(text)}`);
  return ms;
}

function notATime(text: string): string {
  return `cannot parse ${JSON.stringify(text)} to a valid timestamp`;
}

function timeOf(text: string): number | undefined {
  const seconds = parseGoFloat(text);
  if (seconds !== undefined) {
    return Number.isFinite(seconds) ? clampTime(Math.round(seconds * 1000)) : undefined;
  }
  const ms = rfc3339(text);
  if (ms !== undefined) return ms;
  // What Prometheus formats its own open ends as.
  if (text === "-292273086-05-16T16:47:06Z") return MIN_TIME;
  if (text === "292277025-08-18T07:12:54.999999999Z") return MAX_TIME;
  return undefined;
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

/** Milliseconds of an RFC 3339 time, truncated; JavaScript's own parser rolls days like February 30 over. */
function rfc3339(text: string): number | undefined {
  const m = RFC3339.exec(text);
  if (m === null) return undefined;
  const [year, month, day, hour, minute, second] = m.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCDate() !== day) return undefined;
  const ms = Number((m[7] ?? "").padEnd(3, "0").slice(0, 3));
  const zone = m[8] as string;
  const offset =
    zone === "Z" ? 0 : (zone[0] === "-" ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4)));
  return date.getTime() + ((hour * 60 + minute - offset) * 60 + second) * 1000 + ms;
}

function clampTime(ms: number): number {
  return Math.min(MAX_TIME, Math.max(MIN_TIME, ms));
}

/** A duration as the API takes it: seconds with fractions, or Prometheus's form (`1h30m`). Returns whole milliseconds; undefined when absent. */
export function parseDurationParam(params: Params, name: string): number | undefined {
  const text = params.get(name);
  if (text === null || text === "") return undefined;
  try {
    return durationOf(text);
  } catch (e) {
    throw invalidParameter(name, (e as Error).message);
  }
}

/** A step that must be given; at least 1 ms. */
export function requiredStep(params: Params): number {
  let ms: number;
  try {
    ms = durationOf(params.get("step") ?? "");
  } catch (e) {
    throw invalidParameter("step", (e as Error).message);
  }
  if (ms > 0) return Math.max(1, Math.trunc(ms));
  throw invalidParameter(
    "step",
    "zero or negative query resolution step widths are not accepted. Try a positive integer",
  );
}

/** `lookback_delta`: absent, zero and negative all mean the default. */
export function parseLookback(params: Params): number | undefined {
  const text = params.get("lookback_delta") ?? "";
  if (text === "") return undefined;
  try {
    const ms = durationOf(text);
    return ms > 0 ? ms : undefined;
  } catch (e) {
    throw new QueryError("bad_data", `error parsing lookback delta duration: ${(e as Error).message}`);
  }
}

/** Go's longest duration, int64 nanoseconds, in seconds. */
const MAX_SECONDS = 9_223_372_036.854776;

function durationOf(text: string): number {
  const seconds = parseGoFloat(text);
  if (seconds !== undefined) {
    // By way of whole nanoseconds, which decides what 1.005 is in milliseconds.
    if (Math.abs(seconds) < MAX_SECONDS) return Math.trunc(seconds * 1e9) / 1e6;
    throw new Error(`cannot parse ${JSON.stringify(text)} to a valid duration. It overflows int64`);
  }
  try {
    return parseDuration(text);
  } catch {
    throw new Error(`cannot parse ${JSON.stringify(text)} to a valid duration`);
  }
}

/** `limit`: 0 and absent mean no limit. */
export function parseLimit(params: Params): number {
  const text = params.get("limit");
  if (text === null || text === "") return 0;
  const limit = parseGoInt(text, "Atoi");
  if (typeof limit === "string") throw invalidParameter("limit", limit);
  if (limit < 0) throw invalidParameter("limit", "limit must be non-negative");
  return limit;
}

/** The `match[]` parameters as lists of matchers. Throws QueryError whose message names no parameter. */
export function parseMatchSets(params: Params, limits?: ParseLimits): Matcher[][] {
  return params.getAll("match[]").map((text) => {
    const matchers = parseSelector(text, limits);
    if (matchers.every(matchesEmpty)) {
      throw new QueryError("bad_data", "match[] must contain at least one non-empty matcher");
    }
    return matchers;
  });
}

/** As `parseMatchSets`; the error's message begins with the parameter's name, as some of Prometheus's calls have it. */
export function matchSetsNamed(params: Params, limits?: ParseLimits): Matcher[][] {
  return naming("match[]", () => parseMatchSets(params, limits));
}

/** As `matchSetsNamed`, but selectors may be such that every series fits, as `{__name__!="up"}` is. */
export function anyMatchSets(params: Params, limits?: ParseLimits): Matcher[][] {
  return naming("match[]", () => params.getAll("match[]").map((text) => parseSelector(text, limits)));
}

function naming<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (e) {
    throw e instanceof QueryError ? invalidParameter(name, e.message) : e;
  }
}
