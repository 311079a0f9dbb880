import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Engine } from "../../../src/model/query.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { load } from "./load-series.ts";
import { localShard, type MemorySource, makeMemorySource } from "./memory-source.ts";
import { check, checkAsRange } from "./run-case.ts";
import { readScript } from "./script.ts";

/**
 * Prometheus's acceptance tests for PromQL, run in this process. The scripts are not part of the repository: they are
 * looked for in ../shared/promqltest (or PROMQLTEST_DIR).
 *
 * Stored hints: histograms come with the counter reset hints that Prometheus's storage gives back, all expected hints are
 * compared. Sent hints: with those of the script, as a sender's come; then a counter's hint in a result is not compared, and there may
 * be no warning of hints that conflict, as one of them may not be known.
 */
const FOLDER = process.env.PROMQLTEST_DIR ?? new URL("../../../../shared/promqltest", import.meta.url).pathname;
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((f) => f.endsWith(".test")) : [];

type Way = "stored hints" | "sent hints" | "as a range";

/** The cases that fail, with what is wrong. */
async function runFile(file: string, partitions: number, way: Way): Promise<string[]> {
  let sources: MemorySource[] = [];
  let engine: Engine = makeEngine({ shards: [] });
  const clear = (): void => {
    sources = Array.from({ length: partitions }, makeMemorySource);
    engine = makeEngine({ shards: sources.map((source, p) => localShard(p, source)) });
  };
  clear();
  const failed: string[] = [];
  for (const command of readScript(readFileSync(`${FOLDER}/${file}`, "utf8"))) {
    if (command.kind === "clear") clear();
    else if (command.kind === "load") load(sources, command, way === "sent hints" ? "sent" : "stored");
    else {
      const wrong = await (way === "as a range"
        ? checkAsRange(engine, command)
        : check(engine, command, way === "sent hints" ? "gauge" : "all"));
      if (wrong !== undefined) failed.push(`${file}:${command.line}: ${command.query} => ${wrong}`);
    }
  }
  return failed;
}

const WAYS: readonly (readonly [partitions: number, way: Way])[] = [
  [1, "stored hints"],
  [3, "stored hints"],
  [3, "sent hints"],
];

describe.skipIf(files.length === 0)(`promqltest scripts (skipped where ${FOLDER} is absent)`, () => {
  for (const file of files) {
    for (const [partitions, way] of WAYS) {
      test(`${file}, ${partitions} partitions, ${way}`, async () => {
        expect(await runFile(file, partitions, way)).toEqual([]);
      });
    }
    test(`${file}: an instant query gives what the step of a range query gives`, async () => {
      expect(await runFile(file, 2, "as a range")).toEqual([]);
    });
  }
});
