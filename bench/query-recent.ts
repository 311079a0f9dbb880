/**
 * Range queries as dashboards ask them, over 4,000 series, 6 h at 10 s. Each query runs over a moving end so that no
 * server's result cache answers; the median of several runs counts.
 */
import { postAll, untilVisible } from "./lib/load.ts";
import { medianTime, printTimes, type RangeQuery, type TimeColumn } from "./lib/range-queries.ts";
import { makeRequestSeries, REQUESTS, requestBodies } from "./lib/request-series.ts";
import { type Server, serversToMeasure, startServer } from "./lib/servers.ts";

export const STEP_MS = 10_000;
const SPAN_MS = 6 * 3600_000;
const RUNS = Number(process.env.BENCH_RUNS ?? 15);

const hours = (query: string, step: number): RangeQuery => ({ query, range: SPAN_MS / 1000, step });

export const RECENT_QUERIES: readonly RangeQuery[] = [
  hours('sum by (service) (rate(http_requests_total{status="500"}[5m]))', 60),
  hours("avg by (region) (http_requests_total)", 60),
  hours("topk(5, sum by (endpoint) (rate(http_requests_total[5m])))", 60),
  hours(
    'sum by (service) (rate(http_requests_total{status="500"}[5m])) / sum by (service) (rate(http_requests_total[5m]))',
    60,
  ),
  hours("max_over_time(http_requests_total[1h])", 300),
  hours('rate(http_requests_total{host=~"host-1.",endpoint=~"/api/v1/(users|orders).*"}[1m])', 30),
  { query: 'sum(rate(http_requests_total{host="host-42"}[5m]))', range: 3600, step: 15 },
  { query: 'http_requests_total{host="host-42"}', range: 300, step: 10 },
  hours("count by (status) (http_requests_total)", 60),
  hours("quantile by (service) (0.9, rate(http_requests_total[5m]))", 60),
  hours("max_over_time(sum(rate(http_requests_total[5m]))[30m:1m])", 60),
];

/** Loads the series, the last samples at `end` (Unix ms); throws when not all of them can be seen. */
export async function loadRecent(server: Server, end: number): Promise<void> {
  const series = makeRequestSeries(100, 20);
  // One request at a time: Prometheus takes no sample out of order.
  await postAll(server.url, requestBodies(series, end - SPAN_MS, end, STEP_MS), 1);
  const samples = series.labels.length * (SPAN_MS / STEP_MS);
  const seen = await untilVisible(server.url, `sum(count_over_time(${REQUESTS}[7h]))`, end / 1000, samples, 120_000);
  if (seen !== samples) throw new Error(`${server.name} shows ${seen} of ${samples} samples`);
}

/** Medians of all queries. */
export async function measureRecent(server: Server, end: number): Promise<(number | undefined)[]> {
  const ms: (number | undefined)[] = [];
  for (const query of RECENT_QUERIES) ms.push(await medianTime(server.url, query, end / 1000, RUNS));
  return ms;
}

export async function benchQueryRecent(): Promise<void> {
  const end = Math.floor(Date.now() / STEP_MS) * STEP_MS;
  const columns: TimeColumn[] = [];
  for (const name of serversToMeasure()) {
    const server = await startServer(name);
    try {
      await loadRecent(server, end);
      columns.push({ name: `${name} ${server.version}`, ms: await measureRecent(server, end) });
    } finally {
      await server.stop();
    }
  }
  printTimes("Range queries, milliseconds (median)", RECENT_QUERIES, columns);
}
