import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Logger from "effect/Logger";
import { TestClock } from "effect/testing";
import { describe, expect } from "vitest";
import { FIRING, obtainRow, STATE, setCell } from "../../../src/actors/rule/alert-table.ts";
import { makeGroupRuntime } from "../../../src/actors/rule/rule-group.state.ts";
import { openGroupStore } from "../../../src/actors/rule/rule-group.store.ts";
import { makeRuleManager, type RuleManagerOptions } from "../../../src/actors/rule/rule-manager.ts";
import { labelsFromObject, labelsKey } from "../../../src/model/labels.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";
import { alertingRule, recordingIngest, ruleGroup, scriptedEngine, until } from "./fixtures.ts";

const spec = ruleGroup([alertingRule()]);
const labels = labelsFromObject({ alertname: "HighLoad", host: "a" });

async function opened(disk: SimDisk, folder: string) {
  const runtime = makeGroupRuntime(spec);
  const store = await openGroupStore(disk, folder, runtime);
  const table = runtime.rules[0]?.table;
  if (table === undefined) throw new Error("no table");
  return { runtime, store, table };
}

/** A disk with the state of a group of which one alert fires, and a log behind its base. */
async function withFiringAlert(folder: string): Promise<SimDisk> {
  const disk = makeSimDisk();
  await disk.makeDir(folder);
  const { store, table, runtime } = await opened(disk, folder);
  // Nothing changed: nothing that ends the log.
  await store.save([]);
  const row = obtainRow(table, labelsKey(labels), labels);
  setCell(table, row, STATE, FIRING);
  runtime.lastEvaluation = 1_700_000_000_000;
  await store.save([{ rule: 0, dirty: [row], gone: [] }]);
  await store.close();
  return disk;
}

describe("alerts at a start on a bad disk", () => {
  it.each(["write", "sync"] as const)("are restored when it takes nothing (%s)", async (op) => {
    const disk = await withFiringAlert("/rules");
    disk.failNext(op, "ENOSPC");
    const { store, table } = await opened(disk, "/rules").catch((e) => Promise.reject(new Error(`rejected: ${e}`)));
    expect(table.rowOf.size).toBe(1);
    // Nothing was lost by trying.
    expect((await opened(disk, "/rules")).table.rowOf.size).toBe(1);
    // With room again all is written anew.
    await store.save([]);
    await store.close();
    expect((await opened(disk, "/rules")).table.rowOf.size).toBe(1);
  });

  it.effect("are restored from one that reads again after a moment, and the state is not put aside", () => {
    const lines: string[] = [];
    const log = Logger.layer([Logger.make((entry) => void lines.push([entry.message].flat().join(" ")))]);
    return Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_000);
      const disk = yield* Effect.promise(() => withFiringAlert("/data/rules"));
      disk.failNext("read", "EIO");
      const options: RuleManagerOptions = {
        engine: scriptedEngine(),
        ingest: recordingIngest(),
        sink: () => {},
        publish: () => Promise.resolve(),
        dataDir: "/data",
        disk,
        externalLabels: {},
        externalUrl: "http://tocsin",
        onDeath: () => {},
      };
      const manager = makeRuleManager(options, [spec]);
      const fiber = yield* Effect.forkChild(Effect.scoped(manager.run));
      yield* Effect.promise(() => until(() => lines.length > 0));
      yield* TestClock.adjust(1_000);
      yield* Effect.promise(() => until(() => manager.alerts().length === 1));
      expect(manager.alerts()[0]?.state).toBe("firing");
      expect(lines.filter((line) => line.includes("alerts start anew"))).toEqual([]);
      yield* Fiber.interrupt(fiber);
    }).pipe(Effect.provide(log));
  });
});
