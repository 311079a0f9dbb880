import type { Registry } from "prom-client";
import type { Census } from "../actors/runtime/census.ts";
import { registerAlertmanagerMetrics } from "../api/alertmanager-metrics.ts";
import type { ApiMetrics } from "../api/deps.ts";
import { registerEscalationMetrics } from "../api/escalation-metrics.ts";
import { registerHistoryMetrics } from "../api/history-metrics.ts";
import { makeApiMetrics, makeRegistry } from "../api/metrics.ts";
import { registerQueryMetrics } from "../api/query-metrics.ts";
import { registerResultsCacheMetrics } from "../api/results-cache-metrics.ts";
import { type RuleFileReloads, registerRuleFileMetrics } from "../api/rule-file-metrics.ts";
import { registerShardMetrics } from "../api/shard-metrics.ts";
import { registerSystemMetrics } from "../api/system-metrics.ts";
import type { IngestReader } from "../streams/nats/ingest-subject.ts";
import type { BusParts } from "./wire-bus.ts";
import type { Parts } from "./wire-parts.ts";

export interface MetricsOptions {
  readonly parts: Parts;
  readonly busParts: Pick<BusParts, "publisher" | "trouble">;
  readonly census: Census;
  /** The reader of what agents publish on NATS; undefined while it is down. */
  readonly ingestReader: () => IngestReader | undefined;
  readonly ruleFiles: () => RuleFileReloads;
}

/** Tocsin's own metrics: a registry that reads the parts when it is asked, and what the API counts into it. */
export function wireMetrics({ parts, busParts, census, ingestReader, ruleFiles }: MetricsOptions): {
  readonly registry: Registry;
  readonly observe: ApiMetrics;
  readonly postedAlerts: (firing: number, resolved: number, invalid: number) => void;
} {
  const { gateway, shards, queries, results, alertManager, rules, scrapes, hostCollector } = parts;
  const registry = makeRegistry();
  const observe = makeApiMetrics(registry);
  registerShardMetrics(registry, shards.clients);
  registerQueryMetrics(registry, { queue: queries.queue.stats, missed: () => queries.missed });
  registerResultsCacheMetrics(registry, results.stats);
  registerRuleFileMetrics(registry, ruleFiles);
  for (const host of shards.hosts) census.watch({ stats: host.mailbox });
  registerSystemMetrics(registry, {
    gateway: () => gateway.stats(),
    publisher: () => busParts.publisher.stats(),
    busTrouble: busParts.trouble,
    ingestSubject: () => ingestReader()?.stats(),
    scrapes: () => scrapes.current()?.stats(),
    hostCollector: () => hostCollector?.stats(),
    rules: () => rules.stats(),
    notify: () => alertManager.stats(),
    deaths: () => census.deaths(),
    mailboxes: () => census.mailboxes(),
  });
  registerHistoryMetrics(registry, parts.history.outlets);
  registerEscalationMetrics(registry, alertManager.escalations.stats);
  const postedAlerts = registerAlertmanagerMetrics(registry, {
    alerts: () => alertManager.stats().alerts,
    silences: () => alertManager.silences.counts(Date.now()),
  });
  return { registry, observe, postedAlerts };
}
