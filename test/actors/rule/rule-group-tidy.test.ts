import { describe, expect, it } from "vitest";
import { makeGroupRuntime } from "../../../src/actors/rule/rule-group.state.ts";
import { openGroupStore, stateFile } from "../../../src/actors/rule/rule-group.store.ts";
import { KEPT_MS, tidyOnce } from "../../../src/actors/rule/rule-group.tidy.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";
import { alertingRule, ruleGroup } from "./fixtures.ts";

const T = 1_700_000_000_000;

describe("state of rule groups that are gone", () => {
  it("is removed a day after the last evaluation, of those that are gone alone", async () => {
    const disk = makeSimDisk();
    await disk.makeDir("/rules");
    const specs = ["stays", "gone", "lately"].map((name) => ruleGroup([alertingRule()], { name }));
    for (const spec of specs) {
      const runtime = makeGroupRuntime(spec);
      const store = await openGroupStore(disk, "/rules", runtime);
      runtime.lastEvaluation = spec.name === "lately" ? T + KEPT_MS : T;
      await store.save([{ rule: 0, dirty: [], gone: [["alertname", "x"]] }]);
      await store.alive();
      await store.settle();
      await store.close();
    }
    const inUse = () => [stateFile("/rules", specs[0] as never)];
    const before = await disk.list("/rules");
    expect(await tidyOnce({ disk, folder: "/rules", inUse }, T + KEPT_MS, new Map())).toBe(0);
    expect(await disk.list("/rules")).toEqual(before);
    expect(await tidyOnce({ disk, folder: "/rules", inUse }, T + KEPT_MS + 1, new Map())).toBe(1);
    const nameOf = (i: number) => stateFile("", specs[i] as never).slice(0, 24);
    const left = await disk.list("/rules");
    expect(left).toEqual(before.filter((name) => !name.startsWith(nameOf(1))));
    expect(left.some((name) => name.startsWith(nameOf(0)))).toBe(true);
  });

  it("without a note of when it was alive goes a day after it was found", async () => {
    const disk = makeSimDisk();
    await disk.makeDir("/rules");
    const file = await disk.open("/rules/0123456789abcdef01234567.json.damaged", "create");
    await file.close();
    const other = await disk.open("/rules/README", "create");
    await other.close();
    const seen = new Map<string, number>();
    const options = { disk, folder: "/rules", inUse: () => [] };
    expect(await tidyOnce(options, T, seen)).toBe(0);
    expect(await tidyOnce(options, T + KEPT_MS, seen)).toBe(0);
    expect(await tidyOnce(options, T + KEPT_MS + 1, seen)).toBe(1);
    expect(await disk.list("/rules")).toEqual(["README"]);
  });
});
