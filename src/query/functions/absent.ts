import { EMPTY_LABELS, type Labels, labelsFromEntries, METRIC_NAME } from "../../model/labels.ts";
import { overRows, type Pace } from "../execute/pace.ts";
import { compactRows, PRESENT_FLOAT, type Vector } from "../execute/vector.ts";
import type { Expr } from "../parse/ast.ts";

/**
 * Labels of absent(expr) and absent_over_time(expr): what the selector's equality matchers say about a label that no other
 * matcher speaks of; none for anything but a selector.
 */
export function absentLabels(expr: Expr): Labels {
  const selector = expr.kind === "matrixSelector" ? expr.selector : expr;
  if (selector.kind !== "vectorSelector") return EMPTY_LABELS;
  const seen = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const m of selector.matchers) {
    if (m.name === METRIC_NAME) continue;
    if (m.op === "=" && !seen.has(m.name)) seen.set(m.name, m.value);
    else ambiguous.add(m.name);
  }
  return labelsFromEntries([...seen].filter(([name]) => !ambiguous.has(name)));
}

/** 1 at every step at which the vector has no sample. */
export async function absent(pace: Pace, vector: Vector, labels: Labels): Promise<Vector> {
  const { steps } = vector;
  const present = new Uint8Array(steps).fill(PRESENT_FLOAT);
  await overRows(pace, vector.labels.length, steps, (r, from, to) => {
    for (let s = from; s < to; s++) if (vector.present[r * steps + s] !== 0) present[s] = 0;
  });
  const values = new Float64Array(steps).fill(1);
  return compactRows(pace, { steps, labels: [labels], dropName: new Uint8Array(1), values, present });
}
