/**
 * An alert storm: BENCH_ALERTS (50,000) alerts of BENCH_GROUPS (1,000) services posted within BENCH_SECONDS (10) to
 * `/api/v2/alerts`, while the API is asked. Whether every group is told of all its alerts, once; what senders and askers wait;
 * what it takes of memory. Alertmanager does the same, where it is found.
 */
import { Agent, createServer, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { findAlertmanager, startAlertmanager } from "./lib/alertmanager.ts";
import { treeUsage } from "./lib/process-tree.ts";
import { printTable } from "./lib/report.ts";
import { freePort, startServer } from "./lib/servers.ts";

const ALERTS = Number(process.env.BENCH_ALERTS ?? 50_000);
const GROUPS = Number(process.env.BENCH_GROUPS ?? 1_000);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 10);
const A_REQUEST = 100;
/** What the last groups are waited for after the storm, ms. */
const PATIENCE_MS = 120_000;
/** Questions that are asked again and again, each of the whole. */
const ASKED = ["/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/alerts?filter=service%3D%22s1%22"];

interface Storm {
  readonly name: string;
  readonly posted: readonly number[];
  readonly refused: number;
  readonly asked: ReadonlyMap<string, readonly number[]>;
  readonly lastToldMs: number;
  readonly notifications: number;
  readonly groupsTold: number;
  readonly alertsTold: number;
  readonly repeated: number;
  readonly rssBefore: number;
  readonly rssPeak: number;
  readonly cpuSeconds: number;
}

interface Target {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** Asked of this one alone. */
  readonly more: readonly string[];
  stop(): Promise<void>;
}

export async function benchAlertStorm(): Promise<void> {
  const storms = [await storm(startTocsin)];
  const peer = findAlertmanager();
  if (peer === undefined) console.log("alertmanager is not installed and not measured");
  else storms.push(await storm((hook) => startPeer(peer, hook)));
  const ms = (all: readonly number[], q: number) => `${Math.round(quantile(all, q))} ms`;
  printTable(
    `${ALERTS} alerts of ${GROUPS} groups in ${SECONDS} s, ${A_REQUEST} a request`,
    ["", "groups told", "alerts told", "told twice", "notifications", "last told after the storm", "requests refused"],
    storms.map((s) => [
      s.name,
      `${s.groupsTold} of ${GROUPS}`,
      `${s.alertsTold} of ${ALERTS}`,
      String(s.repeated),
      String(s.notifications),
      `${(s.lastToldMs / 1000).toFixed(1)} s`,
      String(s.refused),
    ]),
  );
  printTable(
    "Memory and CPU, and what a sender waits for",
    ["", "RSS before", "RSS at most", "more an alert", "CPU", "POST p50", "p99", "max"],
    storms.map((s) => [
      s.name,
      `${Math.round(s.rssBefore / 1e6)} MB`,
      `${Math.round(s.rssPeak / 1e6)} MB`,
      `${Math.round((s.rssPeak - s.rssBefore) / ALERTS)} bytes`,
      `${s.cpuSeconds.toFixed(1)} s`,
      ms(s.posted, 0.5),
      ms(s.posted, 0.99),
      ms(s.posted, 1),
    ]),
  );
  printTable(
    "What is answered during the storm (to hold: 1 s)",
    ["", "question", "asked", "p50", "p99", "max"],
    storms.flatMap((s) =>
      [...s.asked].map(([path, all]) => [s.name, path, String(all.length), ms(all, 0.5), ms(all, 0.99), ms(all, 1)]),
    ),
  );
}

