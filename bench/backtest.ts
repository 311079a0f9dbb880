/**
 * `tocsin backtest` of a hundred rules over 30 days of 1,000 series every minute, in groups of an interval of a minute: how long it
 * takes, with and without the comparison with what is configured. Most of the time nothing fires: a rule sends some pages a month.
 * BENCH_DAYS, BENCH_HOSTS (20 series each), BENCH_RULES: less of it.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type History, loadHistory, samplesOf } from "./lib/history.ts";
import { treeUsage } from "./lib/process-tree.ts";
import { note, printTable } from "./lib/report.ts";
import { type Server, startServer } from "./lib/servers.ts";

const DAY_MS = 86_400_000;
const DAYS = Number(process.env.BENCH_DAYS ?? 30);
const RULES = Number(process.env.BENCH_RULES ?? 100);
const HOSTS = Number(process.env.BENCH_HOSTS ?? 50);

export async function benchBacktest(): Promise<void> {
  const end = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS;
  const history: History = { hosts: HOSTS, endpoints: 10, end, spanMs: DAYS * DAY_MS, intervalMs: 60_000 };
  const server = await startServer("tocsin", {
    config: `storage: { retention: { raw: ${3 * DAYS}d } }\nrule_files: [rules.yml]\nalertmanager_config_file: alertmanager.yml\n`,
    files: { "rules.yml": ruleFile(1), "alertmanager.yml": ROUTING },
  });
  try {
    const { load, rest } = await loadHistory(server, history);
    note(
      `${samplesOf(history).toLocaleString("en-US")} samples loaded in ${load.toFixed(0)} s, merged ${rest.toFixed(0)} s later`,
    );
    writeFileSync(join(server.dir, "candidate.yml"), ruleFile(0.97));
    const rows: string[][] = [];
    for (const compare of [false, true]) {
      const before = treeUsage(server.pid).cpuSeconds;
      const { seconds, pages, evaluations } = await backtest(server, history, compare);
      const cpu = treeUsage(server.pid).cpuSeconds - before;
      const what = compare ? "candidate and what is configured" : "candidate";
      rows.push([what, evaluations.toLocaleString("en-US"), String(pages), seconds.toFixed(1), cpu.toFixed(1)]);
    }
    printTable(
      `${RULES} rules over ${DAYS} days of ${20 * HOSTS} series every minute`,
      ["run", "evaluations of the candidate", "messages", "seconds", "the server's CPU seconds"],
      rows,
    );
  } finally {
    await server.stop();
  }
}

const ROUTING = `
route: { receiver: team, group_by: [alertname, service], routes: [{ matchers: ['severity="page"'], receiver: pager }] }
receivers: [{ name: team, webhook_configs: [{ url: "http://127.0.0.1:1" }] }, { name: pager, webhook_configs: [{ url: "http://127.0.0.1:1" }] }]
`;

/** Rules as services have them: most of one service's series, some of one host's, and one in ten of all. */
function ruleFile(level: number): string {
  const groups: string[] = [];
  for (let first = 0; first < RULES; first += 10) {
    groups.push(`- name: g${first / 10}\n  interval: 1m\n  rules:`);
    for (let i = 0; i < Math.min(10, RULES - first); i++) {
      const r = first + i;
      groups.push(
        `  - alert: Rule${r}\n    expr: ${expression(r, i, level)}\n    for: ${r % 3 === 0 ? "0s" : "5m"}`,
        `    labels: { severity: ${r % 4 === 0 ? "page" : "ticket"} }`,
        `    annotations: { summary: "{{ $labels.service }} is at {{ $value }}" }`,
      );
    }
  }
  return `groups:\n${groups.join("\n")}\n`;
}

function expression(rule: number, i: number, level: number): string {
  const service = `service-${Math.floor(rule / 10) % 10}`;
  const host = `host-${rule % HOSTS}`;
  if (i === 0)
    return `sum by (service) (rate(http_requests_total{status="500"}[5m])) / sum by (service) (rate(http_requests_total[5m])) > ${0.0225 * level}`;
  if (i < 6)
    return `rate(http_requests_total{service="${service}",status="500",endpoint=~".*/${i}"}[10m]) > ${0.0475 * level}`;
  return `sum by (host, service) (rate(http_requests_total{host="${host}",status="200"}[5m])) > ${15.8 * level}`;
}

async function backtest(server: Server, { end, spanMs }: History, compare: boolean) {
  const start = performance.now();
  const { stdout } = await promisify(execFile)(
    join(import.meta.dirname, "../bin/tocsin"),
    [
      ...["backtest", "--url", server.url, "--rules", join(server.dir, "candidate.yml"), "--json"],
      ...["--from", String((end - spanMs) / 1000), "--to", String(end / 1000), ...(compare ? [] : ["--no-compare"])],
    ],
    { maxBuffer: 2 ** 30 },
  );
  const seconds = (performance.now() - start) / 1000;
  const answer = JSON.parse(stdout) as { evaluations: number; candidate: { pages: unknown[] } };
  return { seconds, pages: answer.candidate.pages.length, evaluations: answer.evaluations };
}
