/**
 * From a sample's arrival to the webhook of an alert with `for: 0s` and `group_wait: 0s`. Each trial makes one new alert
 * at a random moment of the evaluation interval.
 */
import { createServer } from "node:http";
import { printTable } from "./lib/report.ts";
import { freePort, startServer } from "./lib/servers.ts";

const TRIALS = Number(process.env.BENCH_TRIALS ?? 30);
const INTERVAL_MS = 1_000;

export async function benchAlertLatency(): Promise<void> {
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
      "rules.yml": `groups:\n- name: latency\n  interval: ${INTERVAL_MS}ms\n  rules:\n  - alert: Over\n    expr: bench_level > 1\n    for: 0s\n`,
      "alertmanager.yml": `route:\n  receiver: hook\n  group_by: [trial]\n  group_wait: 0s\n  group_interval: 5m\nreceivers:\n- name: hook\n  webhook_configs:\n  - url: http://127.0.0.1:${port}/\n`,
    },
  });
  const times: number[] = [];
  try {
    for (let trial = 0; trial < TRIALS; trial++) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * INTERVAL_MS));
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
  times.sort((a, b) => a - b);
  const at = (q: number) => `${Math.round(times[Math.min(times.length - 1, Math.floor(q * times.length))]!)} ms`;
  printTable(
    `Sample to webhook, evaluation interval ${INTERVAL_MS} ms, ${TRIALS} trials (to hold: interval + 1 s)`,
    ["p50", "p90", "p99", "max"],
    [[at(0.5), at(0.9), at(0.99), at(1)]],
  );
}
