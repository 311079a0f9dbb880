import { describe } from "vitest";
import { testScript } from "./script-cases.ts";

/** Range functions over subqueries that have native histograms. */
describe("subqueries of native histograms", () => {
  testScript(
    "outermost samples, sums, counts, times",
    `load 1m
  h {{schema:0 count:1 sum:2 buckets:[1]}}+{{schema:0 count:1 sum:2 buckets:[1]}}x9

eval instant at 5m last_over_time(h[3m:1m])
  h {{schema:0 count:6 sum:12 buckets:[6]}}

eval instant at 5m first_over_time(h[3m:1m])
  h {{schema:0 count:4 sum:8 buckets:[4]}}

eval instant at 5m sum_over_time(h[3m:30s])
  {} {{schema:0 count:27 sum:54 buckets:[27]}}

eval instant at 5m avg_over_time((h * 2)[3m:1m])
  {} {{schema:0 count:10 sum:20 buckets:[10]}}

eval instant at 5m count_over_time(h[3m:1m])
  {} 3

eval instant at 5m ts_of_last_over_time(h[3m:1m])
  {} 300

eval instant at 5m changes(h[4m:1m])
  {} 3

eval range from 4m to 6m step 1m increase(h[3m:1m])
  {} {{schema:0 count:3 sum:6 buckets:[3]}}x2
`,
  );

  testScript(
    "hints of resets are not taken over, gauges stay gauges",
    `load 1m
  c {{count:5 sum:5}} {{count:6 sum:6 counter_reset_hint:reset}} {{count:7 sum:7 counter_reset_hint:not_reset}}
  g {{count:5 sum:5 counter_reset_hint:gauge}}x5

eval instant at 3m resets(c[4m:10s])
  {} 0

eval instant at 3m last_over_time(c[4m:1m])
  c {{count:7 sum:7 counter_reset_hint:unknown}}

eval instant at 3m delta(g[3m:1m])
  expect no_warn
  {} {{counter_reset_hint:gauge}}

eval instant at 3m increase(g[3m:1m])
  expect warn msg: PromQL warning: this native histogram metric is not a counter: "g" (1:1)
  {} {{counter_reset_hint:gauge}}
`,
  );

  testScript(
    "floats and histograms in one window",
    `load 1m
  m 1 2 3 {{count:4 sum:4}} {{count:5 sum:5}}

eval instant at 4m rate(m[5m:1m])
  expect warn msg: PromQL warning: encountered a mix of histograms and floats for metric name "m" (1:1)

eval instant at 4m sum_over_time(m[3m:1m])
  expect warn msg: PromQL warning: encountered a mix of histograms and floats for metric name "m" (1:1)

eval instant at 4m max_over_time(m[3m:1m])
  expect info msg: PromQL info: ignored histograms in a range containing both floats and histograms for metric name "m" (1:1)
  {} 3

eval instant at 4m quantile_over_time(0.5, m[4m:1m])
  expect info msg: PromQL info: ignored histograms in a range containing both floats and histograms for metric name "m" (1:20)
  {} 2.5

eval instant at 4m deriv(m[2m:1m])
  expect no_info

eval instant at 4m resets(m[10m:1m])
  {} 1

eval instant at 2m sum_over_time(m[2m:1m])
  expect no_warn
  {} 5
`,
  );

  testScript(
    "a subquery of subqueries",
    `load 1m
  h {{schema:0 count:1 sum:2 buckets:[1]}}+{{schema:0 count:1 sum:2 buckets:[1]}}x9

eval instant at 9m last_over_time(rate(h[2m:1m])[3m:1m])
  {} {{schema:0 count:0.016666666666666666 sum:0.03333333333333333 counter_reset_hint:gauge buckets:[0.016666666666666666]}}
`,
  );
});
