import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import type { ApiMetrics } from "./deps.ts";

/** Tocsin's own metrics, in Prometheus's naming; served at /metrics. */
export function makeRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges with the suffix of a counter; they are the sums of the metrics of the same name without it.
  for (const what of ["handles", "requests", "resources"]) registry.removeSingleMetric(`nodejs_active_${what}_total`);
  return registry;
}

export function makeApiMetrics(registry: Registry): ApiMetrics {
  const registers = [registry];
  const queries = new Histogram({
    name: "tocsin_query_duration_seconds",
    help: "Time from a query's arrival to its first byte.",
    labelNames: ["call", "outcome"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120],
    registers,
  });
  const requests = new Histogram({
    name: "tocsin_http_request_duration_seconds",
    help: "Time of an HTTP request.",
    labelNames: ["route", "method", "code"],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10],
    registers,
  });
  const accepted = new Counter({
    name: "tocsin_samples_accepted_total",
    help: "Samples that are durable and were acknowledged to their sender.",
    labelNames: ["protocol"],
    registers,
  });
  const rejected = new Counter({
    name: "tocsin_samples_rejected_total",
    help: "Samples (or whole bodies that could not be read, counted as one) that were refused, by reason.",
    labelNames: ["protocol", "reason"],
    registers,
  });
  const visible = new Histogram({
    name: "tocsin_query_visible_wait_seconds",
    help: "Time that a call waited for samples acknowledged just before it; calls that had not to wait are not in it, and 0.1 s means that it waited in vain.",
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.099],
    registers,
  });
  return {
    waitedVisible: (seconds) => visible.observe(seconds),
    query: (call, outcome, seconds) => queries.observe({ call, outcome }, seconds),
    request: (route, method, status, seconds) => requests.observe({ route, method, code: String(status) }, seconds),
    accepted: (protocol, samples) => accepted.inc({ protocol }, samples),
    rejected: (protocol, reason, samples) => rejected.inc({ protocol, reason }, samples),
  };
}
