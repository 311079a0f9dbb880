import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../../src/model/query.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { findProgram } from "../../e2e/tocsin.ts";
import { localShard } from "../promqltest/memory-source.ts";
import { makeDataset } from "./dataset.ts";
import { makeRandom } from "./prng.ts";
import { type Prometheus, startPrometheus } from "./prometheus.ts";
import { askAll, makeQuestion } from "./run.ts";
import { makeSources } from "./sources.ts";

/**
 * Generated queries over generated data, answered by Tocsin's engine and by a real Prometheus 3.5: values, labels, order,
 * errors and annotations have to agree. The seed is printed; TOCSIN_FUZZ_SEED sets it, TOCSIN_FUZZ_CASES makes it long.
 * Prometheus is looked for on PATH and in PEERS_BIN.
 */
const program = findProgram("prometheus");
const seed = Number(process.env.TOCSIN_FUZZ_SEED ?? 20_251_122);
const cases = Number(process.env.TOCSIN_FUZZ_CASES ?? 600);

describe.skipIf(program === undefined)(
  "against Prometheus (skipped where there is none on PATH or in PEERS_BIN)",
  () => {
    const random = makeRandom(seed);
    let prometheus: Prometheus;
    let engine: Engine;

    beforeAll(async () => {
      const data = makeDataset(random);
      engine = makeEngine({ shards: makeSources(data).map((s, i) => localShard(i, s)) });
      prometheus = await startPrometheus(program!, data);
    }, 60_000);
    afterAll(() => prometheus?.stop());

    test(`${cases} queries, seed ${seed}`, { timeout: 30_000 + cases * 50 }, async () => {
      const { findings, explained, empty } = await askAll(engine, prometheus.url, random, cases, makeQuestion);
      console.log(`seed ${seed}: ${cases} queries, ${empty} without a result, ${explained} explained differences`);
      expect(findings.map((f) => `${f.question.query}  ${JSON.stringify(f.question)}\n${f.what}`)).toEqual([]);
      // A fuzzer that asks nothing would agree as well.
      expect(empty).toBeLessThan(cases / 2);
      expect(explained).toBeLessThanOrEqual(2 + cases / 100);
    });
  },
);
