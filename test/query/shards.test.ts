import { expect, test } from "vitest";
import type { Engine } from "../../src/model/query.ts";
import { makeEngine } from "../../src/query/engine.ts";
import { often } from "../support/often.ts";
import { type Answer, askTocsin, type Question } from "./fuzz/ask.ts";
import { difference } from "./fuzz/compare.ts";
import { DATA_START, type FuzzSeries, makeDataset } from "./fuzz/dataset.ts";
import { makeHistogramDataset } from "./fuzz/histogram-dataset.ts";
import { makeRandom, type Random } from "./fuzz/prng.ts";
import { makeHistogramQuestion, makeQuestion } from "./fuzz/run.ts";
import { inMemory } from "./fuzz/sources.ts";
import { localShard } from "./promqltest/memory-source.ts";

/**
 * Where series lie makes no difference: generated expressions over generated data, asked of one shard and of several with the
 * series dealt out to them at random, some of which have none. TOCSIN_FUZZ_SEED sets the seed, TOCSIN_FUZZ_CASES makes it long.
 */
const seed = Number(process.env.TOCSIN_FUZZ_SEED ?? 20_251_124);
const cases = Number(process.env.TOCSIN_FUZZ_CASES ?? often(100, 400));
const SHARDS = [1, 2, 3, 7];

function dealt(r: Random, data: readonly FuzzSeries[], shards: number): Engine {
  const parts: FuzzSeries[][] = Array.from({ length: shards }, () => []);
  const order = data.map((s) => ({ s, at: r.next() })).sort((a, b) => a.at - b.at);
  for (const { s } of order) parts[r.int(0, shards - 1)]!.push(s);
  return makeEngine({ shards: parts.map((part, i) => localShard(i, inMemory(part))) });
}

/** Added up in another order, these may differ in the last digits: 1e-9 of a value is far more than its terms' last digits. */
const ADDS_UP = /\b(sum|avg|stddev|stdvar)\b/;

/** Which of several an error names, and which ten of more notes are told, is not promised. */
function plain({ error, type, series, notes }: Answer): unknown {
  return {
    error: error?.replace(/(found duplicate series|multiple matches for labels).*/s, "$1"),
    type,
    series: [...series].sort((a, b) => (a.labels < b.labels ? -1 : 1)),
    notes: notes.some((n) => n.endsWith("annotations omitted")) ? "many" : [...notes].sort(),
  };
}

async function compare(engines: readonly Engine[], q: Question): Promise<string[]> {
  const [one, ...others] = await Promise.all(engines.map((engine) => askTocsin(engine, q)));
  return others.flatMap((other, i) => {
    const what = ADDS_UP.test(q.query)
      ? difference(one!, other, q.range === undefined ? "any" : "rows", /stdvar|stddev/.test(q.query))
      : JSON.stringify(plain(one!)) === JSON.stringify(plain(other))
        ? undefined
        : `want ${JSON.stringify(plain(one!)).slice(0, 300)}\ngot  ${JSON.stringify(plain(other)).slice(0, 300)}`;
    return what === undefined ? [] : [`${SHARDS[i + 1]} shards: ${q.query} ${JSON.stringify(q)}\n${what}`];
  });
}

async function compareAll(
  data: readonly FuzzSeries[],
  r: Random,
  question: (r: Random) => Question,
): Promise<string[]> {
  const engines = SHARDS.map((n) => dealt(r, data, n));
  const wrong: string[] = [];
  for (let i = 0; i < cases; i++) wrong.push(...(await compare(engines, question(makeRandom(r.int(0, 2 ** 31))))));
  return wrong;
}

test(`${cases} queries of floats, seed ${seed}`, { timeout: 90_000 + cases * 200 }, async () => {
  const r = makeRandom(seed);
  expect(await compareAll(makeDataset(r), r, makeQuestion)).toEqual([]);
});

test(`${cases} queries of native histograms, seed ${seed}`, { timeout: 90_000 + cases * 200 }, async () => {
  const r = makeRandom(seed);
  const floats = makeDataset(r).filter((s) => s.labels.__name__ === "requests_total");
  expect(await compareAll([...floats, ...makeHistogramDataset(r)], r, makeHistogramQuestion)).toEqual([]);
});

test(`aggregations of what is exact are the same bit by bit, seed ${seed}`, {
  timeout: 90_000 + cases * 200,
}, async () => {
  const r = makeRandom(seed);
  const data = [...makeDataset(r).filter((s) => s.labels.__name__ !== "odd"), ...makeHistogramDataset(r)];
  const engines = SHARDS.map((n) => dealt(r, data, n));
  const time = data[0]!.ts[150]!;
  for (const op of ["sum", "avg", "count", "min", "max", "group", "quantile(0.3, ", 'count_values("v", ', "topk(3, "]) {
    for (const by of ["", "by (job) ", "without (instance) "]) {
      for (const name of ["requests_total", "temperature", "unique", "nh", "nh_gauge", "nh_custom", "nh_mixed"]) {
        // Which of equals topk keeps is not promised.
        if (op.startsWith("topk") && name !== "unique") continue;
        const [func, param = ""] = op.split("(");
        const query = `${func} ${by}(${param}${name})`;
        const range = { end: time + 900_000, step: 60_000 };
        const [one, ...others] = await Promise.all(engines.map((e) => askTocsin(e, { query, time, range })));
        for (const other of others) expect(plain(other), query).toEqual(plain(one!));
      }
    }
  }
});

test(`sums and means differ by at most one last digit a term, seed ${seed}`, {
  timeout: 90_000 + cases * 200,
}, async () => {
  const r = makeRandom(seed);
  const time = DATA_START + 60_000;
  const n = 97;
  const data = Array.from({ length: n }, (_, i): FuzzSeries => {
    // Of one sign, so that nothing cancels out; over ten orders of magnitude.
    const values = Float64Array.from({ length: 8 }, () => (1 + r.next()) * 10 ** r.int(-5, 5));
    const labels = { __name__: "m", i: String(i), group: String(i % 3) };
    return { labels, ts: Array.from(values, (_, k) => DATA_START + k * 15_000), words: new Uint32Array(values.buffer) };
  });
  const engines = SHARDS.map((shards) => dealt(r, data, shards));
  for (const query of ["sum(m)", "avg(m)", "sum by (group) (m)", "avg by (group) (rate(m[1m]))", "sum(sqrt(m))"]) {
    const answers = await Promise.all(
      engines.map((e) => e.range({ tenant: "default", query, start: time, end: time + 45_000, step: 15_000 })),
    );
    const [one, ...others] = answers.map((a) => a.matrix);
    for (const other of others) {
      expect(other.labels).toEqual(one!.labels);
      expect(other.present).toEqual(one!.present);
      one!.values.forEach((v, i) => {
        expect(Math.abs((other.values[i] as number) - v), query).toBeLessThanOrEqual(n * Number.EPSILON * Math.abs(v));
      });
    }
  }
});
