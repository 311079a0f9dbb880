import type { MetricObjectWithValues, MetricValue, MetricValueWithName } from "prom-client";

type Family = MetricObjectWithValues<MetricValue<string>>;
type Values = readonly MetricValueWithName<string>[];

/**
 * Metric families as JSON in the form that protobuf's JSON has for io.prometheus.client.MetricFamily, which
 * /api/v1/status/self_metrics of Prometheus 3.14 answers with: counts are texts, labels a list, and +Inf has no bucket.
 */
export function familyJson({ name, help, type, values }: Family) {
  const kind = String(type);
  return { name, help, type: kind.toUpperCase(), metric: bySeries(values as Values, kind).map(metricJson(name, kind)) };
}

interface Series {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly values: MetricValueWithName<string>[];
}

/** Values that differ only in the label that their kind of metric makes of itself. */
function bySeries(values: Values, kind: string): Series[] {
  const own = kind === "histogram" ? "le" : kind === "summary" ? "quantile" : undefined;
  const series = new Map<string, Series>();
  for (const value of values) {
    const labels = Object.entries(value.labels)
      .filter(([name]) => name !== own)
      .map(([name, text]) => [name, String(text)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify(labels);
    const found = series.get(key);
    if (found === undefined) series.set(key, { labels, values: [value] });
    else found.values.push(value);
  }
  return [...series.values()];
}

const metricJson =
  (name: string, kind: string) =>
  ({ labels, values }: Series) => ({
    ...(labels.length === 0 ? {} : { label: labels.map(([n, value]) => ({ name: n, value })) }),
    ...content(name, kind, values),
  });

function content(name: string, kind: string, values: Values) {
  const part = (suffix: string) => values.find((v) => v.metricName === `${name}${suffix}`)?.value ?? 0;
  const of = (label: string) => values.filter((v) => v.labels[label] !== undefined);
  switch (kind) {
    case "counter":
      return { counter: { value: number(values[0]?.value ?? 0) } };
    case "gauge":
      return { gauge: { value: number(values[0]?.value ?? 0) } };
    case "histogram":
      return {
        histogram: {
          sampleCount: String(part("_count")),
          sampleSum: number(part("_sum")),
          bucket: of("le")
            .filter((v) => v.labels.le !== "+Inf")
            .map((v) => ({ cumulativeCount: String(v.value), upperBound: Number(v.labels.le) })),
        },
      };
    case "summary":
      return {
        summary: {
          sampleCount: String(part("_count")),
          sampleSum: number(part("_sum")),
          quantile: of("quantile").map((v) => ({ quantile: Number(v.labels.quantile), value: number(v.value) })),
        },
      };
    default:
      return { untyped: { value: number(values[0]?.value ?? 0) } };
  }
}

/** JSON has no number for these. */
function number(value: number): number | string {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}
