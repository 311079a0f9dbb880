/**
 * Ten thousand alerting rules (BENCH_RULES) with a hundred thousand active instances, at an interval of 15 s: how long a
 * group's evaluation takes, whether one is missed, what it costs, and what an instance takes of memory.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type AlertingRuntime, emitAlerts } from "../src/actors/rule/alert-evaluation.ts";
import { applyResult } from "../src/actors/rule/alert-rule.core.ts";
import { ALL_SEEN } from "../src/actors/rule/data-probe.ts";
import { type GroupRuntime, makeGroupRuntime } from "../src/actors/rule/rule-group.state.ts";
import { makeRuleOutput } from "../src/actors/rule/rule-output.ts";
import type { RuleGroupSpec } from "../src/actors/rule/rule-spec.ts";
import type { Ingest } from "../src/model/ingest.ts";
import { type Labels, labelsFromObject } from "../src/model/labels.ts";
import { postAll, settled } from "./lib/load.ts";
import { treeUsage } from "./lib/process-tree.ts";
import { encodeLabels, encodeRequest, snappyLiteral } from "./lib/remote-write-body.ts";
import { note, printTable } from "./lib/report.ts";
import { type Server, startServer } from "./lib/servers.ts";

const RULES = Number(process.env.BENCH_RULES ?? 10_000);
const INSTANCES = 10;
const RULES_A_GROUP = 100;
const INTERVAL_MS = 15_000;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const SERIES_A_REQUEST = 2_000;

export async function benchAlertRules(): Promise<void> {
  const bytes = bytesAnInstance();
  note(`${Math.round(bytes)} bytes of the heap an instance: its labels, texts, clocks and the handles of its series`);
  const server = await startServer("tocsin", {
    config: `global: { evaluation_interval: ${INTERVAL_MS}ms }\nrule_files: [rules.yml]\n`,
    files: { "rules.yml": ruleFile() },
  });
  try {
    const series = Array.from({ length: RULES * INSTANCES }, (_, i) => encodeLabels(labelsOf(i)));
    const stop = new AbortController();
    const feeding = feed(server, series, stop.signal);
    await feeding.once;
    // The rules write as well, so that on a busy machine there may be no moment at which all is read.
    await Promise.race([settled(server), sleep(4 * INTERVAL_MS)]);
    const rows: string[][] = [];
    const idle = treeUsage(server.pid).rssBytes;
    let evaluated = (await metrics(server)).evaluations;
    let held = true;
    for (let round = 0; round < ROUNDS; round++) {
      const before = treeUsage(server.pid);
      await sleep(INTERVAL_MS);
      const after = treeUsage(server.pid);
      const m = await metrics(server);
      const groups = m.durations.length;
      // The clocks of the two are not the same: a group may be on the other side of the border.
      held &&= m.missed === 0 && m.late === 0 && m.evaluations - evaluated >= groups * 0.95;
      rows.push([
        String(round + 1),
        String(m.active),
        `${m.evaluations - evaluated} of ${groups}`,
        at(m.durations, 0.5).toFixed(2),
        at(m.durations, 0.99).toFixed(2),
        at(m.durations, 1).toFixed(2),
        String(m.missed),
        String(m.late),
        `${Math.round(((after.cpuSeconds - before.cpuSeconds) / INTERVAL_MS) * 100_000)} %`,
        String(Math.round(after.rssBytes / 1e6)),
      ]);
      evaluated = m.evaluations;
    }
    stop.abort();
    await feeding.end;
    printTable(
      `${RULES} rules in groups of ${RULES_A_GROUP}, ${RULES * INSTANCES} series that fire, interval ${INTERVAL_MS / 1000} s`,
      [
        "interval",
        "active",
        "groups evaluated",
        "a group, s: p50",
        "p99",
        "max",
        "missed",
        "groups late",
        "CPU of one core",
        "RSS, MB",
      ],
      rows,
    );
    note(
      `Every evaluation within its interval: ${held ? "yes" : "no"}. The process has ${Math.round(idle / 1e6)} MB before the first alert, its series and streams included.`,
    );
  } finally {
    await server.stop();
  }
}

function ruleFile(): string {
  const groups: string[] = [];
  for (let first = 0; first < RULES; first += RULES_A_GROUP) {
    groups.push(`- name: g${first}\n  rules:`);
    for (let r = first; r < Math.min(first + RULES_A_GROUP, RULES); r++) {
      groups.push(
        `  - alert: Over${r}\n    expr: bench_level{rule="r${r}"} > 1\n    labels: { severity: page }\n    annotations:`,
        `      summary: "{{ $labels.instance }} of {{ $labels.job }} is at {{ $value }}"`,
        `      runbook: "https://runbooks.example/over"`,
      );
    }
  }
  return `groups:\n${groups.join("\n")}\n`;
}

function labelsOf(i: number): [string, string][] {
  const rule = Math.floor(i / INSTANCES);
  return [
    ["__name__", "bench_level"],
    ["instance", `host-${String(i % 5000).padStart(5, "0")}.example:9100`],
    ["job", `service-${rule % 200}`],
    ["path", `/dev/sd${i % INSTANCES}`],
    ["rule", `r${rule}`],
  ];
}

/** Sends a sample of each series an interval, for as long as it is wanted. */
function feed(server: Server, series: readonly Buffer[], signal: AbortSignal) {
  const round = async () => {
    const ts = [Date.now()];
    const values = [2];
    function* bodies(): Generator<Buffer> {
      for (let i = 0; i < series.length; i += SERIES_A_REQUEST) {
        yield snappyLiteral(encodeRequest(series.slice(i, i + SERIES_A_REQUEST), () => ({ ts, values })));
      }
    }
    await postAll(server.url, bodies(), 1);
  };
  const once = round();
  const end = once.then(async () => {
    while (!signal.aborted) {
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await round();
    }
  });
  return { once, end };
}

