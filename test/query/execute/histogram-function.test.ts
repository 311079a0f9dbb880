import { describe, expect, test } from "vitest";
import { makeEngine } from "../../../src/query/engine.ts";
import { load } from "../promqltest/load-series.ts";
import { localShard, makeMemorySource } from "../promqltest/memory-source.ts";
import { readScript } from "../promqltest/script.ts";
import { testBothWays, testScript } from "./script-cases.ts";

const MONOTONICITY =
  "PromQL info: input to histogram_quantile needed to be fixed for monotonicity " +
  "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

testBothWays(
  "one value of each histogram, none of floats",
  "h",
  `
load 1m
  h{a="1"} {{count:4 sum:6 buckets:[4]}} {{count:8 sum:4 buckets:[0 8]}} stale 7
  h{a="2"} 1 2 3 4
  h{a="3"} {{schema:-53 sum:30 count:4 custom_values:[5 10] buckets:[1 2 1]}}x3

eval range from 0 to 3m step 1m histogram_count(SELF)
  expect no_warn
  expect no_info
  {a="1"} 4 8 _ _
  {a="3"} 4 4 4 4

eval range from 0 to 3m step 1m histogram_sum(SELF)
  {a="1"} 6 4 _ _
  {a="3"} 30 30 30 30

eval range from 0 to 3m step 1m histogram_avg(SELF)
  {a="1"} 1.5 0.5 _ _
  {a="3"} 7.5 7.5 7.5 7.5

eval instant at 0 histogram_stdvar(SELF{a="1"} or SELF{a="none"})
  {a="1"} 0.6286796564403574

eval instant at 0 histogram_stddev({__name__="h", a="1"}) ^ 2
  {a="1"} 0.6286796564403574

eval instant at 0 histogram_count({__name__="h", a="2"})
`.replaceAll(/SELF\{([^}]*)\}/g, '{__name__="h", $1}'),
);

testBothWays(
  "a series is native at one step, classic buckets at others",
  "h",
  `
load 1m
  h             {{count:4 sum:6 buckets:[0 4]}} stale _ {{count:4 sum:6 buckets:[0 4]}} _
  h{le="1"}     _ 1 3 1 stale
  h{le="+Inf"}  _ 4 4 4 stale

eval range from 0 to 2m step 1m histogram_quantile(1, SELF)
  expect no_warn
  expect no_info
  {} 2 1 1

eval range from 0 to 4m step 1m histogram_fraction(-Inf, 1, SELF)
  expect warn msg: PromQL warning: vector contains a mix of classic and native histograms for metric name "h" (1:29)
  expect no_info
  {} 0 0.25 0.75 _ 0

eval range from 0 to 4m step 1m histogram_quantiles(SELF, "q", 1, 0)
  expect warn msg: PromQL warning: vector contains a mix of classic and native histograms for metric name "h" (1:21)
  {q="1.0"} 2 1 1 _ 2
  {q="0.0"} 1 0 0 _ 1
`,
);

testScript(
  "native histograms have the labels that they have, `le` too; floats beside them need one",
  `
load 1m
  h{le="1"} {{count:4 sum:6 buckets:[0 4]}} 5
  h{le="+Inf"} 1 6
  h 3 {{count:4 sum:6 buckets:[0 4]}}

eval instant at 0 histogram_quantile(1, h)
  expect warn msg: PromQL warning: bucket label "le" is missing or has a malformed value of "" for metric name "h" (1:23)
  {le="1"} 2
  {} NaN

eval instant at 1m histogram_quantile(1, h)
  expect warn msg: PromQL warning: vector contains a mix of classic and native histograms for metric name "h" (1:23)
`,
);

