import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Engine } from "../../../src/model/query.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { localShard, type MemorySource, makeMemorySource } from "./memory-source.ts";
import { check, checkAsRange, load } from "./run-case.ts";
import { readScript } from "./script.ts";

/**
 * Prometheus's acceptance tests for PromQL, run in this process. The scripts are not part of the repository: they are
 * looked for in ../shared/promqltest (or PROMQLTEST_DIR).
 *
 * `native-histograms.txt` lists the cases that fail because native histograms have no values yet. Every other case must pass,
 * and a listed one that passes must be taken off the list: it can only shrink.
 */
const FOLDER = process.env.PROMQLTEST_DIR ?? new URL("../../../../shared/promqltest", import.meta.url).pathname;
const NOT_YET = new Set(
  readFileSync(new URL("native-histograms.txt", import.meta.url), "utf8")
    .split("\n")
    .filter((l) => l !== "" && !l.startsWith("#")),
);
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((f) => f.endsWith(".test")) : [];

interface Outcome {
  readonly failed: Map<string, string>;
  total: number;
}

async function runFile(file: string, partitions: number, asRange: boolean): Promise<Outcome> {
  let sources: MemorySource[] = [];
  let engine: Engine = makeEngine({ shards: [] });
  const clear = (): void => {
    sources = Array.from({ length: partitions }, makeMemorySource);
    engine = makeEngine({ shards: sources.map((source, p) => localShard(p, source)) });
  };
  clear();
  const outcome: Outcome = { failed: new Map(), total: 0 };
  for (const command of readScript(readFileSync(`${FOLDER}/${file}`, "utf8"))) {
    if (command.kind === "clear") clear();
    else if (command.kind === "load") load(sources, command);
    else {
      outcome.total++;
      const wrong = await (asRange ? checkAsRange(engine, command) : check(engine, command));
      if (wrong !== undefined) outcome.failed.set(`${file}:${command.line}`, `${command.query} => ${wrong}`);
    }
  }
  return outcome;
}

describe.skipIf(files.length === 0)(`promqltest scripts (skipped where ${FOLDER} is absent)`, () => {
  for (const file of files) {
    for (const partitions of [1, 3]) {
      test(`${file}, ${partitions} partitions`, async () => {
        const { failed } = await runFile(file, partitions, false);
        const unexpected = [...failed].filter(([id]) => !NOT_YET.has(id)).map(([id, why]) => `${id}: ${why}`);
        expect(unexpected).toEqual([]);
        const passing = [...NOT_YET].filter((id) => id.startsWith(`${file}:`) && !failed.has(id));
        expect(passing, "take these off native-histograms.txt").toEqual([]);
      });
    }
    test(`${file}: an instant query gives what the step of a range query gives`, async () => {
      const { failed } = await runFile(file, 2, true);
      expect([...failed].map(([id, why]) => `${id}: ${why}`)).toEqual([]);
    });
  }
});
