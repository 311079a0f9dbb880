import type { Registry } from "prom-client";
import type { AlertHistory } from "../actors/history/alert-history.ts";
import { readMetric } from "./read-metric.ts";

/** Records of alerting on their way to the streams from which /api/v1/alerts/explain tells. */
export function registerHistoryMetrics(registry: Registry, outlets: AlertHistory["outlets"]): void {
  readMetric(registry, "tocsin_alert_events_waiting", "gauge", "Events of alerting that wait for the bus.", () =>
    outlets().map(({ name, waiting }) => ({ labels: { outlet: name }, value: waiting })),
  );
  readMetric(
    registry,
    "tocsin_alert_events_dropped_total",
    "counter",
    "Events of alerting dropped because too many waited for the bus: explanations miss them.",
    () => outlets().map(({ name, dropped }) => ({ labels: { outlet: name }, value: dropped })),
  );
}
