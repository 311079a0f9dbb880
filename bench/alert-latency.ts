/**
 * From a sample's arrival to the webhook of an alert with `for: 0s` and `group_wait: 0s`, beside Prometheus with the real
 * Alertmanager. Each trial is one new alert at a random moment; many are under way at once, over groups of rules whose
 * evaluations are spread over the interval. BENCH_TRIALS at 1 s, and a third as many at 5 s (BENCH_INTERVALS, in ms).
 */
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { findAlertmanager, startAlertmanager } from "./lib/alertmanager.ts";
import { encodeLabels, encodeRequest, snappy } from "./lib/remote-write-body.ts";
import { note, printTable } from "./lib/report.ts";
import { freePort, serversToMeasure, startServer } from "./lib/servers.ts";

const TRIALS = Number(process.env.BENCH_TRIALS ?? 300);
const INTERVALS_MS = (process.env.BENCH_INTERVALS ?? "1000,5000").split(",").map(Number);
/** What the 99th percentile may take beyond the interval. */
const BEYOND_MS = 500;
/** Groups of one rule each; trials take them in turn. */
const GROUPS = 20;
const MEAN_GAP_MS = 150;
const PATIENCE_MS = 20_000;

interface Target {
  readonly name: string;
  readonly url: string;
  stop(): Promise<void>;
}

export async function benchAlertLatency(): Promise<void> {
  const servers = serversToMeasure();
  const alertmanager = findAlertmanager();
  const starts = [startTocsin];
  if (servers.includes("prometheus") && alertmanager !== undefined) {
    starts.push((...args) => startPeers(alertmanager, ...args));
  } else console.log("prometheus and alertmanager are not both there, and not measured");
  const rows: string[][] = [];
  for (const [i, interval] of INTERVALS_MS.entries()) {
    for (const start of starts) {
      const { name, times, untold, twice } = await measure(start, interval, i === 0 ? TRIALS : Math.ceil(TRIALS / 3));
      times.sort((a, b) => a - b);
      const at = (q: number) => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? Number.NaN;
      const ms = (q: number) => `${Math.round(at(q))} ms`;
      const held = untold === 0 && at(0.99) <= interval + BEYOND_MS ? "yes" : "no";
      const told = `${times.length} of ${times.length + untold}`;
      rows.push([`${interval} ms`, name, told, String(twice), ms(0.5), ms(0.9), ms(0.99), ms(1), held]);
    }
  }
  printTable(
    "Sample to webhook",
    ["interval", "", "told", "told twice", "p50", "p90", "p99", "max", `p99 within interval + ${BEYOND_MS} ms`],
    rows,
  );
  note(`One new alert every ${MEAN_GAP_MS} ms on average, at random moments, over ${GROUPS} rule groups.`);
}

/** Milliseconds of each trial that was told; how many were not within 20 s, or more than once. */
async function measure(
  start: (hook: string, intervalMs: number) => Promise<Target>,
  intervalMs: number,
  trials: number,
) {
  const arrivals = new Map<string, number>();
  let twice = 0;
  const hook = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (piece: string) => {
      body += piece;
    });
    request.on("end", () => {
      const at = performance.now();
      response.end();
      for (const { labels } of (JSON.parse(body) as { alerts: { labels: { trial: string } }[] }).alerts) {
        if (arrivals.has(labels.trial)) twice++;
        else arrivals.set(labels.trial, at);
      }
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => hook.listen(port, "127.0.0.1", resolve));
  const target = await start(`http://127.0.0.1:${port}/`, intervalMs);
  try {
    const sent: Promise<number>[] = [];
    for (let trial = 0; trial < trials; trial++) {
      await sleep(2 * MEAN_GAP_MS * Math.random());
      sent.push(send(target.url, trial));
    }
    const begun = await Promise.all(sent);
    const until = performance.now() + PATIENCE_MS;
    while (arrivals.size < trials && performance.now() < until) await sleep(100);
    const times = begun.flatMap((at, trial) => {
      const told = arrivals.get(String(trial));
      return told === undefined ? [] : [told - at];
    });
    return { name: target.name, times, untold: trials - times.length, twice };
  } finally {
    await target.stop();
    hook.close();
    hook.closeAllConnections();
  }
}

/** Sends the sample that makes the trial's alert; when it set out. */
async function send(url: string, trial: number): Promise<number> {
  const labels = encodeLabels([
    ["__name__", "bench_level"],
    ["part", String(trial % GROUPS)],
    ["trial", String(trial)],
  ]);
  const body = snappy(encodeRequest([labels], () => ({ ts: [Date.now()], values: [2] })));
  const at = performance.now();
  const response = await fetch(`${url}/api/v1/write`, {
    method: "POST",
    headers: { "content-type": "application/x-protobuf", "content-encoding": "snappy" },
    body,
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return at;
}

function rules(intervalMs: number): string {
  const groups = Array.from({ length: GROUPS }, (_, part) =>
    [
      `- name: latency-${part}`,
      `  interval: ${intervalMs}ms`,
      "  rules:",
      `  - { alert: Over, expr: 'bench_level{part="${part}"} > 1', for: 0s }`,
    ].join("\n"),
  );
  return `groups:\n${groups.join("\n")}\n`;
}

const routing = (hook: string) => `route:
  receiver: hook
  group_by: [trial]
  group_wait: 0s
  group_interval: 5m
receivers:
- name: hook
  webhook_configs: [{ url: "${hook}" }]
`;

async function startTocsin(hook: string, intervalMs: number): Promise<Target> {
  return startServer("tocsin", {
    config: "rule_files: [rules.yml]\nalertmanager_config_file: alertmanager.yml\n",
    files: { "rules.yml": rules(intervalMs), "alertmanager.yml": routing(hook) },
  });
}

async function startPeers(command: string, hook: string, intervalMs: number): Promise<Target> {
  const manager = await startAlertmanager(command, routing(hook));
  const { host } = new URL(manager.url);
  const prometheus = await startServer("prometheus", {
    prometheus: `rule_files: [rules.yml]\nalerting: { alertmanagers: [{ static_configs: [{ targets: ["${host}"] }] }] }\n`,
    files: { "rules.yml": rules(intervalMs) },
  });
  // It looks for its Alertmanager seconds after it is ready, and drops what it has to say until then.
  const found = async () => {
    const response = await fetch(`${prometheus.url}/api/v1/alertmanagers`);
    return (
      ((await response.json()) as { data: { activeAlertmanagers: unknown[] } }).data.activeAlertmanagers.length > 0
    );
  };
  while (!(await found())) await sleep(100);
  return {
    name: `prometheus ${prometheus.version} and alertmanager`,
    url: prometheus.url,
    stop: async () => {
      await prometheus.stop();
      await manager.stop();
    },
  };
}
