/**
 * Range queries over a year of 1,000 series, whose windows align with hours: Tocsin answers from its rollups, VictoriaMetrics from its
 * samples. Cold and warm as in query-blocks.ts.
 *
 * BENCH_INTERVAL: seconds between two samples of a series, 900 by default, so that it loads within a minute. Denser ones make raw
 * samples dearer, not rollups. BENCH_HOSTS is at least 8, BENCH_DAYS at least 7.
 */
import { coldAndWarm, type History, loadHistory, samplesOf } from "./lib/history.ts";
import { printTimes, type RangeQuery, type TimeColumn } from "./lib/range-queries.ts";
import { note } from "./lib/report.ts";
import { type Server, startServer } from "./lib/servers.ts";
import { serversOfHistory } from "./query-blocks.ts";

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;
const DAY_MS = DAY_S * 1000;
const DAYS = Number(process.env.BENCH_DAYS ?? 365);
const INTERVAL_MS = Number(process.env.BENCH_INTERVAL ?? 900) * 1000;
const HOSTS = Number(process.env.BENCH_HOSTS ?? 50);
const RUNS = Number(process.env.BENCH_RUNS ?? 15);

const range = (DAYS - 5) * DAY_S;
const QUERIES: readonly RangeQuery[] = [
  { query: "sum by (service) (rate(http_requests_total[1h]))", range, step: HOUR_S },
  { query: "sum by (service) (rate(http_requests_total[6h]))", range, step: 6 * HOUR_S },
  { query: "sum by (region) (increase(http_requests_total[1d]))", range, step: DAY_S },
  { query: "max by (service) (max_over_time(http_requests_total[6h]))", range, step: 6 * HOUR_S },
  { query: 'avg_over_time(http_requests_total{host="host-7"}[6h])', range, step: 6 * HOUR_S },
  { query: 'rate(http_requests_total{host="host-7",status="500"}[1d])', range, step: DAY_S },
];

export async function benchQueryRollups(): Promise<void> {
  const end = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS;
  const history: History = { hosts: HOSTS, endpoints: 10, end, spanMs: DAYS * DAY_MS, intervalMs: INTERVAL_MS };
  const columns: TimeColumn[] = [];
  const notes: string[] = [];
  for (const name of serversOfHistory()) {
    const server = await startServer(name, { config: "storage: { retention: { raw: 1000d, 1m: 1000d } }\n" });
    try {
      const { load, rest } = await loadHistory(server, history);
      notes.push(`${name}: loaded in ${load.toFixed(0)} s, merged and rolled up ${rest.toFixed(0)} s later`);
      const cold: (number | undefined)[] = [];
      const warm: (number | undefined)[] = [];
      for (const query of QUERIES) {
        // Moves by whole steps, within the days that the range leaves.
        const move = query.step <= 6 * HOUR_S ? query.step : HOUR_S;
        const times = await coldAndWarm(server, query, end / 1000 - HOUR_S, RUNS, move);
        cold.push(times.cold);
        warm.push(times.warm);
      }
      if (name === "tocsin") notes.push(`tiers read: ${await tiersRead(server, end / 1000)}`);
      columns.push({ name: `${name} ${server.version}, cold`, ms: cold }, { name: "warm", ms: warm });
    } finally {
      await server.stop();
    }
  }
  const samples = samplesOf(history).toLocaleString("en-US");
  const title = `${DAYS} days of ${20 * HOSTS} series every ${INTERVAL_MS / 1000} s, ${samples} samples: ms`;
  printTimes(title, QUERIES, columns);
  note(`${notes.join("; ")}.`);
}

/** What the statistics of the queries' answers say they were read from. */
async function tiersRead(server: Server, end: number): Promise<string> {
  const tiers = new Set<string>();
  for (const { query, range: span, step } of QUERIES) {
    const params = { query, start: String(end - span), end: String(end), step: String(step), stats: "1" };
    const response = await fetch(`${server.url}/api/v1/query_range?${new URLSearchParams(params)}`);
    const { data } = (await response.json()) as { data: { stats?: { tiers?: { tier: string }[] } } };
    for (const { tier } of data.stats?.tiers ?? []) tiers.add(tier);
  }
  return [...tiers].join(", ");
}
