import type { QueryData } from "../query/answer.ts";
import { ask, type Server } from "../query/client.ts";
import { UsageError } from "../query/times.ts";

/** Steps of the look for the first data. */
const STEPS = 200;
const LOOKS = 2;
/** A range that begins so long before its data is taken as it is. */
const NEAR_MS = 86_400_000;
const YEAR_MS = 366 * 86_400_000;

/** The beginning is looked for so closely. */
const CLOSE_MS = 3_600_000;

/**
 * From when on something is stored between the times, to an hour; `from` where that is near.
 * Throws `UsageError` when nothing is, with from when on there is something.
 */
export async function firstInRange(server: Server, from: number, to: number): Promise<number> {
  if (await anything(server, from, to)) {
    if (await anything(server, from, Math.min(to, from + NEAR_MS))) return from;
    let [before, until] = [from, to];
    while (until - before > CLOSE_MS) {
      const middle = Math.floor((before + until) / 2);
      if (await anything(server, from, middle)) until = middle;
      else before = middle;
    }
    return before;
  }
  const since = await firstData(server, to);
  const shown = (ms: number) => new Date(ms).toISOString();
  const hint =
    since === undefined
      ? "the server tells of no data at any time"
      : `the server has data from about ${shown(since)} on`;
  throw new UsageError(`nothing is stored from ${shown(from)} to ${shown(to)}; ${hint}`);
}

async function anything(server: Server, from: number, to: number): Promise<boolean> {
  const params: [string, string][] = [
    ["start", String(from / 1000)],
    ["end", String(to / 1000)],
    ["limit", "1"],
  ];
  return (await ask<readonly string[]>(server, "/api/v1/label/__name__/values", params, "GET")).data.length > 0;
}

/** From about when on there is data, by looking ever closer; undefined where there is none, or nobody can tell. */
async function firstData(server: Server, around: number): Promise<number | undefined> {
  let end = Date.now();
  let start = Math.min(around, end) - 2 * YEAR_MS;
  let found: number | undefined;
  for (let look = 0; look < LOOKS; look++) {
    const step = Math.ceil((end - start) / STEPS / 1000);
    const params: [string, string][] = [
      ["query", `count(count_over_time({__name__=~".+"}[${step}s]))`],
      ["start", String(start / 1000)],
      // The last window has to cover the end.
      ["end", String(end / 1000 + step)],
      ["step", String(step)],
    ];
    try {
      const { data } = await ask<QueryData>(server, "/api/v1/query_range", params);
      const first = data.resultType === "matrix" ? data.result[0]?.values?.[0]?.[0] : undefined;
      if (first === undefined) return found;
      found = (first - step) * 1000;
    } catch {
      return found;
    }
    start = found;
    end = found + step * 1000;
  }
  return found;
}
