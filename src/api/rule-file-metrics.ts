import type { Registry } from "prom-client";
import { readMetric } from "./read-metric.ts";

/** How often rule files that changed were read again, and whether what runs is what the files say. */
export interface RuleFileReloads {
  readonly ok: number;
  readonly failed: number;
  readonly current: boolean;
}

/** Metrics of rule files that are watched. */
export function registerRuleFileMetrics(registry: Registry, reloads: () => RuleFileReloads): void {
  readMetric(
    registry,
    "tocsin_rule_file_reloads_total",
    "counter",
    "Times that rule files changed and were read again, by result.",
    () => [
      { labels: { result: "ok" }, value: reloads().ok },
      { labels: { result: "failed" }, value: reloads().failed },
    ],
  );
  readMetric(
    registry,
    "tocsin_rule_files_current",
    "gauge",
    "0 while rule files changed to something that cannot be used, so that older rules run.",
    () => [{ labels: {}, value: reloads().current ? 1 : 0 }],
  );
}
