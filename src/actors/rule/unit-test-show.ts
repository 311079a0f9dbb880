import { type Labels, labelsToObject } from "../../model/labels.ts";
import { formatMetric } from "../../query/execute/format-metric.ts";

/** Alerts and samples of unit tests as promtool writes them where they are not as expected. */

export interface ShownAlert {
  readonly labels: Labels;
  readonly annotations: Labels;
}

/** A list of alerts, over several lines. */
export function showAlerts(alerts: readonly ShownAlert[]): string {
  if (alerts.length === 0) return "[]";
  const one = ({ labels, annotations }: ShownAlert, i: number) =>
    `${i}:${indent(`\nLabels:${formatMetric(labels)}\nAnnotations:${formatMetric(annotations)}`, "  ")}`;
  return `[\n${alerts.map(one).join(",\n")}\n]`;
}

export interface ShownSample {
  readonly labels: Labels;
  readonly value: number;
  /** In the notation of series; "" where the sample is a float. */
  readonly histogram: string;
}

export function showSamples(samples: readonly ShownSample[]): string {
  if (samples.length === 0) return "nil";
  return samples.map((s) => `${formatMetric(s.labels)} ${s.histogram || capitalFloat(s.value)}`).join(", ");
}

/** Go's 'E' format with the fewest digits: `1.5E+00`. */
function capitalFloat(v: number): string {
  if (Number.isNaN(v)) return "NaN";
  if (!Number.isFinite(v)) return v > 0 ? "+Inf" : "-Inf";
  const [digits, exponent = "+0"] = v.toExponential().split("e") as [string, string?];
  const sign = Object.is(v, -0) ? "-" : "";
  return `${sign}${digits}E${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

/** Every line but the first with `by` in front. */
export function indent(text: string, by: string): string {
  return text.split("\n").join(`\n${by}`);
}

const RED = "\u001b[0;31m";
const GREEN = "\u001b[0;32m";
const YELLOW = "\u001b[0;33m";
const PLAIN = "\u001b[0m";

/**
 * The differences between two lists of alerts, coloured: red is expected and missing, green is too much, yellow has
 * another value.
 */
export function diffAlerts(expected: readonly ShownAlert[], got: readonly ShownAlert[]): string {
  const lines = ["["];
  for (let i = 0; i < Math.max(expected.length, got.length); i++) {
    const [e, g] = [expected[i], got[i]];
    lines.push("    {");
    lines.push(...diffMap("Annotations", e?.annotations, g?.annotations));
    lines.push(...diffMap("Labels", e?.labels, g?.labels));
    lines.push("    },");
  }
  lines.push("]");
  return lines.join("\n");
}

function diffMap(name: string, expected: Labels | undefined, got: Labels | undefined): string[] {
  const e = labelsToObject(expected ?? []);
  const g = labelsToObject(got ?? []);
  const lines = [...new Set([...Object.keys(e), ...Object.keys(g)])].sort().map((key) => {
    const [was, is] = [e[key], g[key]];
    const label = JSON.stringify(key);
    if (was === is) return `${label}: ${JSON.stringify(was)}`;
    if (is === undefined) return `${RED}${label}: ${JSON.stringify(was)}${PLAIN}`;
    if (was === undefined) return `${GREEN}${label}: ${JSON.stringify(is)}${PLAIN}`;
    return `${label}: ${YELLOW}${JSON.stringify(was)} => ${JSON.stringify(is)}${PLAIN}`;
  });
  return [`        "${name}": {`, ...lines.map((l) => `            ${l},`), "        },"];
}
