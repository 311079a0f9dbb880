import { expect, test } from "vitest";
import { answerRequest } from "../../../src/actors/shard/answer.ts";
import { carryError, uncarryError } from "../../../src/actors/shard/protocol.ts";
import { applyFrame, makeShardCore } from "../../../src/actors/shard/shard.core.ts";
import { mergeSets, mergeTexts } from "../../../src/api/merge-lists.ts";
import { compareLabels, type Labels, labelValue } from "../../../src/model/labels.ts";
import { QueryError } from "../../../src/model/query.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import type { SeriesSource } from "../../../src/model/series-source.ts";
import type { Listed, ShardClient, ShardRequest } from "../../../src/model/shard.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { createHead } from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { idlePace } from "../../query/idle-pace.ts";
import { frameOf, testSeries } from "./frames.ts";

const SERIES = 5_000;
const core = makeShardCore(createHead({ outOfOrderWindowMs: 0 }), 0);
const all = Array.from({ length: SERIES }, (_, i) => testSeries(String(i)));
applyFrame(
  core,
  frameOf(
    all,
    all.map((s, i) => [s, 1_000, i] as const),
  ),
);
const source = headSource(core.head);
const noStats = () => {
  throw new Error("not asked");
};
const sources = { source, head: core.head, metadata: core.metadata, stats: noStats, changes: noStats };
const everything: ShardRequest = { kind: "series", tenant: DEFAULT_TENANT, sets: [], minT: 0, maxT: 2_000, limit: 0 };

/** A shard in this thread whose requests are stopped at the n-th look. */
function clientStoppedAt(n: number): ShardClient {
  let looks = 0;
  return {
    partition: 0,
    request: async (request) => answerRequest(sources, request, () => ++looks >= n).value as never,
  };
}

test("a request that is stopped ends early", () => {
  const whole = answerRequest(sources, everything, () => false).value as Listed<unknown>;
  expect([whole.values.length, whole.packed?.sets?.ends.length]).toEqual([0, SERIES]);
  const list = (stopped: () => boolean) =>
    (answerRequest(sources, everything, stopped).value as Listed<unknown>).values;
  let looks = 0;
  const part = list(() => ++looks > 3);
  expect(part.length).toBeGreaterThan(0);
  expect(part.length).toBeLessThan(SERIES / 2);
});

test("long lists are packed in their order, and their bytes can be moved", async () => {
  const pace = idlePace();
  const series = answerRequest(sources, everything, () => false);
  const moved = structuredClone(series.value, { transfer: series.transfer }) as Listed<Labels>;
  expect(series.transfer).toHaveLength(4);
  expect(await mergeSets(pace, [moved])).toEqual(all.map((s) => s.labels).toSorted(compareLabels));
  const name = all[0]?.labels.find(
    (_, i, set) => i % 2 === 0 && new Set(all.map((s) => labelValue(s.labels, set[i] ?? ""))).size === SERIES,
  );
  const ask = {
    kind: "labelValues",
    tenant: DEFAULT_TENANT,
    name: name as string,
    sets: [],
    minT: 0,
    maxT: 2_000,
  } as const;
  const values = answerRequest(sources, ask, () => false).value as Listed<string>;
  expect(values.packed?.textEnds).toHaveLength(SERIES);
  expect(await mergeTexts(pace, [values])).toEqual(all.map((s) => labelValue(s.labels, name as string)).sort());
});

test("lists of series, names and values say what could not be read for them", () => {
  const met: string[] = [];
  const damaged: SeriesSource = {
    ...source,
    select: (...args) => {
      met.push("a block is damaged");
      return source.select(...args);
    },
    labelNames: () => {
      met.push("its names as well");
      return [];
    },
    problems: (minT, maxT) => [...met.splice(0), `between ${minT} and ${maxT}`],
  };
  const window = { tenant: DEFAULT_TENANT, sets: [], minT: 0, maxT: 2_000 } as const;
  const problems = (request: ShardRequest) => {
    const { value } = answerRequest({ ...sources, source: damaged }, request, () => false);
    return (value as Listed<unknown>).problems;
  };
  expect(problems({ kind: "series", ...window, limit: 0 })).toEqual(["a block is damaged", "between 0 and 2000"]);
  expect(problems({ kind: "labelNames", ...window })).toEqual(["its names as well", "between 0 and 2000"]);
  expect(problems({ kind: "labelValues", ...window, name: "x" })).toEqual(["between 0 and 2000"]);
});

test("a query that is stopped fails as canceled, one that is not gives its result", async () => {
  const ask = (client: ShardClient) =>
    makeEngine({ shards: [client] }).instant({ tenant: DEFAULT_TENANT, query: "sum(up)", time: 1_000 });
  expect(await ask(clientStoppedAt(Infinity))).toMatchObject({
    values: new Float64Array([(SERIES * (SERIES - 1)) / 2]),
  });
  await expect(ask(clientStoppedAt(2))).rejects.toMatchObject({ type: "canceled" });
});

test("errors keep their kind on the way to the caller", () => {
  const query = uncarryError(structuredClone(carryError(new QueryError("execution", "too many samples"))));
  expect(query).toBeInstanceOf(QueryError);
  expect(query).toMatchObject({ type: "execution", message: "too many samples" });
  const other = uncarryError(structuredClone(carryError(new TypeError("x is undefined"))));
  expect(other).not.toBeInstanceOf(QueryError);
  expect(other.message).toBe("x is undefined");
});
