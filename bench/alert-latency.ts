/**
 * From a sample's arrival to the webhook of an alert with `for: 0s` and `group_wait: 0s`. Each trial makes one new alert
 * at a random moment of the evaluation interval; BENCH_TRIALS at 1 s, and a third as many at 5 s (BENCH_INTERVALS, in ms).
 */
import { createServer } from "node:http";
import { printTable } from "./lib/report.ts";
import { freePort, startServer } from "./lib/servers.ts";

const TRIALS = Number(process.env.BENCH_TRIALS ?? 30);
const INTERVALS_MS = (process.env.BENCH_INTERVALS ?? "1000,5000").split(",").map(Number);
/** What the 99th percentile may take beyond the interval. */
const BEYOND_MS = 500;

export async function benchAlertLatency(): Promise<void> {
  const rows: string[][] = [];
  for (const [i, interval] of INTERVALS_MS.entries()) {
    const times = await measure(interval, i === 0 ? TRIALS : Math.ceil(TRIALS / 3));
    times.sort((a, b) => a - b);
    const at = (q: number) => times[Math.min(times.length - 1, Math.floor(q * times.length))] as number;
    const ms = (q: number) => `${Math.round(at(q))} ms`;
    const held = at(0.99) <= interval + BEYOND_MS ? "yes" : "no";
    rows.push([`${interval} ms`, String(times.length), ms(0.5), ms(0.9), ms(0.99), ms(1), held]);
  }
  printTable(
    "Sample to webhook",
    ["evaluation interval", "trials", "p50", "p90", "p99", "max", `p99 within interval + ${BEYOND_MS} ms`],
    rows,
  );
}

/** Milliseconds of each trial. */
async function measure(intervalMs: number, trials: number): Promise<number[]> {
  const port = await freePort();
  const waiting = new Map<string, (at: number) => void>();
  const hook = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (piece: string) => {
      body += piece;
    });
    request.on("end", () => {
      const at = performance.now();
      response.end();
      for (const alert of (JSON.parse(body) as { alerts: { labels: { trial: string } }[] }).alerts) {
        waiting.get(alert.labels.trial)?.(at);
      }
    });
  });
  await new Promise<void>((resolve) => hook.listen(port, "127.0.0.1", resolve));
  const server = await startServer("tocsin", {
    config: "rule_files: [rules.yml]\nalertmanager_config_file: alertmanager.yml\n",
    files: {
      "rules.yml": `groups:\n- name: latency\n  interval: ${intervalMs}ms\n  rules:\n  - alert: Over\n    expr: bench_level > 1\n    for: 0s\n`,
      "alertmanager.yml": `route:\n  receiver: hook\n  group_by: [trial]\n  group_wait: 0s\n  group_interval: 5m\nreceivers:\n- name: hook\n  webhook_configs:\n  - url: http://127.0.0.1:${port}/\n`,
    },
  });
  const times: number[] = [];
  try {
    for (let trial = 0; trial < trials; trial++) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * intervalMs));
      const labels = { __name__: "bench_level", trial: String(trial) };
      const sent = performance.now();
      const arrived = new Promise<number>((resolve, reject) => {
        waiting.set(String(trial), resolve);
        setTimeout(() => reject(new Error(`no webhook for trial ${trial} within 20 s`)), 20_000).unref();
      });
      const response = await fetch(`${server.url}/api/v1/ingest`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ series: [{ labels, samples: [[Date.now(), 2]] }] }),
      });
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      times.push((await arrived) - sent);
    }
  } finally {
    await server.stop();
    hook.close();
  }
  return times;
}
