import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../../src/model/query.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { findProgram } from "../../e2e/tocsin.ts";
import { localShard } from "../promqltest/memory-source.ts";
import { makeDataset } from "./dataset.ts";
import { makeHistogramDataset } from "./histogram-dataset.ts";
import { makeRandom } from "./prng.ts";
import { type Prometheus, startPrometheus } from "./prometheus.ts";
import { askAll, makeHistogramQuestion } from "./run.ts";
import { makeSources } from "./sources.ts";

/** As fuzz.test.ts, over native histograms. TOCSIN_FUZZ_SEED sets the seed, TOCSIN_FUZZ_CASES makes it long. */
const program = findProgram("prometheus");
const seed = Number(process.env.TOCSIN_FUZZ_SEED ?? 20_251_123);
const cases = Number(process.env.TOCSIN_FUZZ_CASES ?? 500);

describe.skipIf(program === undefined)(
  "native histograms against Prometheus (skipped where there is none on PATH or in PEERS_BIN)",
  () => {
    const random = makeRandom(seed);
    let prometheus: Prometheus;
    let engine: Engine;

    beforeAll(async () => {
      const floats = makeDataset(random).filter((s) => s.labels.__name__ === "requests_total");
      const data = [...floats, ...makeHistogramDataset(random)];
      engine = makeEngine({ shards: makeSources(data).map((s, i) => localShard(i, s)) });
      prometheus = await startPrometheus(program!, data);
    }, 60_000);
    afterAll(() => prometheus?.stop());

    test(`${cases} queries, seed ${seed}`, { timeout: 90_000 + cases * 50 }, async () => {
      const { findings, explained, empty } = await askAll(engine, prometheus.url, random, cases, makeHistogramQuestion);
      console.log(`seed ${seed}: ${cases} queries, ${empty} without a result, ${explained} explained differences`);
      expect(findings.map((f) => `${f.question.query}  ${JSON.stringify(f.question)}\n${f.what}`)).toEqual([]);
      expect(empty).toBeLessThan(cases / 2);
    });
  },
);
