import { QueryError } from "../../model/query.ts";
import type { ShardPartials, ShardRaw, ShardRows } from "../plan/shard-plan.ts";
import type { Vector } from "./vector.ts";

/** The points that a query holds in front at a time, held against the limit before there is room made for them. */
export interface Held {
  readonly limits: { readonly maxSamples: number; readonly maxMemoryBytes?: number };
  points: number;
  /** Of labels and samples that came from the shards. */
  bytes?: number;
  /** The most that there have been. */
  peak: number;
}

const TOO_MANY = "query processing would load too many samples into memory in query execution";
const TOO_MUCH = "the query would hold more than";

/** Prometheus's error for a query that holds too much, and what to change. */
export function tooManySamples(limit: number): QueryError {
  return new QueryError("execution", `${TOO_MANY} (over the limit of ${limit}, limits.max_query_samples)`);
}

/** Whether it is `tooManySamples` or `tooMuchMemory`. */
export function isTooMany(error: QueryError): boolean {
  return error.message.startsWith(TOO_MANY) || error.message.startsWith(TOO_MUCH);
}

/** Bytes of a point: the value, and of what kind it is. */
export const POINT_BYTES = 9;

export function tooMuchMemory(limit: number): QueryError {
  const what = `${TOO_MUCH} ${limit} bytes in memory`;
  return new QueryError("execution", `${what} (limits.max_query_memory): ask for fewer series or a shorter time`);
}

/** The error of a selector that matches too many series, in all shards together or one alone. */
export function tooManySeries(matched: number, limit: number): QueryError {
  const text = `the selector matches ${matched} series, over the limit of ${limit} (limits.max_query_series): narrow the matchers`;
  return new QueryError("execution", text);
}

/** The error of selectors that match too many series together, none of them alone. */
export function tooManyTogether(matched: number, selectors: number, limit: number): QueryError {
  const what = `the query's ${selectors} selectors match ${matched} series together`;
  return new QueryError(
    "execution",
    `${what}, over the limit of ${limit} (limits.max_query_series): narrow the matchers`,
  );
}

/** About what a set of labels takes besides its strings. */
export const SET_BYTES = 48;

/** Bytes that an answer brings besides points of rows and groups: labels, raw samples. */
export function answerBytes(answer: ShardRows | ShardPartials | ShardRaw): number {
  const { strings, ids, ends } = answer.labels;
  let bytes = 12 * ids.length + SET_BYTES * ends.length;
  for (const text of strings) bytes += text.length + 24;
  if (answer.kind === "raw") bytes += 16 * answer.ts.length + answer.histograms.length;
  return bytes;
}

/** Counts bytes besides points that are held from now on. Throws `QueryError` ("execution") when that is too much. */
export function holdBytes(held: Held, bytes: number): void {
  held.bytes = (held.bytes ?? 0) + bytes;
  checkMemory(held, held.points);
}

/** What `holdBytes` counted, when it is not held any more. */
export function releaseBytes(held: Held, bytes: number): void {
  held.bytes = Math.max(0, (held.bytes ?? 0) - bytes);
}

function checkMemory({ limits, bytes = 0 }: Held, points: number): void {
  const most = limits.maxMemoryBytes ?? Number.POSITIVE_INFINITY;
  if (points * POINT_BYTES + bytes > most) throw tooMuchMemory(most);
}

/** Counts points that are about to be made. Throws `QueryError` ("execution") when that would be too many. */
export function hold(held: Held, points: number): void {
  if (held.points + points > held.limits.maxSamples) throw tooManySamples(held.limits.maxSamples);
  checkMemory(held, held.points + points);
  held.points += points;
  if (held.points > held.peak) held.peak = held.points;
}

/** Refuses what has more steps than points are allowed: it would have one row at least. */
export function checkSteps(held: Held, steps: number): void {
  if (steps > held.limits.maxSamples) throw tooManySamples(held.limits.maxSamples);
}

/** The vectors are not needed any more. */
export function release(held: Held, ...vectors: readonly Vector[]): void {
  for (const v of vectors) held.points = Math.max(0, held.points - v.labels.length * v.steps);
}

/** An operator's result takes the place of its operands. */
export function replaced(held: Held, operands: readonly Vector[], result: Vector): Vector {
  const before = operands.reduce((sum, v) => sum + v.labels.length * v.steps, 0);
  held.points = Math.max(0, held.points + result.labels.length * result.steps - before);
  return result;
}
