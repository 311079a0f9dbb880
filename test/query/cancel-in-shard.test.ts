import { beforeAll, describe, expect, test } from "vitest";
import { compileMatcherRegex } from "../../src/lib/regex.ts";
import type { Labels } from "../../src/model/labels.ts";
import { makeSampleBuffer } from "../../src/model/sample.ts";
import type { SeriesSource } from "../../src/model/series-source.ts";
import { runShardQuery } from "../../src/query/execute/run-shard-query.ts";
import { parseSelector } from "../../src/query/parse/parse.ts";
import type { RangeFunction, ShardAnswer, ShardPlan } from "../../src/query/plan/shard-plan.ts";
import { createHead, defineSeries } from "../../src/storage/head/head.ts";
import { headSource } from "../../src/storage/head/head-source.ts";
import { appendRows, bitsOf, hashOf } from "../storage/head/reference-head.ts";
import { gapMeter } from "./cpu-gap.ts";

/**
 * Work in a shard is one synchronous call, which asks now and then whether it shall go on. What counts is how much CPU it takes
 * between two such questions: a query that is called off goes on for no longer than that.
 */
const MOST_MS = 100;

const limits = { maxSamples: 5e7, maxSeries: 1e7, timeoutMs: 1e9 };
const plan = (parts: Partial<ShardPlan>): ShardPlan => ({
  version: 1,
  tenant: "default",
  grid: { start: 0, step: 1000, steps: 1 },
  select: { matchers: [], offset: 0, lookback: 300_000, output: "value" },
  maps: [],
  limits,
  ...parts,
});

/** Series that are made up when they are read. */
function generated(series: number, samples: number): SeriesSource {
  const labels = (id: number): Labels => ["__name__", "load", "id", String((id * 7919) % series), "zone", `z${id % 7}`];
  return {
    select: () => Uint32Array.from({ length: series }, (_, i) => i),
    labels,
    symbol: () => 1,
    text: () => "",
    valueSymbol: (id) => id,
    read(_, minT, __, out) {
      const buffer = makeSampleBuffer(samples);
      for (let i = 0; i < samples; i++) {
        buffer.ts[i] = minT + i * 1000;
        buffer.values[i] = (i * 31) % 97;
      }
      Object.assign(out, { ...buffer, length: samples });
    },
    labelNames: () => [],
    labelValues: () => [],
  };
}

/** The longest stretch without a question, over the whole of the work. */
function gapOf(source: SeriesSource, work: ShardPlan) {
  const meter = gapMeter();
  meter.start();
  const { result } = runShardQuery(source, work, () => {
    meter.look();
    return false;
  });
  return { answer: result as ShardAnswer, ...meter.end() };
}

/** The work ends at the question at which it is told to. */
function endsAt(source: SeriesSource, work: ShardPlan, question: number) {
  let asked = 0;
  const { result } = runShardQuery(source, work, () => ++asked >= question);
  return { answer: result as ShardAnswer, asked };
}

describe("a shard's work asks often enough whether to go on", () => {
  const range = { start: 0, step: 1000, steps: 2000 };
  const cases: [what: string, source: () => SeriesSource, work: ShardPlan][] = [
    [
      "a range function over many series",
      () => generated(3000, 300),
      plan({
        grid: { ...range, steps: 300 },
        range: { func: "rate", range: 60_000, params: [] },
        aggregate: { op: "sum", grouping: [], without: false },
      }),
    ],
    [
      "quantiles of long windows",
      () => generated(20, 2000),
      plan({ grid: range, range: { func: "quantile_over_time", range: 600_000, params: [0.9] } }),
    ],
    [
      "a great many rows, sorted and packed",
      () => generated(80_000, 1),
      plan({
        grid: { start: 0, step: 1000, steps: 1 },
        select: { matchers: [], offset: 0, lookback: 300_000, output: "value" },
      }),
    ],
    [
      "a great many groups",
      () => generated(60_000, 1),
      plan({ aggregate: { op: "avg", grouping: ["zone"], without: true } }),
    ],
    [
      "raw samples of very many series",
      () => generated(60_000, 3),
      plan({ raw: true, range: { func: "last_over_time", range: 60_000, params: [] } }),
    ],
  ];
  test.each(cases)("%s", (_, source, work) => {
    gapOf(generated(10, 10), work);
    const { answer, longest, looks } = gapOf(source(), work);
    expect(answer.kind).not.toBe("failure");
    expect(looks).toBeGreaterThan(10);
    expect(longest).toBeLessThan(MOST_MS);
    const half = endsAt(source(), work, Math.floor(looks / 2));
    expect(half).toMatchObject({ asked: Math.floor(looks / 2), answer: { kind: "failure", type: "canceled" } });
  });

  test("its own time is over at a question, too", () => {
    const late = { ...(cases[0]?.[2] as ShardPlan), limits: { ...limits, timeoutMs: 0 } };
    expect(gapOf(generated(10, 10), late).answer).toMatchObject({ kind: "failure", type: "timeout" });
  });
});

