import { describe, expect, it } from "vitest";
import type { HistogramJson, Metric, QueryData, VectorSeries } from "../../src/cli/query/answer.ts";
import { formatPlan } from "../../src/cli/query/explain.ts";
import { formatInstant, formatPromText } from "../../src/cli/query/instant.ts";
import { planTree, readsOf } from "../../src/cli/query/plan-tree.ts";
import { formatCsv } from "../../src/cli/query/result-csv.ts";
import { parseExpr } from "../../src/query/parse/parse.ts";

const plain = (width: number) => ({ width, color: false });
const h: HistogramJson = {
  count: "9",
  sum: "4.5",
  buckets: [
    [3, "-0.001", "0.001", "1"],
    [0, "0.25", "0.3535533905932738", "8"],
  ],
};

describe("an instant answer", () => {
  it("of one series has no table around it; names of objects' members are no labels", () => {
    const data: QueryData = { resultType: "vector", result: [{ metric: { __name__: "up" }, value: [0, "1"] }] };
    expect(formatInstant(data, 0, plain(80))).toEqual(["up", "1", "1 series at 1970-01-01 00:00:00 UTC"]);
    const odd: VectorSeries[] = [
      { metric: { constructor: "x" } as unknown as Metric, value: [0, "1"] },
      { metric: {}, value: [0, "2"] },
    ];
    expect(formatInstant({ resultType: "vector", result: odd }, 0, plain(80)).slice(0, 3)).toEqual([
      ...["constructor  value", "x                1", "                 2"],
    ]);
  });

  it("with native histograms has a bar for each bucket; CSV and promtool's form have them too", () => {
    const data: QueryData = {
      resultType: "vector",
      result: [
        { metric: { __name__: "l", job: "a" }, histogram: [1, h] },
        { metric: { __name__: "l", job: "b" }, value: [1, "5"] },
      ],
    };
    expect(formatInstant(data, 1, plain(60))).toEqual([
      "l",
      "job  value",
      "b        5",
      '{job="a"}',
      "  count 9  sum 4.5  mean 0.5",
      "   [-0.001, 0.001]  1  ██▌",
      "  (0.25, 0.353553]  8  ████████████████████",
      "2 series at 1970-01-01 00:00:01 UTC",
    ]);
    expect(formatPromText(data)[0]).toBe(
      'l{job="a"} => {count:9, sum:4.5, [-0.001,0.001]:1, (0.25,0.3535533905932738]:8} @[1]',
    );
    const [head, first, second] = formatCsv(data);
    expect(head).toBe("__name__,job,time,value,count,sum,buckets");
    expect(first).toMatch(/^l,a,1,,9,4\.5,"\[\[3,""-0\.001""/);
    expect(second).toBe("l,b,1,5,,,");
  });

  it("of strings, scalars and raw samples", () => {
    expect(formatInstant({ resultType: "string", result: [0, "a\x1b[31m"] }, 0, plain(80))[0]).toBe("a\\u001b[31m");
    expect(formatInstant({ resultType: "scalar", result: [0, "NaN"] }, 0, plain(80))[0]).toBe("NaN");
    const values = [
      [0, "1"],
      [60.5, "20"],
    ] as const;
    expect(formatInstant({ resultType: "matrix", result: [{ metric: {}, values }] }, 0, plain(80))).toEqual([
      "  1970-01-01 00:00:00       1",
      "  1970-01-01 00:01:00.500  20",
      "1 series, 2 samples at 1970-01-01 00:00:00 UTC",
    ]);
  });
});

describe("a plan", () => {
  it("says what runs where, and what selectors read", () => {
    const query = "topk(5, sum by (a) (rate(x[5m]))) / on (a) max_over_time(sum(y offset 1m)[30m:1m]) + scalar(z @ 5)";
    const tree = planTree(parseExpr(query), 300_000);
    expect(formatPlan(tree, new Map(), true, plain(80)).map((l) => l.trimEnd())).toEqual([
      "plan                        runs",
      "… + …                       in front",
      "├─ … / on (a) …             in front",
      "│  ├─ topk(5, …)            in front",
      "│  │  └─ sum by (a) (…)     in the shards, merged in front",
      "│  │     └─ rate(…)         in the shards",
      "│  │        └─ x[5m]        in the shards",
      "│  └─ max_over_time(…)      in front",
      "│     └─ …[30m:1m]          in front",
      "│        └─ sum(…)          in the shards, merged in front",
      "│           └─ y offset 1m  in the shards",
      "└─ scalar(…)                in front, once for all steps",
      "   └─ z @ 5.000             in the shards",
    ]);
    expect(readsOf(tree).map(({ range, offset, at }) => [range, offset, at])).toEqual([
      [300_000, 0, undefined],
      [2_100_000, 60_000, undefined],
      [300_000, 0, 5000],
    ]);
  });
});
