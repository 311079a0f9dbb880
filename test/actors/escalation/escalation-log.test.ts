import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EscalationState, transition, trigger } from "../../../src/actors/escalation/escalation.core.ts";
import type { Escalation } from "../../../src/actors/escalation/escalation-config.ts";
import { openEscalationLog } from "../../../src/actors/escalation/escalation-log.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";

const PATH = "/alerting/escalations.log";
const policy: Escalation = {
  name: "ops",
  steps: [{ afterMs: 0, notify: [] }],
  repeat: Number.POSITIVE_INFINITY,
  repeatAfterMs: 1000,
  ackTimeoutMs: 0,
  repageOnNewAlerts: true,
};
const begin = (id: string) => trigger(policy, { id, group: id, groupKey: "{}:{}", groupLabels: ["a", "b"] }, ["f"], 1);
const alert = (id: string) => ({
  fingerprint: id,
  labels: ["alertname", id],
  annotations: { summary: "ü" },
  startsAt: 1,
  endsAt: 2,
  updatedAt: 1,
  timeout: false,
  generatorUrl: "",
});
const plain = (s: EscalationState) => JSON.parse(JSON.stringify(s)) as unknown;

async function freshDisk(): Promise<SimDisk> {
  const disk = makeSimDisk();
  await disk.makeDir("/alerting");
  return disk;
}

describe("escalations on disk", () => {
  it("are there whole after a power cut at any time, as they were last said to be or later", async () => {
    const change = fc.record({ id: fc.constantFrom("x", "y", "z"), wait: fc.boolean(), fails: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 25 }), fc.integer(), async (changes, seed) => {
        const disk = await freshDisk();
        const { log } = await openEscalationLog(disk, PATH);
        const versions = new Map<string, EscalationState[]>();
        const safe = new Map<string, number>();
        const writes: Promise<unknown>[] = [];
        for (const { id, wait, fails } of changes) {
          const all = versions.get(id) ?? [];
          versions.set(id, all);
          const last = all.at(-1);
          const event = { type: "acknowledge", by: `${all.length}`, via: "api", comment: "", now: all.length } as const;
          all.push(last === undefined ? begin(id) : transition(policy, last, event));
          const number = all.length - 1;
          if (fails) {
            disk.partial = 7;
            disk.failNext("write", "ENOSPC");
          }
          const work = log.write({ state: all[number] as EscalationState, alerts: [alert(id)] }).then(
            () => safe.set(id, Math.max(number, safe.get(id) ?? 0)),
            () => undefined,
          );
          if (wait) await work;
          else writes.push(work);
        }
        const before = new Map(safe);
        let state = seed >>> 0;
        const random = () => {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
          return state / 2 ** 32;
        };
        const after = await openEscalationLog(disk.crash(random), PATH);
        await Promise.all(writes);
        for (const [id, number] of before) {
          const found = after.records.get(id);
          expect(found?.alerts).toEqual([alert(id)]);
          const at = (versions.get(id) ?? []).findIndex((s) => JSON.stringify(s) === JSON.stringify(found?.state));
          expect(at).toBeGreaterThanOrEqual(number);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("go on beside a damaged line, which is kept for a person to look at", async () => {
    const disk = await freshDisk();
    const { log } = await openEscalationLog(disk, PATH);
    for (const id of ["x", "y"]) await log.write({ state: begin(id), alerts: [] });
    await log.close();
    const text = new TextDecoder().decode(disk.file(PATH));
    disk.replace(PATH, new TextEncoder().encode(`nonsense\n${text}{"version":1,"sta`));
    const { records, damagedLines } = await openEscalationLog(disk, PATH);
    expect([damagedLines, [...records.keys()]]).toEqual([1, ["x", "y"]]);
    expect(plain(records.get("y")?.state as EscalationState)).toEqual(plain(begin("y")));
    expect(new TextDecoder().decode(disk.file(`${PATH}.damaged`))).toContain("nonsense");
  });
});