testScript(
  "notes on quantiles and on observations of NaN",
  `
load 1m
  h{a="1"} {{count:15 sum:NaN buckets:[12]}}x3
  h{a="2"} {{count:12 sum:6 buckets:[12]}}x3

eval range from 0 to 2m step 1m histogram_quantile(scalar(vector(time() / 60 - 0.5)), h)
  expect warn msg: PromQL warning: quantile value should be between 0 and 1, got -0.5 (1:20)
  expect warn msg: PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:20)
  expect info msg: PromQL info: input to histogram_quantile has NaN observations, result is skewed higher for metric name "h" (1:55)
  {a="1"} -Inf 0.7711054127039704 +Inf
  {a="2"} -Inf 0.7071067811865475 +Inf

eval instant at 0 histogram_quantile(0.9, sum by (a) (h))
  expect info msg: PromQL info: input to histogram_quantile has NaN observations, result is NaN (1:25)
  {a="1"} NaN
  {a="2"} 0.9330329915368074

eval instant at 0 histogram_fraction(0, 2, h{a="1"})
  expect info msg: PromQL info: input to histogram_fraction has NaN observations, which are excluded from all fractions for metric name "h" (1:26)
  {a="1"} 0.8

eval instant at 0 histogram_fraction(2, 1, h)
  expect no_info
  {a="1"} 0
  {a="2"} 0

eval instant at 0 histogram_fraction(NaN, 1, h)
  expect no_info
  {a="1"} NaN
  {a="2"} NaN
`,
);

testScript(
  "a quantile that changes over time has its own rows",
  `
load 1m
  h {{count:12 sum:6 buckets:[12]}}x3
  x 1 0 1 0

eval range from 0 to 3m step 1m histogram_quantiles(h, "q", scalar(x), 0.5)
  {q="1.0"} 1 _ 1 _
  {q="0.0"} _ 0.5 _ 0.5
  {q="0.5"} 0.7071067811865475x3

eval instant at 0 histogram_quantiles(h, "q", 0.5, 0.5)
  expect fail msg: vector cannot contain metrics with the same labelset
`,
);

describe("counts that do not ascend", () => {
  const SCRIPT = `
load 1m
  b{job="a", le="1"} 4x3
  b{job="a", le="10"} 2 2 3 4
  b{job="a", le="+Inf"} 6x3
  b{job="b", le="1"} 4x3
  b{job="b", le="10"} 4x3
  b{job="b", le="+Inf"} 4 4 1 4
  c{le="1"} 2
  c{le="+Inf"} 1
`;
  const infosOf = async (query: string, partitions: number): Promise<readonly string[]> => {
    const sources = Array.from({ length: partitions }, makeMemorySource);
    for (const command of readScript(SCRIPT)) if (command.kind === "load") load(sources, command, "sent");
    const engine = makeEngine({ shards: sources.map((source, p) => localShard(p, source)) });
    const result = await engine.range({ tenant: "default", query, start: 0, end: 180_000, step: 60_000 });
    return result.infos;
  };
  const ALL =
    ", from buckets 10 to +Inf, with a max diff of 3, over 4 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:02:00Z";

  test.each([1, 3])("are told of once for a metric, with what they span: %i partitions", async (partitions) => {
    const name = ' for metric name "b"';
    expect(await infosOf("histogram_quantile(0.9, b)", partitions)).toEqual([`${MONOTONICITY}${name}${ALL} (1:25)`]);
    // Histograms are looked at once for all quantiles, those that are none aside.
    const several = await infosOf('histogram_quantiles(b, "q", 2, 0.1, 0.9)', partitions);
    expect(several).toEqual([`${MONOTONICITY}${name}${ALL} (1:21)`]);
    const both = await infosOf("histogram_quantile(0.9, b) or histogram_quantile(0.1, b)", partitions);
    expect(both).toEqual([`${MONOTONICITY}${name}${ALL.replace("over 4", "over 8")} (1:25)`]);
    const summed = await infosOf("histogram_quantile(0.9, sum by (le) (b))", partitions);
    expect(summed).toEqual([
      `${MONOTONICITY}, from buckets 10 to +Inf, with a max diff of 2, over 3 samples ` +
        "from 1970-01-01T00:00:00Z to 1970-01-01T00:02:00Z (1:25)",
    ]);
  });

  test("are told of by metric, and only where a quantile is asked for", async () => {
    const texts = await infosOf('histogram_quantile(0.9, {__name__=~"b|c"})', 1);
    expect(texts).toHaveLength(2);
    expect(texts[1]).toMatch(/metric name "c", from buckets \+Inf to \+Inf, with a max diff of 1, over 4 samples/);
    expect(await infosOf("histogram_quantile(2, b)", 1)).toEqual([]);
    expect(await infosOf('histogram_quantile(0.5, b{le!="+Inf"})', 1)).toEqual([]);
    expect(await infosOf("histogram_fraction(0, 1, b)", 1)).toEqual([]);
  });
});