describe("one window of a month at a sample a second", () => {
  const SAMPLES = 30 * 86_400;
  const made = makeSampleBuffer(SAMPLES);
  for (let i = 0; i < SAMPLES; i++) {
    made.ts[i] = 1 + i * 1000;
    made.values[i] = ((i * 7919) % 10_007) / 97;
  }
  const source: SeriesSource = {
    ...generated(1, 1),
    read: (_, __, ___, out) => void Object.assign(out, { ...made, length: SAMPLES }),
  };
  const cases: [func: RangeFunction, params: number[], leastLooks: number][] = [
    ["sum_over_time", [], 10],
    ["avg_over_time", [], 10],
    ["max_over_time", [], 10],
    ["ts_of_min_over_time", [], 10],
    ["stddev_over_time", [], 10],
    ["quantile_over_time", [0.9], 5],
    ["mad_over_time", [], 5],
    ["deriv", [], 10],
    ["predict_linear", [3600], 10],
    ["double_exponential_smoothing", [0.3, 0.3], 10],
    ["rate", [], 3],
    ["irate", [], 3],
    ["changes", [], 3],
    ["resets", [], 3],
    ["count_over_time", [], 3],
  ];
  const work = (func: RangeFunction, params: number[], steps: number) =>
    plan({ grid: { start: SAMPLES * 1000, step: 1000, steps }, range: { func, range: SAMPLES * 1000, params } });

  test.each(cases)("%s asks often enough whether to go on", (func, params, leastLooks) => {
    gapOf(generated(10, 10), work(func, params, 1));
    for (const steps of [1, 3]) {
      const { answer, longest, looks } = gapOf(source, work(func, params, steps));
      expect(answer).toMatchObject({ kind: "rows", samples: SAMPLES });
      expect(looks).toBeGreaterThanOrEqual(leastLooks);
      expect(longest).toBeLessThan(MOST_MS);
      expect(endsAt(source, work(func, params, steps), looks - 1).answer).toMatchObject({ type: "canceled" });
    }
  });
});

describe("a search through very many values", () => {
  const VALUES = 100_000;
  const head = createHead({ outOfOrderWindowMs: 3_600_000 });
  beforeAll(() => {
    for (let i = 0; i < VALUES; i++) {
      const { lo, hi } = hashOf(i);
      const path = `/users/${"abcdefghij".repeat(3)}/${i}/items`;
      defineSeries(head, lo, hi, "default", ["__name__", "load", "path", path]);
    }
    const rows = Array.from({ length: VALUES }, (_, i) => ({ hash: i, t: 1000, ...bitsOf(i) }));
    appendRows(head, rows);
  });
  const asking = (selector: string) =>
    plan({
      select: { matchers: parseSelector(selector), offset: 0, lookback: 300_000, output: "value" },
      grid: { start: 1000, step: 1, steps: 1 },
    });

  test.each([
    ["an RE2 program", '{path=~"(/?[a-z]+([0-9]|x)?)+(/items|/[0-9]+y){2,5}z"}'],
    ["what JavaScript matches", '{path=~"/[a-z]+/[a-z]+x"}'],
    ["wildcards", '{path=~".*a.*b.*x|.*c.*y|.*d.*q"}'],
    ["refused values", '{__name__="load",path!~"(/?[a-z]+([0-9]|x)?)+(/items|/[0-9]+y){2,5}z"}'],
    ["two of them", '{__name__="load",path=~"(/?[a-z]+([0-9]|x)?)+(/items){2}z|.*1/items",path!~"(x|y)+(a|.)*z{3,}"}'],
  ])("%s", (_, selector) => {
    const source = headSource(head);
    const { longest, looks } = gapOf(source, asking(selector));
    expect(looks).toBeGreaterThan(2);
    expect(longest).toBeLessThan(MOST_MS);
    // What was called off is as if it had never been: the answer after it is whole.
    const other = asking(selector.replaceAll("x", "w"));
    const whole = gapOf(headSource(head), other);
    expect(endsAt(headSource(head), other, 2).answer.kind).toMatch(/failure|rows/);
    expect(gapOf(headSource(head), other).answer).toEqual(whole.answer);
  });

  test("a pattern is no slower where nobody asks", () => {
    expect(compileMatcherRegex("(a|b)+c?x*")("ababx")).toBe(true);
  });
});
