/** Timing of range queries over HTTP, and tables of them. */
import { Agent, request } from "node:http";
import { printTable } from "./report.ts";

/** One connection that stays open: a client that takes as little time of its own as it can. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

export interface RangeQuery {
  readonly query: string;
  /** Seconds. */
  readonly range: number;
  readonly step: number;
}

/** Milliseconds of one query whose last point is at `end` (Unix seconds); undefined where it was not answered, which is said. */
export async function timeQuery(url: string, query: RangeQuery, end: number): Promise<number | undefined> {
  const params = new URLSearchParams({
    query: query.query,
    start: String(end - query.range),
    end: String(end),
    step: String(query.step),
    nocache: "1",
  });
  const { status, body, ms } = await timedGet(new URL(`${url}/api/v1/query_range?${params}`));
  const text = body.toString();
  if (status === 200 && !text.includes('"result":[]')) return ms;
  console.error(`${query.query}: ${status} ${text.slice(0, 200)}`);
  return undefined;
}

/** `ms` ends with the last byte of the body. */
function timedGet(url: URL): Promise<{ status: number; body: Buffer; ms: number }> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const sent = request(url, { agent }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => {
        const ms = performance.now() - start;
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces), ms });
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}

/**
 * The median of `runs` after one that warms up. The end moves from run to run, by `move` seconds, so that no cache of results answers;
 * backwards, so that all of the range has data.
 */
export async function medianTime(
  url: string,
  query: RangeQuery,
  end: number,
  runs: number,
  move = 1,
): Promise<number | undefined> {
  const times: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const ms = await timeQuery(url, query, end - run * move);
    if (ms === undefined) return undefined;
    if (run > 0) times.push(ms);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

export interface TimeColumn {
  readonly name: string;
  readonly ms: readonly (number | undefined)[];
}

/** A row a query, a column a server, and their geometric means, which are left empty where a query failed. */
export function printTimes(title: string, queries: readonly RangeQuery[], columns: readonly TimeColumn[]): void {
  const rows = queries.map(({ query }, i) => [query, ...columns.map((c) => c.ms[i]?.toFixed(1) ?? "failed")]);
  rows.push(["geometric mean", ...columns.map((c) => geometricMean(c.ms)?.toFixed(1) ?? "")]);
  printTable(title, ["query", ...columns.map((c) => c.name)], rows);
}

export function geometricMean(values: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const v of values) {
    if (v === undefined) return undefined;
    sum += Math.log(v);
  }
  return Math.exp(sum / values.length);
}
