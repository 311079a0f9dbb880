/**
 * `npm run bench` runs all, `npm run bench -- remote-write query` the named ones; `--write` puts the figures into
 * docs/benchmarks.md. Peers are measured in the same run where they are found (PEERS_BIN=<folder> or PATH):
 * victoria-metrics, prometheus. Ratios hold on a noisy machine, absolute times do not.
 */
import { machine, section } from "./lib/report.ts";

interface Benchmark {
  readonly title: string;
  readonly load: () => Promise<() => Promise<void>>;
}

const all: Readonly<Record<string, Benchmark>> = {
  "remote-write": {
    title: "Remote write",
    load: async () => (await import("./remote-write.ts")).benchRemoteWrite,
  },
  native: { title: "Native path", load: async () => (await import("./native.ts")).benchNative },
  "ten-million": {
    title: "Ten million series",
    load: async () => (await import("./ten-million.ts")).benchTenMillion,
  },
  memory: { title: "Memory", load: async () => (await import("./memory.ts")).benchMemory },
  "disk-size": { title: "Bytes on disk", load: async () => (await import("./disk-size.ts")).benchDiskSize },
  recovery: { title: "Recovery", load: async () => (await import("./recovery.ts")).benchRecovery },
  "label-index": { title: "Label index", load: async () => (await import("./label-index.ts")).benchLabelIndex },
  query: { title: "Range queries", load: async () => (await import("./query-recent.ts")).benchQueryRecent },
  "query-blocks": {
    title: "Range queries over blocks",
    load: async () => (await import("./query-blocks.ts")).benchQueryBlocks,
  },
  "query-rollups": {
    title: "Range queries over a year",
    load: async () => (await import("./query-rollups.ts")).benchQueryRollups,
  },
  "query-crowd": {
    title: "Range queries among other series",
    load: async () => (await import("./query-crowd.ts")).benchQueryCrowd,
  },
  "query-dashboards": {
    title: "Dashboards",
    load: async () => (await import("./query-dashboards.ts")).benchQueryDashboards,
  },
  "alert-rules": {
    title: "Ten thousand alert rules",
    load: async () => (await import("./alert-rules.ts")).benchAlertRules,
  },
  "alert-storm": {
    title: "Alert storm",
    load: async () => (await import("./alert-storm.ts")).benchAlertStorm,
  },
  backtest: {
    title: "Backtest of rules",
    load: async () => (await import("./backtest.ts")).benchBacktest,
  },
  "alert-latency": {
    title: "Sample to webhook",
    load: async () => (await import("./alert-latency.ts")).benchAlertLatency,
  },
};

const args = process.argv.slice(2);
const write = args.includes("--write");
const names = args.filter((n) => n !== "--write");
const unknown = names.filter((n) => !(n in all));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(", ")}; there are ${Object.keys(all).join(", ")}`);
  process.exit(2);
}
console.log(machine());
for (const [name, { title, load }] of Object.entries(all)) {
  if (names.length === 0 || names.includes(name)) await section(name, title, await load(), write);
}
