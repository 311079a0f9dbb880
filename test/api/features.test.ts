import { describe, expect, it } from "vitest";
import { FEATURES } from "../../src/api/features.ts";
import { parseExpr } from "../../src/query/parse/parse.ts";

/** An expression for each piece of syntax that is told to be there. */
const USES: Readonly<Record<string, string>> = {
  anchored: "rate(a[5m] anchored)",
  at_modifier: "a @ 1",
  bool: "a == bool 1",
  by: "sum by (b) (a)",
  duration_expr: "rate(a[1m + 1m])",
  fill: "a + fill(0) b",
  fill_left: "a + fill_left(0) b",
  fill_right: "a + fill_right(0) b",
  group_left: "a * on (c) group_left () b",
  group_right: "a * on (c) group_right () b",
  ignoring: "a * ignoring (c) b",
  negative_offset: "a offset -1m",
  offset: "a offset 1m",
  on: "a * on (c) b",
  smoothed: "a smoothed",
  subqueries: "max_over_time(a[1h:1m])",
  without: "sum without (b) (a)",
};

describe("features", () => {
  it.each(Object.entries(USES))("%s is told and is there", (name, expr) => {
    expect(FEATURES.promql?.[name]).toBe(true);
    expect(() => parseExpr(expr)).not.toThrow();
  });

  it("has the functions and the operators", () => {
    expect(FEATURES.promql_functions).toMatchObject({ rate: true, info: true, histogram_quantiles: true });
    expect(FEATURES.promql_operators).toMatchObject({ "+": true, unless: true, limitk: true, "=~": true });
  });

  it("is in the order of names", () => {
    for (const category of [FEATURES, ...Object.values(FEATURES)]) {
      expect(Object.keys(category)).toEqual(Object.keys(category).sort());
    }
  });
});