async function metrics(server: Server) {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  const values = (name: string) =>
    page
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`))
      .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
  const sum = (name: string) => values(name).reduce((a, b) => a + b, 0);
  return {
    active: sum("tocsin_alerts"),
    durations: values("tocsin_rule_group_last_duration_seconds").sort((a, b) => a - b),
    evaluations: sum("tocsin_rule_evaluations_total"),
    missed: sum("tocsin_rule_group_iterations_missed_total"),
    late: values("tocsin_rule_group_last_late_seconds").filter((s) => s > 0).length,
  };
}

function at(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

/** Heap and buffers of as many instances, made as evaluations make them. */
function bytesAnInstance(): number {
  const used = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  // A handle as the gateway makes it.
  const series = (tenant: string, labels: Labels) => {
    const hash = () => Math.floor(Math.random() * 2 ** 32);
    return { tenant, labels, hashLo: hash(), hashHi: hash(), check: hash(), problem: undefined };
  };
  const append: Ingest["append"] = async () => ({ accepted: 0, rejected: [] });
  const groups: GroupRuntime[] = [];
  for (let first = 0; first < RULES; first += RULES_A_GROUP) groups.push(makeGroupRuntime(groupSpec(first)));
  const before = used();
  let i = 0;
  for (const group of groups) {
    const output = makeRuleOutput({ series, append }, "default");
    for (const rule of group.rules as AlertingRuntime[]) {
      const rows = Array.from({ length: INSTANCES }, () => {
        const { __name__: _, ...labels } = Object.fromEntries(labelsOf(i++));
        const annotations = {
          summary: `${labels.instance} of ${labels.job} is at 2`,
          runbook: "https://runbooks.example/over",
        };
        const all = { ...labels, alertname: rule.spec.name, severity: "page" };
        return { labels: labelsFromObject(all), annotations, value: 2 };
      });
      const options = { limit: 0, absence: ALL_SEEN.absence, lateMs: 0 };
      for (const _ of applyResult(rule.table, rows, Date.now(), 1, options)) {
        // Nobody else has to run.
      }
      emitAlerts(output, rule, Date.now());
    }
  }
  const bytes = (used() - before) / i;
  // Still needed here, so that it was all there when it was measured.
  if (groups.length === 0) throw new Error("no groups");
  return bytes;
}

function groupSpec(first: number): RuleGroupSpec {
  return {
    name: `g${first}`,
    file: "/rules.yml",
    intervalMs: INTERVAL_MS,
    queryOffsetMs: 0,
    limit: 0,
    rules: Array.from({ length: RULES_A_GROUP }, (_, r) => ({
      type: "alerting",
      name: `Over${first + r}`,
      query: `bench_level{rule="r${first + r}"} > 1`,
      reads: ["bench_level"],
      labels: { severity: "page" },
      annotations: { summary: "{{ $labels.instance }}", runbook: "https://runbooks.example/over" },
      holdMs: 0,
      keepFiringForMs: 0,
    })),
  };
}

function collect(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
