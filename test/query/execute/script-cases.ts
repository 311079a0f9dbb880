import { expect, test } from "vitest";
import { makeEngine } from "../../../src/query/engine.ts";
import { load } from "../promqltest/load-series.ts";
import { localShard, makeMemorySource } from "../promqltest/memory-source.ts";
import { check } from "../promqltest/run-case.ts";
import { readScript } from "../promqltest/script.ts";

/** What is wrong with the cases of a promqltest script, by query; counter reset hints are those of the script. */
export async function wrongCases(script: string, partitions: number): Promise<Record<string, string>> {
  const sources = Array.from({ length: partitions }, makeMemorySource);
  const engine = makeEngine({ shards: sources.map((source, p) => localShard(p, source)) });
  const wrong: Record<string, string> = {};
  for (const command of readScript(script)) {
    if (command.kind === "load") load(sources, command, "sent");
    else if (command.kind === "eval") {
      const what = await check(engine, command, "all");
      if (what !== undefined) wrong[command.query] = what;
    }
  }
  return wrong;
}

/** The cases of a script, over one shard and over several. */
export function testScript(name: string, script: string): void {
  for (const partitions of [1, 3]) {
    test(`${name}: ${partitions} partitions`, async () => {
      expect(await wrongCases(script, partitions)).toEqual({});
    });
  }
}

/** The same cases with the vector `SELF` read by the shards alone, and with it in front when the rest is done. */
export function testBothWays(name: string, vector: string, script: string): void {
  testScript(`${name}, in the shards`, script.replaceAll("SELF", vector));
  testScript(`${name}, in front`, script.replaceAll("SELF", `label_replace(${vector}, "none", "", "", "")`));
}
