/**
 * Range queries as dashboards ask them, over 4,000 series, 6 h at 10 s. Each query runs over a moving end so that no
 * server's result cache answers; the median of several runs counts.
 */

import { postAll, untilVisible } from "./lib/load.ts";
import { encodeLabels, encodeRequest, snappyLiteral } from "./lib/remote-write-body.ts";
import { printTable } from "./lib/report.ts";
import { serversToMeasure, startServer } from "./lib/servers.ts";

const HOSTS = 100;
const ENDPOINTS = 20;
const STEP_MS = 10_000;
const SPAN_MS = 6 * 3600_000;
const RUNS = Number(process.env.BENCH_RUNS ?? 5);

/** Expression, range in seconds, step in seconds. */
const QUERIES: readonly (readonly [query: string, range: number, step: number])[] = [
  ['sum by (service) (rate(http_requests_total{status="500"}[5m]))', 21600, 60],
  ["avg by (region) (http_requests_total)", 21600, 60],
  ["topk(5, sum by (endpoint) (rate(http_requests_total[5m])))", 21600, 60],
  [
    'sum by (service) (rate(http_requests_total{status="500"}[5m])) / sum by (service) (rate(http_requests_total[5m]))',
    21600,
    60,
  ],
  ["max_over_time(http_requests_total[1h])", 21600, 300],
  ['rate(http_requests_total{host=~"host-1.",endpoint=~"/api/v1/(users|orders).*"}[1m])', 21600, 30],
  ['sum(rate(http_requests_total{host="host-42"}[5m]))', 3600, 15],
  ['http_requests_total{host="host-42"}', 300, 10],
  ["count by (status) (http_requests_total)", 21600, 60],
  ["quantile by (service) (0.9, rate(http_requests_total[5m]))", 21600, 60],
  ["max_over_time(sum(rate(http_requests_total[5m]))[30m:1m])", 21600, 60],
];

export async function benchQuery(): Promise<void> {
  const end = Math.floor(Date.now() / STEP_MS) * STEP_MS;
  const bodies = makeBodies(end);
  const samples = HOSTS * ENDPOINTS * 2 * (SPAN_MS / STEP_MS);
  const columns: { name: string; ms: (number | undefined)[] }[] = [];
  for (const name of serversToMeasure()) {
    const server = await startServer(name);
    try {
      // One at a time: Prometheus takes no sample out of order.
      await postAll(server.url, bodies, 1);
      const count = "sum(count_over_time(http_requests_total[7h]))";
      const seen = await untilVisible(server.url, count, end / 1000, samples, 120_000);
      if (seen !== samples) throw new Error(`${name} shows ${seen} of ${samples} samples`);
      const ms: (number | undefined)[] = [];
      for (const [query, range, step] of QUERIES) ms.push(await median(server.url, query, range, step, end / 1000));
      columns.push({ name: `${name} ${server.version}`, ms });
    } finally {
      await server.stop();
    }
  }
  const rows = QUERIES.map(([query], i) => [query, ...columns.map((c) => c.ms[i]?.toFixed(1) ?? "failed")]);
  const means = columns.map((c) =>
    Math.exp(c.ms.reduce<number>((a, v) => a + Math.log(v ?? Number.NaN), 0) / c.ms.length),
  );
  rows.push(["geometric mean", ...means.map((m) => m.toFixed(1))]);
  printTable("Range queries, milliseconds (median)", ["query", ...columns.map((c) => c.name)], rows);
}

async function median(
  url: string,
  query: string,
  range: number,
  step: number,
  end: number,
): Promise<number | undefined> {
  const times: number[] = [];
  for (let run = 0; run < RUNS + 1; run++) {
    // A moving end; a step back each time so that all of the range has data.
    const to = end - run;
    const params = new URLSearchParams({
      query,
      start: String(to - range),
      end: String(to),
      step: String(step),
      nocache: "1",
    });
    const start = performance.now();
    const response = await fetch(`${url}/api/v1/query_range?${params}`);
    const body = await response.text();
    if (!response.ok) {
      console.error(`${query}: ${response.status} ${body.slice(0, 200)}`);
      return undefined;
    }
    // The first run warms up.
    if (run > 0) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1];
}

/** 2,000 series a request, two requests a step, counters with a jitter of their own. */
function makeBodies(end: number): Buffer[] {
  const labels: Buffer[] = [];
  const paths = ["users", "orders", "items", "carts", "login"];
  for (let h = 0; h < HOSTS; h++) {
    for (let e = 0; e < ENDPOINTS; e++) {
      for (const status of ["200", "500"]) {
        labels.push(
          encodeLabels([
            ["__name__", "http_requests_total"],
            ["endpoint", `/api/v1/${paths[e % 5]}/${e}`],
            ["host", `host-${h}`],
            ["region", `region-${h % 4}`],
            ["service", `service-${h % 10}`],
            ["status", status],
          ]),
        );
      }
    }
  }
  const counters = new Float64Array(labels.length);
  const bodies: Buffer[] = [];
  let seed = 1;
  for (let t = end - SPAN_MS + STEP_MS; t <= end; t += STEP_MS) {
    for (let i = 0; i < counters.length; i++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      counters[i]! += i % 2 === 0 ? 50 + (seed >>> 26) : seed >>> 30;
    }
    const ts = [t];
    for (let from = 0; from < labels.length; from += 2000) {
      const part = labels.slice(from, from + 2000);
      bodies.push(snappyLiteral(encodeRequest(part, (i) => ({ ts, values: [counters[from + i]!] }))));
    }
  }
  return bodies;
}
