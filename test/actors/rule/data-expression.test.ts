import { describe, expect, it } from "vitest";
import { dataQueries } from "../../../src/actors/rule/data-expression.ts";

const M = 60_000;

describe("queries for the data behind an alert's expression", () => {
  it.each([
    ["load > 1", "load > bool 1", "load > bool 1", 6 * M],
    ["(load > 1)", "(load > bool 1)", "(load > bool 1)", 6 * M],
    ["up == bool 0", "up == bool 0", "up == bool 0", 6 * M],
    ["rate(errors[5m]) > 0.1", "rate(errors[5m]) > bool 0.1", "errors > bool 0.1", 11 * M],
    ["count(up == 0) > 3", "group(up == bool 0) > bool 3", "group(up == bool 0) > bool 3", 6 * M],
    ["sum by (job) (rate(e[1h])) > 1", "sum by (job) (rate(e[1h])) > bool 1", "sum by (job) (e) > bool 1", 66 * M],
    ["a > 1 and on (job) b < 2", "a > bool 1 and on (job) b < bool 2", "a > bool 1 and on (job) b < bool 2", 6 * M],
    ["a > 1 unless on (job) b", "a > bool 1", "a > bool 1", 6 * M],
    ["a > 1 and on () maintenance", "a > bool 1", "a > bool 1", 6 * M],
    ["errors_total", "errors_total", "errors_total", 6 * M],
    ["topk(3, load > 1)", "load > bool 1", "load > bool 1", 6 * M],
    [
      "max_over_time((load > 1)[10m:1m]) > 2",
      "max_over_time((load > bool 1)[10m:1m]) > bool 2",
      "(load > bool 1) > bool 2",
      16 * M,
    ],
  ])("%s", (query, seen, last, lookbackMs) => {
    expect(dataQueries(query)).toEqual({ seen, last, lookbackMs });
  });

  it.each(["absent(up)", "absent_over_time(up[5m]) > 0", 'count_values("v", a > 1) > 2'])(
    "%s has an answer whatever is there",
    (query) => expect(dataQueries(query)).toBeUndefined(),
  );
});
