import { EMPTY_LABELS, type Labels, labelsOnly, METRIC_NAME } from "../../model/labels.ts";

/** Labels of the group that a series belongs to: `by (names)`, or `without (names)`, which drops the metric name too. */
export function groupLabels(labels: Labels, names: ReadonlySet<string>, without: boolean): Labels {
  if (!without) return names.size === 0 ? EMPTY_LABELS : labelsOnly(labels, names);
  const out: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i] as string;
    if (name !== METRIC_NAME && !names.has(name)) out.push(name, labels[i + 1] as string);
  }
  return out;
}
