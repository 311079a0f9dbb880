import { expect, test } from "vitest";
import { parseExpr } from "../../../src/query/parse/parse.ts";
import { fragmentOf } from "../../../src/query/plan/fragment.ts";
import { isStepInvariant } from "../../../src/query/plan/step-invariant.ts";

test.each([
  ["up @ 10", true],
  ["up", false],
  ["sum(rate(x[5m] @ end()))", true],
  ["x @ 10 + y", false],
  ["1 + 2", true],
  ["time()", false],
  ["timestamp(x @ 10)", false],
  ["max_over_time(x[5m:1m] @ 10)", true],
  ["max_over_time((x @ 10)[5m:1m])", false],
])("%s is the same at every step: %s", (query, expected) => {
  expect(isStepInvariant(parseExpr(query))).toBe(expected);
});

test.each([
  ["up", true],
  ["(up)", true],
  ["-up", true],
  ["rate(x_total[5m])", true],
  ["abs(rate(x_total[5m]) * 60) > 3", true],
  ["quantile_over_time(scalar(q), x[5m])", true],
  ["timestamp(up)", true],
  ["timestamp(-up)", false],
  ["max_over_time(x[5m:1m])", false],
  ["sum(up)", false],
  ["a + b", false],
  ["1 + 2", false],
  ["absent(up)", false],
])("%s runs in the shards: %s", (query, expected) => {
  expect(fragmentOf(parseExpr(query)) !== undefined).toBe(expected);
});
