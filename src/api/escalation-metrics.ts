import type { Registry } from "prom-client";
import type { EscalationStats } from "../actors/escalation/escalations.ts";
import { readMetric } from "./read-metric.ts";

/** How many escalations there are, and whether they are kept. */
export function registerEscalationMetrics(registry: Registry, stats: () => EscalationStats): void {
  readMetric(registry, "tocsin_escalations", "gauge", "Escalations by state.", () =>
    Object.entries(stats().states).map(([state, value]) => ({ labels: { state }, value })),
  );
  readMetric(
    registry,
    "tocsin_escalation_write_failures_total",
    "counter",
    "Changes of escalations that the disk did not take; they are written with the next.",
    () => [{ labels: {}, value: stats().writeFailures }],
  );
}
