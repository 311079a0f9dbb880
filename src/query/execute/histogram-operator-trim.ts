import type { Pos } from "../parse/ast.ts";
import { inform } from "./annotations.ts";
import { mapHistogramsInFront } from "./histogram-map.ts";
import { incompatibleTypes } from "./histogram-operator.ts";
import { overRows } from "./pace.ts";
import type { QueryContext } from "./query-context.ts";
import { PRESENT_FLOAT, PRESENT_HISTOGRAM, type Vector } from "./vector.ts";

/**
 * The trim operators between a vector and a scalar, in place: they are for histograms on the left of a float only. Of several
 * samples of one step that they have no result for it is the last one that something is said of, as in Prometheus.
 */
export async function trimByScalar(
  ctx: QueryContext,
  op: "</" | ">/",
  v: Vector,
  scalar: Float64Array,
  scalarOnLeft: boolean,
  pos: Pos,
): Promise<void> {
  const last = new Uint8Array(v.steps);
  await overRows(ctx, v.labels.length, v.steps, (r, from, to) => {
    for (let s = from; s < to; s++) {
      const cell = r * v.steps + s;
      const kind = v.present[cell] as number;
      if (kind === 0 || (kind === PRESENT_HISTOGRAM && !scalarOnLeft)) continue;
      last[s] = kind;
      v.present[cell] = 0;
    }
    if (!scalarOnLeft) mapHistogramsInFront(ctx, { kind: "binary", op, scalarOnLeft }, [scalar], v, r, from, to, pos);
  });
  if (last.includes(PRESENT_FLOAT)) inform(ctx.notes, incompatibleTypes("float", op, "float").text, pos);
  if (last.includes(PRESENT_HISTOGRAM)) inform(ctx.notes, incompatibleTypes("float", op, "histogram").text, pos);
}
