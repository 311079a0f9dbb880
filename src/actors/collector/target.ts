import { formatDuration, parseDuration } from "../../lib/duration.ts";
import type { ScrapeConfig } from "../../model/config.ts";
import { type Labels, labelsFromEntries, labelsKey } from "../../model/labels.ts";
import { type Relabeler, relabel } from "./relabel.ts";

/** One thing to scrape: what relabeling made of an address that a job names or discovers. */
export interface Target {
  /** Equal for equal targets of a job, different for different ones. */
  readonly key: string;
  readonly url: string;
  /** Labels that every sample of it gets (no `__` ones). */
  readonly labels: Labels;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** An address with labels, as static_configs or a discovery gives it. */
export interface Discovered {
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type TargetOutcome =
  | { readonly kind: "target"; readonly target: Target }
  | { readonly kind: "dropped"; readonly discoveredLabels: Readonly<Record<string, string>> }
  | { readonly kind: "invalid"; readonly discoveredLabels: Readonly<Record<string, string>>; readonly reason: string };

/** In static_configs: this server itself. */
export const SELF_ADDRESS = "self";

/** Builds a target as Prometheus does: defaults, relabeling, `instance` from the address. */
export function makeTarget(config: ScrapeConfig, relabeler: Relabeler, discovered: Discovered): TargetOutcome {
  const labels = new Map<string, string>(Object.entries(discovered.labels));
  labels.set("__address__", discovered.address);
  const defaults: readonly (readonly [string, string])[] = [
    ["job", config.jobName],
    ["__scrape_interval__", formatDuration(config.scrapeIntervalMs)],
    ["__scrape_timeout__", formatDuration(config.scrapeTimeoutMs)],
    ["__metrics_path__", config.metricsPath],
    ["__scheme__", config.scheme],
  ];
  for (const [name, value] of defaults) if ((labels.get(name) ?? "") === "") labels.set(name, value);
  for (const [name, values] of Object.entries(config.params)) {
    if (values[0] !== undefined) labels.set(`__param_${name}`, values[0]);
  }
  const discoveredLabels = Object.fromEntries(labels);
  if (!relabel(relabeler, labels)) return { kind: "dropped", discoveredLabels };
  try {
    return { kind: "target", target: finish(config, labels, discoveredLabels) };
  } catch (error) {
    return { kind: "invalid", discoveredLabels, reason: error instanceof Error ? error.message : String(error) };
  }
}

function finish(config: ScrapeConfig, labels: Map<string, string>, discoveredLabels: Record<string, string>): Target {
  const address = labels.get("__address__") ?? "";
  if (address === "") throw new Error("no address");
  if (/[/?#@\s]/.test(address)) throw new Error(`${JSON.stringify(address)} is no address (host:port)`);
  const intervalMs = parseDuration(labels.get("__scrape_interval__") ?? "");
  const timeoutMs = parseDuration(labels.get("__scrape_timeout__") ?? "");
  if (intervalMs === 0) throw new Error("__scrape_interval__ is 0");
  if (timeoutMs === 0) throw new Error("__scrape_timeout__ is 0");
  if (timeoutMs > intervalMs) throw new Error("__scrape_timeout__ is longer than __scrape_interval__");
  const url = targetUrl(config, labels, address);
  if ((labels.get("instance") ?? "") === "") labels.set("instance", address);
  const visible = labelsFromEntries([...labels].filter(([name]) => !name.startsWith("__")));
  const key = `${url}\0${intervalMs}\0${timeoutMs}\0${labelsKey(visible)}`;
  return { key, url, labels: visible, discoveredLabels, intervalMs, timeoutMs };
}

function targetUrl(config: ScrapeConfig, labels: Map<string, string>, address: string): string {
  const scheme = labels.get("__scheme__") ?? "";
  if (scheme !== "http" && scheme !== "https")
    throw new Error(`__scheme__ is ${JSON.stringify(scheme)}, not http or https`);
  const path = labels.get("__metrics_path__") ?? "";
  const url = new URL(`${scheme}://${address}${path.startsWith("/") ? "" : "/"}${path}`);
  for (const [name, values] of Object.entries(config.params)) {
    for (const value of values.slice(1)) url.searchParams.append(name, value);
  }
  for (const [label, value] of labels) {
    if (!label.startsWith("__param_")) continue;
    const name = label.slice("__param_".length);
    const others = url.searchParams.getAll(name);
    url.searchParams.delete(name);
    for (const one of [value, ...others]) url.searchParams.append(name, one);
  }
  // Not url.href, which would leave out the port 80 that the user wrote.
  return `${scheme}://${address}${url.pathname}${url.search}`;
}
