/**
 * Dashboards that refresh while samples are written: 50 dashboards of 20 panels, each asking for all its panels every 10 s, over the
 * last hour of 4,000 series; meanwhile another process writes 200,000 samples/s of 200,000 other series. A panel's time counts from the
 * moment of the refresh, also when it had to wait. Tocsin with and without its cache of results, and the peers with theirs.
 *
 * BENCH_DASHBOARDS, BENCH_RATE (samples/s), BENCH_SERIES (of the writer), BENCH_SECONDS: other sizes. BENCH_BURST=1: all dashboards
 * refresh in the same moment; else their refreshes are spread over the 10 s.
 */
import { Agent, get } from "node:http";
import { FLEET_METRIC } from "./lib/fleet.ts";
import { postAll, settled, untilVisible } from "./lib/load.ts";
import { note, printTable } from "./lib/report.ts";
import { makeRequestSeries, type RequestSeries, requestBodies } from "./lib/request-series.ts";
import { type Server, type ServerName, serversToMeasure, startServer } from "./lib/servers.ts";
import { stolenSince, usageOf } from "./lib/usage.ts";
import { startWriter } from "./lib/writer.ts";

const DASHBOARDS = Number(process.env.BENCH_DASHBOARDS ?? 50);
const RATE = Number(process.env.BENCH_RATE ?? 200_000);
const SERIES = Number(process.env.BENCH_SERIES ?? 200_000);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 40);
const IS_BURST = process.env.BENCH_BURST === "1";
const REFRESH_MS = 10_000;
const INTERVAL_MS = 10_000;
const SPAN_S = 3600;
const STEP_S = 15;
const HOSTS = 100;

/** The panels of dashboard d, which is one service's, or one host's where they are more. */
function panelsOf(d: number): string[] {
  const host = `host="host-${d % HOSTS}"`;
  const service = `service="service-${d % 10}"`;
  const endpoint = (e: number): string =>
    `endpoint="/api/v1/${["users", "orders", "items", "carts", "login"][e]}/${e}"`;
  const m = "http_requests_total";
  return [
    `sum(rate(${m}{${host}}[5m]))`,
    `sum by (status) (rate(${m}{${host}}[5m]))`,
    `sum by (endpoint) (rate(${m}{${host}}[5m]))`,
    `sum(rate(${m}{${host},status="500"}[5m])) / sum(rate(${m}{${host}}[5m]))`,
    `topk(5, rate(${m}{${host},status="200"}[5m]))`,
    `${m}{${host},status="500"}`,
    `increase(${m}{${host},status="500"}[15m])`,
    `max_over_time(${m}{${host},${endpoint(0)}}[10m])`,
    `sum(rate(${m}{${service}}[5m]))`,
    `sum by (status) (rate(${m}{${service}}[1m]))`,
    `sum by (host) (rate(${m}{${service},status="500"}[5m]))`,
    `sum(rate(${m}{${service},status="500"}[5m])) / sum(rate(${m}{${service}}[5m]))`,
    `quantile(0.9, rate(${m}{${service},status="200"}[5m]))`,
    `avg by (region) (rate(${m}{${service}}[5m]))`,
    `count(${m}{${service}})`,
    ...[0, 1, 2, 3, 4].map((e) => `sum by (host) (rate(${m}{${service},${endpoint(e)}}[5m]))`),
  ];
}

interface Answers {
  readonly ms: number[];
  errors: number;
  firstError: string;
}

/** Asks for all panels of a dashboard at once; resolves when all are answered. */
async function refresh(server: Server, agent: Agent, d: number, due: number, answers: Answers): Promise<void> {
  // Whole steps, as dashboards ask: an earlier answer's points can be used again.
  const end = Math.floor(Date.now() / 1000 / STEP_S) * STEP_S;
  const ask = async (query: string): Promise<void> => {
    const params = new URLSearchParams({ query, start: String(end - SPAN_S), end: String(end), step: String(STEP_S) });
    try {
      const { status, text } = await answerOf(`${server.url}/api/v1/query_range?${params}`, agent);
      if (status !== 200 || text.includes('"result":[]')) throw new Error(`${query}: ${status} ${text.slice(0, 200)}`);
      answers.ms.push(performance.now() - due);
    } catch (error) {
      answers.errors++;
      answers.firstError ||= (error as Error).message;
    }
  };
  await Promise.all(panelsOf(d).map(ask));
}

function answerOf(url: string, agent: Agent): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    request.on("error", reject);
  });
}

