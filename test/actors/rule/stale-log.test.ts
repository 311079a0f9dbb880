import { expect, it } from "vitest";
import { FIRING, obtainRow, STATE, setCell } from "../../../src/actors/rule/alert-table.ts";
import { makeGroupRuntime } from "../../../src/actors/rule/rule-group.state.ts";
import { openGroupStore, stateFile } from "../../../src/actors/rule/rule-group.store.ts";
import { labelsFromObject, labelsKey } from "../../../src/model/labels.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";
import { alertingRule, ruleGroup } from "./fixtures.ts";

it("a log that an earlier base of its generation has left brings no alert back", async () => {
  const disk = makeSimDisk();
  await disk.makeDir("/rules");
  const spec = ruleGroup([alertingRule()]);
  const log = (generation: number) => stateFile("/rules", spec).replace(/\.json$/, `.${generation}.log`);
  const open = async () => {
    const runtime = makeGroupRuntime(spec);
    const store = await openGroupStore(disk, "/rules", runtime);
    const table = runtime.rules[0]?.table;
    if (table === undefined) throw new Error("no table");
    return { store, table };
  };
  const labels = labelsFromObject({ alertname: "HighLoad" });
  const first = await open();
  const row = obtainRow(first.table, labelsKey(labels), labels);
  setCell(first.table, row, STATE, FIRING);
  await first.store.save([{ rule: 0, dirty: [row], gone: [] }]);
  await first.store.close();
  const left = disk.file(log(0)).slice();
  // It ends. The base of generation 2 knows nothing of it any more.
  const second = await open();
  expect(second.table.rowOf.size).toBe(1);
  second.table.rowOf.clear();
  await second.store.save([{ rule: 0, dirty: [], gone: [labels] }]);
  await second.store.close();
  const stale = await disk.open(log(2), "create");
  await stale.write(left, 0);
  await stale.sync();
  await stale.close();
  for (let i = 0; i < 3; i++) {
    const again = await open();
    expect(again.table.rowOf.size).toBe(0);
    await again.store.close();
  }
});
