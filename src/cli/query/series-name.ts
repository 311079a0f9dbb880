import { goQuote } from "../../lib/go-quote.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import { isLegacyLabelName } from "../../model/matcher.ts";
import { labelOf, type Metric } from "./answer.ts";

/** `up{instance="a:9090", job="node"}`, to be pasted into a query as it is; `{}` for no labels. */
export function formatSeries(metric: Metric): string {
  const name = labelOf(metric, METRIC_NAME);
  const isPlain = name !== undefined && /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
  const pairs = Object.keys(metric)
    .filter((label) => label !== METRIC_NAME)
    .sort()
    .map((label) => `${isLegacyLabelName(label) ? label : goQuote(label)}=${goQuote(metric[label] as string)}`);
  if (name !== undefined && !isPlain) pairs.unshift(goQuote(name));
  if (!isPlain) return `{${pairs.join(", ")}}`;
  return pairs.length === 0 ? name : `${name}{${pairs.join(", ")}}`;
}

/** Labels that all series have with one value, and the names of those in which they differ, the metric name first. */
export interface SplitLabels {
  readonly common: Metric;
  readonly differing: readonly string[];
}

export function splitLabels(series: readonly { readonly metric: Metric }[]): SplitLabels {
  const names = new Set(series.flatMap(({ metric }) => Object.keys(metric)));
  const common: Record<string, string> = Object.create(null);
  const differing: string[] = [];
  for (const name of [...names].sort()) {
    const value = series[0] === undefined ? undefined : labelOf(series[0].metric, name);
    if (value !== undefined && series.every(({ metric }) => labelOf(metric, name) === value)) common[name] = value;
    else differing.push(name);
  }
  differing.sort((a, b) => Number(b === METRIC_NAME) - Number(a === METRIC_NAME));
  return { common, differing };
}

/** A series told by the labels in which it differs from the others. */
export function shortName(metric: Metric, differing: readonly string[]): string {
  const own: Record<string, string> = Object.create(null);
  for (const name of differing) {
    const value = labelOf(metric, name);
    if (value !== undefined) own[name] = value;
  }
  return formatSeries(own);
}