const sleepUntil = (at: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, at - performance.now())));

/** Refreshes all dashboards for so long; each asks again after 10 s, or once it has all answers when that takes longer. */
async function watch(server: Server, seconds: number): Promise<Answers> {
  const answers: Answers = { ms: [], errors: 0, firstError: "" };
  const start = performance.now() + 100;
  const dashboard = async (d: number): Promise<void> => {
    // A browser's connections to one server.
    const agent = new Agent({ keepAlive: true, maxSockets: 6 });
    const first = start + (IS_BURST ? 0 : (d * REFRESH_MS) / DASHBOARDS);
    for (let due = first; due < start + seconds * 1000; due += REFRESH_MS) {
      await sleepUntil(due);
      await refresh(server, agent, d, due, answers);
    }
    agent.destroy();
  };
  await Promise.all(Array.from({ length: DASHBOARDS }, (_, d) => dashboard(d)));
  return answers;
}

/** The dashboards' own series go on as well while they are watched. */
function keepWriting(server: Server, series: RequestSeries, from: number): { end(): Promise<void> } {
  let at = from;
  let ending = false;
  const running = (async () => {
    while (!ending) {
      if (at + INTERVAL_MS > Date.now()) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      await postAll(server.url, requestBodies(series, at, at + INTERVAL_MS, INTERVAL_MS), 1);
      at += INTERVAL_MS;
    }
  })();
  return {
    end: () => {
      ending = true;
      return running;
    },
  };
}

interface Candidate {
  readonly title: string;
  readonly name: ServerName;
  readonly config?: string;
}

function candidates(): Candidate[] {
  return serversToMeasure().flatMap((name): Candidate[] =>
    name === "tocsin"
      ? [
          { title: "tocsin, results cache", name },
          { title: "tocsin, no results cache", name, config: "limits: { query_cache_size: 0 }\n" },
        ]
      : [{ title: name, name }],
  );
}

export async function benchQueryDashboards(): Promise<void> {
  const rows: string[][] = [];
  const notes: string[] = [];
  for (const { title, name, config } of candidates()) {
    const server = await startServer(name, { config: config ?? "", resultsCache: true });
    try {
      const series = makeRequestSeries(HOSTS, 20);
      const from = Math.floor(Date.now() / INTERVAL_MS) * INTERVAL_MS;
      await postAll(server.url, requestBodies(series, from - (SPAN_S + 1200) * 1000, from, INTERVAL_MS), 1);
      const own = keepWriting(server, series, from);
      const writer = startWriter(server.url, SERIES, RATE);
      // One round of refreshes warms up; by then the writer's series are known.
      await watch(server, REFRESH_MS / 1000);
      const before = usageOf(server.pid);
      const { ms, errors, firstError } = await watch(server, SECONDS);
      const after = usageOf(server.pid);
      const written = await writer.end();
      await own.end();
      await settled(server);
      const count = `sum(count_over_time(${FLEET_METRIC}[${Math.ceil((written.to - written.from) / 1000) + 60}s]))`;
      const seen = await untilVisible(server.url, count, written.to / 1000, written.samples, 60_000);
      ms.sort((a, b) => a - b);
      const at = (q: number): string =>
        `${(ms[Math.min(ms.length - 1, Math.floor(q * ms.length))] ?? 0).toFixed(0)} ms`;
      rows.push([
        title,
        at(0.5),
        at(0.9),
        at(0.99),
        at(1),
        ms.length.toLocaleString("en-US"),
        String(errors),
        Math.round(written.samples / written.seconds).toLocaleString("en-US"),
        (written.samples - seen).toLocaleString("en-US"),
        (after.tree.cpuSeconds - before.tree.cpuSeconds).toFixed(0),
        stolenSince(before.machine, after.machine),
      ]);
      if (errors > 0) notes.push(`${title}: ${firstError}`);
      if (written.behindMs > 1000)
        notes.push(`${title}: writes were up to ${(written.behindMs / 1000).toFixed(1)} s behind`);
    } finally {
      await server.stop();
    }
  }
  const moment = IS_BURST ? "all in one moment" : "one after another";
  const rate = RATE.toLocaleString("en-US");
  printTable(
    `${DASHBOARDS} dashboards of 20 panels every 10 s, ${moment}, for ${SECONDS} s; ${rate} samples/s are written`,
    ["server", "p50", "p90", "p99", "max", "answers", "errors", "samples/s", "lost", "CPU s", "stolen"],
    rows,
  );
  for (const text of notes) note(text);
}
