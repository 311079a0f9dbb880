import { readFileSync, writeFileSync } from "node:fs";
import type { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { makeCensus } from "../../src/actors/runtime/census.ts";
import { registerAlertmanagerMetrics } from "../../src/api/alertmanager-metrics.ts";
import { registerEscalationMetrics } from "../../src/api/escalation-metrics.ts";
import { registerHistoryMetrics } from "../../src/api/history-metrics.ts";
import { makeApiMetrics, makeRegistry } from "../../src/api/metrics.ts";
import { registerQueryMetrics } from "../../src/api/query-metrics.ts";
import { registerResultsCacheMetrics } from "../../src/api/results-cache-metrics.ts";
import { registerRuleFileMetrics } from "../../src/api/rule-file-metrics.ts";
import { registerShardMetrics } from "../../src/api/shard-metrics.ts";
import { registerSystemMetrics, type SystemSources } from "../../src/api/system-metrics.ts";
import type { ShardClient, ShardResponses, ShardStats } from "../../src/model/shard.ts";
import { makeResultsCache } from "../../src/query/results-cache/results-cache.ts";
import { familiesOf } from "./exposition-families.ts";

const PAGE = "docs/metrics.md";

/** One row of everything, so that every label is seen. */
function exampleRegistry(): Registry {
  const registry = makeRegistry();
  const observe = makeApiMetrics(registry);
  observe.accepted("remote_write", 1);
  observe.rejected("remote_write", "r", 1);
  observe.query("query", "success", 1);
  observe.request("/", "GET", 200, 1);
  const stats: ShardStats = {
    partition: 0,
    ready: true,
    headSeries: 1,
    headChunks: 1,
    headBytes: 1,
    headMinTime: 0,
    headMaxTime: 1,
    samplesAppended: 1,
    samplesRejected: { r: 1 },
    tooOldByTenant: [["t", 1]],
    samplesParked: 1,
    consumedSequence: 1,
    streamLag: 1,
    backlogLag: 1,
    lagSeconds: 1,
    messagesMissed: 1,
    walBytes: 1,
    walFsyncCount: 1,
    walFsyncSeconds: 1,
    walFsyncBuckets: [],
    storage: {
      tiers: [{ tier: "raw", blocks: 1, bytes: 1, samples: 1, minTime: 0, maxTime: 1 }],
      rolledUpTo: 1,
      cuts: 1,
      cutSeconds: 1,
      cutFailures: 1,
      seriesRemoved: 1,
      compactions: 1,
      rollups: 1,
      jobSeconds: 1,
      jobFailures: 1,
      blocksDropped: 1,
      snapshots: 1,
      snapshotSeconds: 1,
      snapshotBytes: 1,
      snapshotFailures: 1,
      walFailures: 1,
      diskFull: 1,
      damages: 1,
      lost: [],
      damagedReads: 1,
      cacheBytes: 1,
      cacheHits: 1,
      cacheMisses: 1,
    },
  };
  const shard: ShardClient = {
    partition: 0,
    request: <K extends keyof ShardResponses>() => Promise.resolve(stats as ShardResponses[K]),
  };
  registerQueryMetrics(registry, { queue: () => ({ running: 1, waiting: 1 }), missed: () => new Map([[0, 1]]) });
  registerShardMetrics(registry, [shard]);
  registerHistoryMetrics(registry, () => [{ name: "o", waiting: 1, dropped: 1 }]);
  registerResultsCacheMetrics(registry, makeResultsCache(() => 1).stats);
  registerRuleFileMetrics(registry, () => ({ ok: 1, failed: 1, current: true }));
  const census = makeCensus();
  const death = { kind: "failure", reason: "r", detail: "", deaths: 1, action: "restart", delayMs: 1 } as const;
  census.onDeath({ supervisor: "s", child: "c", ...death });
  const mailbox = { name: "m", overflow: "fail", capacity: 1, depth: 1, accepted: 1, dropped: 1, refused: 1 } as const;
  const outbox = { waiting: 1, accepted: 1, rejected: 1, dropped: 1 };
  const group = { name: "g", file: "f", rules: 1, lastDurationMs: 1, lastEvaluation: 1, evaluations: 1 };
  const integration = {
    receiver: "r",
    integration: "i",
    sent: 1,
    failed: 1,
    requests: 1,
    requestsFailed: 1,
    fallbacks: 1,
  };
  const sources: SystemSources = {
    gateway: () => ({
      samplesAccepted: 1,
      samplesRejected: { r: 1 },
      requestsRefused: { r: 1 },
      framesPublished: 1,
      bytesPublished: 1,
      publishFailures: 1,
      queuedBytes: 1,
      bodyBytes: 1,
      framesInFlight: 1,
      cachedSeries: 1,
      cacheMisses: 1,
      kernelEnabled: true,
    }),
    publisher: () => ({ retried: 1, duplicates: 1 }),
    busTrouble: () => undefined,
    ingestSubject: () => ({
      messages: 1,
      messagesPutOff: 1,
      messagesRefused: { r: 1 },
      samplesAccepted: 1,
      samplesRejected: { r: 1 },
    }),
    scrapes: () => ({ targets: 1, scrapes: 1, failures: 1, outbox }),
    hostCollector: () => outbox,
    rules: () => ({
      groups: [
        { ...group, failures: 1, missed: 1, lastSamples: 1, incomplete: new Map([["bus_lagging", 1]]), lateMs: 0 },
      ],
      durationBuckets: [],
      durationCount: 1,
      durationSeconds: 1,
    }),
    notify: () => ({
      alerts: { active: 1, suppressed: 1, unprocessed: 1 },
      groups: 1,
      deadLetters: { waiting: 1, added: 1, dropped: 1 },
      events: { unpublished: 1, dropped: 1 },
      integrations: [{ ...integration, latencyBuckets: [], latencySeconds: 1 }],
    }),
    deaths: census.deaths,
    mailboxes: () => [mailbox],
  };
  registerSystemMetrics(registry, sources);
  const states = { triggered: 1, acknowledged: 1, exhausted: 1, resolved: 1 };
  registerEscalationMetrics(registry, () => ({ states, writeFailures: 1 }));
  const posted = registerAlertmanagerMetrics(registry, {
    alerts: () => ({ active: 1, suppressed: 1, unprocessed: 1 }),
    silences: () => ({ active: 1, pending: 1, expired: 1 }),
  });
  posted(1, 1, 1);
  return registry;
}

const HEAD = `# Metrics of Tocsin itself

<!-- Made from the registry by test/cli/metrics-page.test.ts (UPDATE_DOCS=1); change the help texts in src/api, not this page. -->

Served at \`/metrics\` in Prometheus's text format, and scraped by the default configuration as \`job="tocsin"\`, so that they
can be queried and alerted on like any other; [config/rules/tocsin.yml](../config/rules/tocsin.yml) holds the default alerts.
Beside these there are the process's own: \`process_*\` and \`nodejs_*\`.

A counter without labels is there from the start. A row with labels appears with its first event; \`rate()\` and
\`increase()\` see it from its second sample on.
`;

/** Which part of the system a metric tells of, by the beginning of its name; the first that fits. */
const PARTS: readonly (readonly [title: string, pattern: RegExp])[] = [
  ["HTTP API", /^tocsin_(samples|http|query|queries)_/],
  ["Gateway", /^tocsin_(gateway|ingest_subject)_/],
  ["Bus", /^tocsin_(bus|stream)_/],
  ["Shards", /^tocsin_(shard|head|wal)_/],
  ["Storage", /^tocsin_storage_/],
  ["Collectors", /^tocsin_(scrape|collector)/],
  ["Rules", /^tocsin_rule_/],
  ["Alerts and notifications", /^tocsin_(alert|notification)/],
  ["Escalations", /^tocsin_escalation/],
  ["Alerts under Alertmanager's names", /^alertmanager_/],
  ["Actors", /^tocsin_(actor|mailbox)_/],
];

const OWN = /^(tocsin|alertmanager)_/;

async function page(): Promise<string> {
  const families = familiesOf(await exampleRegistry().metrics()).filter((f) => OWN.test(f.name));
  const sections = PARTS.map(([title, pattern]) => {
    const rows = families
      .filter((f) => PARTS.find(([, p]) => p.test(f.name))?.[1] === pattern)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((f) => {
        const labels = new Set(f.samples.flatMap((s) => s.labels.filter((_, i) => i % 2 === 0)));
        for (const hidden of ["__name__", "le"]) labels.delete(hidden);
        return `| \`${f.name}\` | ${f.type} | ${[...labels].map((l) => `\`${l}\``).join(", ")} | ${f.help} |\n`;
      });
    return `\n## ${title}\n\n| metric | type | labels | |\n| --- | --- | --- | --- |\n${rows.join("")}`;
  });
  return HEAD + sections.join("");
}

describe("docs/metrics.md", () => {
  it("is what the registry offers (UPDATE_DOCS=1 writes it anew)", async () => {
    const text = await page();
    if (process.env.UPDATE_DOCS === "1") writeFileSync(PAGE, text);
    expect(readFileSync(PAGE, "utf8")).toBe(text);
  });

  it("has a part for every metric", async () => {
    const names = familiesOf(await exampleRegistry().metrics()).map((f) => f.name);
    const homeless = names.filter((n) => OWN.test(n) && !PARTS.some(([, pattern]) => pattern.test(n)));
    expect(homeless).toEqual([]);
  });
});
