import type { Metric, Registry } from "prom-client";

export interface Reading {
  readonly labels: Record<string, string>;
  readonly value: number;
  /** Of a histogram's parts: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
}

/**
 * Registers a metric whose values live elsewhere (another thread, an actor's state) and are read when /metrics is asked
 * for. prom-client's registry takes any object with the shape of a metric; its own classes can't be set to a total.
 */
export function readMetric(
  registry: Registry,
  name: string,
  type: "counter" | "gauge" | "histogram",
  help: string,
  read: () => Promise<readonly Reading[]> | readonly Reading[],
): void {
  const get = async () => ({
    name,
    help,
    type,
    aggregator: "sum",
    values: (await read()).map((r) => ({
      labels: r.labels,
      value: r.value,
      ...(r.suffix === undefined ? {} : { metricName: name + r.suffix }),
    })),
  });
  const metric = { name, help, type, get, reset: () => {}, labelNames: [], aggregator: "sum" };
  registry.registerMetric(metric as unknown as Metric);
}

/** The rows of a histogram: cumulative counts for the bounds, then `+Inf`, sum and count. */
export function histogram(
  labels: Record<string, string>,
  bounds: readonly number[],
  counts: readonly number[],
  count: number,
  sum: number,
): Reading[] {
  return [
    ...bounds.map((le, i) => ({ labels: { ...labels, le: String(le) }, value: counts[i] ?? 0, suffix: "_bucket" })),
    { labels: { ...labels, le: "+Inf" }, value: count, suffix: "_bucket" },
    { labels, value: sum, suffix: "_sum" },
    { labels, value: count, suffix: "_count" },
  ];
}
