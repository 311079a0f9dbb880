import type { Matrix } from "../../model/query.ts";
import type { PointSeries } from "./points.ts";

const FLOAT = 1;

/** The rows of a matrix as series of points; a native histogram's value is 0. */
export function pointsOf({ start, step, steps, labels, values, present }: Matrix): PointSeries[] {
  return labels.map((set, row) => {
    const first = row * steps;
    let count = 0;
    for (let s = 0; s < steps; s++) if (present[first + s] !== 0) count++;
    const out = { labels: set, ts: new Float64Array(count), values: new Float64Array(count) };
    let n = 0;
    for (let s = 0; s < steps; s++) {
      const kind = present[first + s];
      if (kind === 0) continue;
      out.ts[n] = start + s * step;
      out.values[n++] = kind === FLOAT ? (values[first + s] as number) : 0;
    }
    return out;
  });
}
