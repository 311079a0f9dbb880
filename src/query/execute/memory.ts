import { QueryError } from "../../model/query.ts";
import type { Vector } from "./vector.ts";

/** The points that a query holds in front at a time, held against the limit before there is room made for them. */
export interface Held {
  readonly limits: { readonly maxSamples: number };
  points: number;
  /** The most that there have been. */
  peak: number;
}

const TOO_MANY = "query processing would load too many samples into memory in query execution";

/** Prometheus's error for a query that holds too much, and what to change. */
export function tooManySamples(limit: number): QueryError {
  return new QueryError("execution", `${TOO_MANY} (over the limit of ${limit}, limits.max_query_samples)`);
}

export function isTooMany(error: QueryError): boolean {
  return error.message.startsWith(TOO_MANY);
}

/** Counts points that are about to be made. Throws `QueryError` ("execution") when that would be too many. */
export function hold(held: Held, points: number): void {
  if (held.points + points > held.limits.maxSamples) throw tooManySamples(held.limits.maxSamples);
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
