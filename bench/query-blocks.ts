/**
 * Range queries over 30 days of 1,000 series that lie in blocks on disk: the first run after a start with nothing of it in memory
 * (cold), and the median of the next ones (warm). No end is a multiple of a minute, so that raw samples answer.
 *
 * BENCH_INTERVAL: seconds between two samples of a series. 60 by default, so that it loads within a minute; 15 are four times as many.
 * BENCH_HOSTS: 20 series each, at least 8 of them, since queries name one. BENCH_DAYS, at least 1.
 * Prometheus, which takes long for such a load, is measured where BENCH_SERVERS names it.
 */
import { coldAndWarm, type History, loadHistory, samplesOf } from "./lib/history.ts";
import { printTimes, type RangeQuery, type TimeColumn } from "./lib/range-queries.ts";
import { note } from "./lib/report.ts";
import { type ServerName, serversToMeasure, startServer } from "./lib/servers.ts";

const DAY_S = 86_400;
const DAY_MS = DAY_S * 1000;
const DAYS = Number(process.env.BENCH_DAYS ?? 30);
const INTERVAL_MS = Number(process.env.BENCH_INTERVAL ?? 60) * 1000;
const HOSTS = Number(process.env.BENCH_HOSTS ?? 50);
const RUNS = Number(process.env.BENCH_RUNS ?? 15);

const all = DAYS * DAY_S;
const QUERIES: readonly RangeQuery[] = [
  { query: 'sum by (service) (rate(http_requests_total{status="500"}[5m]))', range: all, step: 3600 },
  { query: "avg by (region) (http_requests_total)", range: all, step: 3600 },
  { query: 'max_over_time(http_requests_total{host="host-7"}[1h])', range: all, step: 3600 },
  { query: "sum by (endpoint) (increase(http_requests_total[1d]))", range: all, step: DAY_S },
  { query: "quantile by (service) (0.9, rate(http_requests_total[5m]))", range: 7 * DAY_S, step: 600 },
  { query: 'http_requests_total{host="host-7"}', range: DAY_S, step: 60 },
];

/** Those that are measured when nobody says which: not Prometheus. */
export function serversOfHistory(): ServerName[] {
  return serversToMeasure().filter((name) => name !== "prometheus" || process.env.BENCH_SERVERS !== undefined);
}

export async function benchQueryBlocks(): Promise<void> {
  const end = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS;
  const history: History = { hosts: HOSTS, endpoints: 10, end, spanMs: DAYS * DAY_MS, intervalMs: INTERVAL_MS };
  const columns: TimeColumn[] = [];
  const loads: string[] = [];
  for (const name of serversOfHistory()) {
    const server = await startServer(name, { config: `storage: { retention: { raw: ${3 * DAYS}d } }\n` });
    try {
      const { load, rest } = await loadHistory(server, history);
      loads.push(`${name}: loaded in ${load.toFixed(0)} s, merged ${rest.toFixed(0)} s later`);
      const cold: (number | undefined)[] = [];
      const warm: (number | undefined)[] = [];
      for (const query of QUERIES) {
        const times = await coldAndWarm(server, query, end / 1000 - 13, RUNS, 7);
        cold.push(times.cold);
        warm.push(times.warm);
      }
      const title = `${name} ${server.version}`;
      columns.push({ name: `${title}, cold`, ms: cold }, { name: "warm", ms: warm });
    } finally {
      await server.stop();
    }
  }
  const samples = samplesOf(history).toLocaleString("en-US");
  printTimes(
    `${DAYS} days of ${20 * HOSTS} series every ${INTERVAL_MS / 1000} s, ${samples} samples: ms`,
    QUERIES,
    columns,
  );
  note(
    `${loads.join("; ")}. Before each cold run the server is started anew, its files forgotten by the operating system.`,
  );
}
