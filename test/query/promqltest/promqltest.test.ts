import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import type { Engine } from "../../../src/model/query.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { readKnownFailures } from "./known-failures.ts";
import { load } from "./load-series.ts";
import { localShard, type MemorySource, makeMemorySource } from "./memory-source.ts";
import { check, checkAsRange } from "./run-case.ts";
import { readScript } from "./script.ts";

/**
 * Prometheus's acceptance tests for PromQL, run in this process. The scripts are not part of the repository: they are
 * looked for in ../shared/promqltest (or PROMQLTEST_DIR).
 *
 * One partition: histograms come with the counter reset hints that Prometheus's storage gives back, all expected hints are
 * compared. Three: with the hints of the script, as a sender's come; then a counter's hint in a result is not compared.
 *
 * `native-histograms.txt` lists the cases that fail with either because native histograms are not done yet. Every other case must
 * pass, and a listed one that passes must be taken off the list: it can only shrink. UPDATE_PROMQLTEST=1 writes it anew.
 */
const FOLDER = process.env.PROMQLTEST_DIR ?? new URL("../../../../shared/promqltest", import.meta.url).pathname;
const UPDATE = process.env.UPDATE_PROMQLTEST === "1";
const NOT_YET = readKnownFailures(new URL("native-histograms.txt", import.meta.url));
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((f) => f.endsWith(".test")) : [];

interface Outcome {
  readonly failed: Map<string, string>;
  total: number;
}

type Way = "stored hints" | "sent hints" | "as a range";

async function runFile(file: string, partitions: number, way: Way): Promise<Outcome> {
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
    else if (command.kind === "load") load(sources, command, way === "sent hints" ? "sent" : "stored");
    else {
      outcome.total++;
      const wrong = await (way === "as a range"
        ? checkAsRange(engine, command)
        : check(engine, command, way === "sent hints" ? "gauge" : "all"));
      if (wrong !== undefined) outcome.failed.set(`${file}:${command.line}`, `${command.query} => ${wrong}`);
    }
  }
  return outcome;
}

/** The failures that are not on the list, with what is wrong. */
function unlisted(failed: Outcome["failed"]): string[] {
  return [...failed].filter(([id]) => !NOT_YET.has(id)).map(([id, why]) => `${id}: ${why}`);
}

const WAYS: readonly (readonly [partitions: number, way: Way])[] = [
  [1, "stored hints"],
  [3, "sent hints"],
];

describe.skipIf(files.length === 0)(`promqltest scripts (skipped where ${FOLDER} is absent)`, () => {
  const failing = new Set<string>();
  const runs = new Map<string, number>();
  afterAll(() => {
    if (UPDATE) NOT_YET.rewrite(failing, (file) => runs.get(file) === WAYS.length);
  });
  for (const file of files) {
    for (const [partitions, way] of WAYS) {
      test(`${file}, ${partitions} partitions, ${way}`, async () => {
        const { failed } = await runFile(file, partitions, way);
        for (const id of failed.keys()) failing.add(id);
        runs.set(file, (runs.get(file) ?? 0) + 1);
        if (UPDATE) return;
        expect(unlisted(failed)).toEqual([]);
      });
    }
    test.skipIf(UPDATE)(`${file}: a listed case fails in one of the ways`, () => {
      if (runs.get(file) !== WAYS.length) return;
      const passing = NOT_YET.of(file).filter((id) => !failing.has(id));
      expect(passing, "take these off native-histograms.txt").toEqual([]);
    });
    test.skipIf(UPDATE)(`${file}: an instant query gives what the step of a range query gives`, async () => {
      const { failed } = await runFile(file, 2, "as a range");
      expect(unlisted(failed)).toEqual([]);
    });
  }
});
