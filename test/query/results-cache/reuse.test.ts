import { expect, it } from "vitest";
import { parseExpr } from "../../../src/query/parse/parse.ts";
import { resolveDurations } from "../../../src/query/plan/duration-expr.ts";
import { reuseOf } from "../../../src/query/results-cache/reuse.ts";

const MINUTE = 60_000;
const BUCKET = 3_600_000;

function depth(query: string): number | undefined {
  const expr = resolveDurations(parseExpr(query), { start: 0, end: 10 * MINUTE, step: MINUTE });
  const found = reuseOf(expr, { lookbackMs: 5 * MINUTE, subqueryStepMs: MINUTE })?.depth;
  return found === undefined ? undefined : (found - BUCKET) / MINUTE;
}

it.each([
  ["a", 5],
  ["a offset 1h", 65],
  ["rate(a[10m])", 15],
  ["rate(a[10m] offset 1m)", 16],
  ["max_over_time(rate(a[5m])[30m:1m] offset 10m)", 51],
  ["max_over_time(a[30m:])", 36],
  ["a + b offset 20m", 25],
  ["topk(scalar(a offset 1d), b)", 1445],
  ["rate(a[range()])", 15],
  ["rate(a[2 * step()])", 7],
  ["a * step()", 5],
  ["predict_linear(a[5m], 3600)", 10],
])("%s reads %s minutes before its time", (query, minutes) => {
  expect(depth(query)).toBe(minutes);
});

it.each([
  "1 + 2",
  "vector(time())",
  "a @ 100",
  "a @ start()",
  "sum(rate(a[5m] @ end()))",
  "max_over_time(a[30m:1m] @ 100)",
  "a offset -1m",
  "a + (b offset -1s)",
  "max_over_time(a[30m:1m] offset -1m)",
  "a smoothed",
  "rate(a[5m] smoothed)",
  "info(a)",
  "a + range()",
  "a > bool start()",
  "topk(end(), a)",
])("%s is not what its time and the samples before it make", (query) => {
  expect(depth(query)).toBeUndefined();
});
