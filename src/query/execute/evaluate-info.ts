import { QueryError } from "../../model/query.ts";
import type { Call } from "../parse/ast.ts";
import type { Grid } from "../plan/grid.ts";
import type { QueryContext } from "./query-context.ts";
import type { Vector } from "./vector.ts";

export function evaluateInfo(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  void ctx;
  void call;
  void grid;
  return Promise.reject(new QueryError("execution", "info() is not supported yet"));
}
