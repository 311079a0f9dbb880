import { describe, expect, test } from "vitest";
import { QueryError } from "../../../src/model/query.ts";
import type { SubqueryExpr } from "../../../src/query/parse/ast.ts";
import { parseExpr } from "../../../src/query/parse/parse.ts";
import { resolveDurations } from "../../../src/query/plan/duration-expr.ts";

const times = { start: 1_000_000, end: 1_600_000, step: 15_000 };

function outcome(query: string): string {
  try {
    resolveDurations(parseExpr(query), times);
    return "";
  } catch (e) {
    if (e instanceof QueryError && e.type === "bad_data") return e.message;
    throw e;
  }
}

describe("errors have the place that Prometheus 3.5.3 answered", () => {
  for (const [query, message] of [
    ["x[0*1]", "2:5: duration must be greater than 0"],
    ["sum(\n  rate(x[5m-5m]))", "14:19: duration must be greater than 0"],
    ["x[5m:1m-1m]", "5:10: duration must be greater than 0"],
    ["rate(x[5m*(2-3)]) + x offset (5m/(1-1))", "7:14: duration must be greater than 0"],
    ["rate(x[(1-1)])", "8:11: duration must be greater than 0"],
    ["rate(x[-(1*1)])", "7:12: duration must be greater than 0"],
    ["x[2-(1+1)]", "2:8: duration must be greater than 0"],
    ["((x[1-1]))", "4:7: duration must be greater than 0"],
    ["x[+(1-1)]", "4:7: duration must be greater than 0"],
    ["x[(2)*(-1)]", "3:9: duration must be greater than 0"],
    ["x[-(2)^2*1]", "2:10: duration must be greater than 0"],
    ["x[1/(1-1)]", "2:8: division by zero"],
    ["x[1%(1-1)]", "2:8: modulo by zero"],
    ["x offset (1/(1-1))", "10:16: division by zero"],
    ["x[5*-(1/(2-2)):1-1]", "15:18: duration must be greater than 0"],
    ["x[1-1:2-2] offset (1/(1-1))", "19:25: division by zero"],
    ["x[9e9*9e9]", "2:9: duration is out of range"],
    ["x offset (0-9e9*9e9*1e9)", "10:23: duration is out of range"],
    ["x @ 5 offset (1-5)", ""],
    ["x[2^-1]", ""],
    ["x[0.0001*1]", ""],
  ] as const) {
    test(JSON.stringify(query), () => expect(outcome(query)).toBe(message));
  }
});

test("whole milliseconds, cut off", () => {
  const e = resolveDurations(parseExpr("x[1.001*1s:2*step()] offset (range()-0.0019)"), times) as SubqueryExpr;
  expect(e).toMatchObject({ range: 1000, step: 30_000, offset: 599_998 });
  expect(e).not.toHaveProperty("rangeExpr");
});

test("every place where an expression can stand", () => {
  for (const query of ["-x", "(x)", "sum(x)", "topk(scalar(x), y)", "y + x", "vector(scalar(x))", "rate((x)[5m:])"]) {
    expect(outcome(query.replace("x", "x offset (1/(1-1))"))).toContain("division by zero");
  }
});
