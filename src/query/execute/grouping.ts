import { EMPTY_LABELS, type Labels, labelsKey, labelsOnly, METRIC_NAME } from "../../model/labels.ts";
import type { AggregateExpr } from "../parse/ast.ts";
import { overEach, type Pace, ROW_WORK } from "./pace.ts";
import type { Vector } from "./vector.ts";

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

/** Group number of every row, and the groups' labels, in the order of the first row of each. */
export async function groupRows(
  pace: Pace,
  vector: Vector,
  expr: AggregateExpr,
): Promise<{ groups: Labels[]; of: Int32Array }> {
  const names = new Set(expr.grouping);
  const groups: Labels[] = [];
  const byKey = new Map<string, number>();
  const of = new Int32Array(vector.labels.length);
  await overEach(pace, of.length, 2 * ROW_WORK, (r) => {
    const labels = groupLabels(vector.labels[r] as Labels, names, expr.without);
    const key = labelsKey(labels);
    let g = byKey.get(key);
    if (g === undefined) {
      g = groups.length;
      groups.push(labels);
      byKey.set(key, g);
    }
    of[r] = g;
  });
  return { groups, of };
}

/** Groups with the rows of each. */
export async function groupMembers(
  pace: Pace,
  vector: Vector,
  expr: AggregateExpr,
): Promise<{ groups: Labels[]; rows: number[][] }> {
  const { groups, of } = await groupRows(pace, vector, expr);
  const rows: number[][] = groups.map(() => []);
  for (let r = 0; r < of.length; r++) rows[of[r] as number]?.push(r);
  return { groups, rows };
}
