import { Counter, type Registry } from "prom-client";
import type { NotifyStats } from "../model/alerts.ts";
import { readMetric } from "./read-metric.ts";

export interface AlertmanagerSources {
  readonly alerts: () => NotifyStats["alerts"];
  readonly silences: () => Readonly<Record<"active" | "pending" | "expired", number>>;
}

/** What Alertmanager's dashboards and alerts ask for, under its names. Returns how posted alerts are counted. */
export function registerAlertmanagerMetrics(
  registry: Registry,
  sources: AlertmanagerSources,
): (firing: number, resolved: number, invalid: number) => void {
  const byState = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts).map(([state, value]) => ({ labels: { state }, value }));
  readMetric(registry, "alertmanager_alerts", "gauge", "Alerts in the alert manager, by state.", () =>
    byState(sources.alerts()),
  );
  readMetric(registry, "alertmanager_silences", "gauge", "Silences by state.", () => byState(sources.silences()));
  const received = new Counter({
    name: "alertmanager_alerts_received_total",
    help: "Alerts that were posted to /api/v2/alerts, by status.",
    labelNames: ["status", "version"],
    registers: [registry],
  });
  const refused = new Counter({
    name: "alertmanager_alerts_invalid_total",
    help: "Alerts that were posted to /api/v2/alerts and could not be used.",
    labelNames: ["version"],
    registers: [registry],
  });
  const version = "v2";
  for (const status of ["firing", "resolved"]) received.inc({ status, version }, 0);
  refused.inc({ version }, 0);
  return (firing, resolved, invalid) => {
    received.inc({ status: "firing", version }, firing);
    received.inc({ status: "resolved", version }, resolved);
    refused.inc({ version }, invalid);
  };
}