async function storm(start: (hook: string) => Promise<Target>): Promise<Storm> {
  const told = new Map<string, number>();
  const groups = new Set<string>();
  let notifications = 0;
  let lastTold = 0;
  const hook = createServer((incoming, response) => {
    const pieces: Buffer[] = [];
    incoming.on("data", (piece: Buffer) => pieces.push(piece));
    incoming.on("end", () => {
      response.end();
      const body = JSON.parse(Buffer.concat(pieces).toString()) as Told;
      notifications++;
      lastTold = performance.now();
      groups.add(body.groupLabels.service);
      for (const { labels } of body.alerts) {
        // A group that goes on tells of the alerts of before with the new ones: that is one notification for each change.
        told.set(labels.instance, (told.get(labels.instance) ?? 0) + 1);
      }
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => hook.listen(port, "127.0.0.1", resolve));
  const target = await start(`http://127.0.0.1:${port}/`);
  try {
    const before = treeUsage(target.pid);
    let rssPeak = before.rssBytes;
    const over = new AbortController();
    const watching = (async () => {
      while (!over.signal.aborted) {
        rssPeak = Math.max(rssPeak, treeUsage(target.pid).rssBytes);
        await sleep(250);
      }
    })();
    const asked = new Map<string, number[]>();
    const asking = [...ASKED, ...target.more].map((path) => ask(target.url, path, 1_000, asked, over.signal));
    asking.push(ask(target.url, "/-/healthy", 20, asked, over.signal));
    const { times, refused } = await postAll(target.url);
    const ended = performance.now();
    // The slowest that is known: all alerts are looked at again after this.
    await silence(target.url);
    while (told.size < ALERTS && performance.now() - ended < PATIENCE_MS) await sleep(100);
    await sleep(2_000);
    over.abort();
    await Promise.all([watching, ...asking]);
    const after = treeUsage(target.pid);
    return {
      name: target.name,
      posted: times,
      refused,
      asked,
      lastToldMs: Math.max(0, lastTold - ended),
      notifications,
      groupsTold: groups.size,
      alertsTold: told.size,
      repeated: [...told.values()].filter((n) => n > 1).length,
      rssBefore: before.rssBytes,
      rssPeak,
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    };
  } finally {
    await target.stop();
    hook.close();
  }
}

interface Told {
  readonly groupLabels: { readonly service: string };
  readonly alerts: readonly { readonly labels: { readonly instance: string } }[];
}

/** Posts all alerts, spread over the time; resolves with what each request took. */
async function postAll(url: string): Promise<{ times: number[]; refused: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const times: number[] = [];
  let refused = 0;
  const requests = Math.ceil(ALERTS / A_REQUEST);
  const begin = performance.now();
  const one = async (n: number) => {
    await sleep(Math.max(0, begin + (n / requests) * SECONDS * 1000 - performance.now()));
    const body = Buffer.from(JSON.stringify(alertsOf(n)));
    const started = performance.now();
    for (;;) {
      const { status, text } = await call(agent, "POST", url, "/api/v2/alerts", body);
      if (status === 200) break;
      if (status !== 429 && status !== 503) throw new Error(`${status}: ${text.subarray(0, 500).toString()}`);
      refused++;
      await sleep(200);
    }
    times.push(performance.now() - started);
  };
  await Promise.all(Array.from({ length: requests }, (_, n) => one(n)));
  agent.destroy();
  return { times, refused };
}

/** All of a service come one after another, as when it fails. */
function alertsOf(request: number): unknown[] {
  const first = request * A_REQUEST;
  return Array.from({ length: Math.min(A_REQUEST, ALERTS - first) }, (_, i) => {
    const service = Math.floor(((first + i) * GROUPS) / ALERTS);
    const instance = `host-${first + i}.example:9100`;
    return {
      labels: { alertname: "InstanceDown", service: `s${service}`, instance, severity: "page", job: "node" },
      annotations: { summary: `${instance} of s${service} has been down for more than a minute` },
      generatorURL: "https://tocsin.example/graph?g0.expr=up+%3D%3D+0",
    };
  });
}

async function silence(url: string): Promise<void> {
  const now = Date.now();
  const body = {
    matchers: [{ name: "service", value: "never", isRegex: false, isEqual: true }],
    startsAt: new Date(now).toISOString(),
    endsAt: new Date(now + 3_600_000).toISOString(),
    createdBy: "bench",
    comment: "of nothing",
  };
  const agent = new Agent();
  const answer = await call(agent, "POST", url, "/api/v2/silences", Buffer.from(JSON.stringify(body)));
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text.toString()}`);
}

async function ask(
  url: string,
  path: string,
  everyMs: number,
  into: Map<string, number[]>,
  signal: AbortSignal,
): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  into.set(path, times);
  while (!signal.aborted) {
    const started = performance.now();
    const { status, text } = await call(agent, "GET", url, path);
    if (status !== 200) throw new Error(`${path}: ${status}: ${text.subarray(0, 500).toString()}`);
    times.push(performance.now() - started);
    await sleep(everyMs);
  }
  agent.destroy();
}

function call(
  agent: Agent,
  method: string,
  url: string,
  path: string,
  body?: Buffer,
): Promise<{ status: number; text: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": body.length };
    const outgoing = request(new URL(path, url), { method, agent, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces) }));
      response.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function configFor(hook: string): string {
  return [
    "route: { receiver: hook, group_by: [service], group_wait: 2s, group_interval: 5s, repeat_interval: 12h }",
    "receivers:",
    "- name: hook",
    `  webhook_configs: [{ url: "${hook}" }]`,
    "",
  ].join("\n");
}

async function startTocsin(hook: string): Promise<Target> {
  const server = await startServer("tocsin", {
    config: "alertmanager_config_file: alertmanager.yml\n",
    files: { "alertmanager.yml": configFor(hook) },
  });
  const { url, pid } = server;
  return { name: "tocsin", url, pid, more: ["/api/v1/alerts", "/metrics"], stop: () => server.stop() };
}

async function startPeer(command: string, hook: string): Promise<Target> {
  const { url, pid, stop } = await startAlertmanager(command, configFor(hook));
  return { name: "alertmanager", url, pid, more: ["/metrics"], stop };
}

function quantile(all: readonly number[], q: number): number {
  const sorted = [...all].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
