import { expect, test } from "vitest";
import type { VectorSelector } from "../../../src/query/parse/ast.ts";
import { parseExpr } from "../../../src/query/parse/parse.ts";
import { collectStatsOnly } from "../../../src/query/plan/stats-only.ts";

test.each([
  ["histogram_count(a)", ["a"]],
  ["histogram_sum((a))", ["a"]],
  ["histogram_avg(sum by (x) (rate(a[5m])) * 2)", ["a"]],
  ["histogram_count(a + b) + c", ["a", "b"]],
  ["histogram_count(topk(scalar(a), -b))", ["a", "b"]],
  ["a", []],
  ["sum(rate(a[5m]))", []],
  ["histogram_stddev(a)", []],
  ["histogram_quantile(0.9, a)", []],
  ["histogram_quantile(0.9, histogram_count(a))", []],
  ["histogram_count(histogram_fraction(0, 1, a))", []],
  ['histogram_count(a) + histogram_quantiles(b, "q", 0.5)', ["a"]],
  ["histogram_count(increase(a[40m:9m]))", []],
  ["max_over_time(histogram_count(a)[40m:9m])", []],
  ["histogram_count(sum_over_time(sum(histogram_sum(a))[5m:1m]))", []],
  ["histogram_count(a </ 5)", []],
  ["histogram_count(a) >/ scalar(b)", []],
  ["histogram_count(a * scalar(b >/ 2))", ["a"]],
])("%s reads without buckets: %j", (query, expected) => {
  const found = new Set<VectorSelector>();
  collectStatsOnly(parseExpr(query), found);
  expect([...found].map((s) => s.matchers[0]?.value).sort()).toEqual(expected);
});
