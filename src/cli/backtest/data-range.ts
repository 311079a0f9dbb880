import type { QueryData } from "../query/answer.ts";
import { ask, type Server } from "../query/client.ts";
import { UsageError } from "../query/times.ts";

/** Steps of the look for the first data. */
const STEPS = 200;
const YEAR_MS = 366 * 86_400_000;

/** Throws `UsageError` when nothing is stored between the times, with from when on there is something. */
export async function checkDataRange(server: Server, from: number, to: number): Promise<void> {
  if (await anything(server, from, to)) return;
  const since = await firstData(server, to);
  const shown = (ms: number) => new Date(ms).toISOString();
  const hint =
    since === undefined ? "the server has no data at all" : `the server has data from about ${shown(since)} on`;
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

async function firstData(server: Server, around: number): Promise<number | undefined> {
  const end = Date.now();
  const start = Math.min(around, end) - 2 * YEAR_MS;
  const params: [string, string][] = [
    ["query", 'count({__name__=~".+"})'],
    ["start", String(start / 1000)],
    ["end", String(end / 1000)],
    ["step", String(Math.ceil((end - start) / STEPS / 1000))],
  ];
  try {
    const { data } = await ask<QueryData>(server, "/api/v1/query_range", params);
    const first = data.resultType === "matrix" ? data.result[0]?.values?.[0]?.[0] : undefined;
    return first === undefined ? undefined : first * 1000;
  } catch {
    return undefined;
  }
}
