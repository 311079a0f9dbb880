import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateOrHold } from "../../../src/actors/rule/rule-evaluation.ts";
import { makeGroupRuntime } from "../../../src/actors/rule/rule-group.state.ts";
import { openGroupStore } from "../../../src/actors/rule/rule-group.store.ts";
import { makeTeller } from "../../../src/actors/rule/rule-group.teller.ts";
import { makeRuleOutput } from "../../../src/actors/rule/rule-output.ts";
import type { RuleGroupSpec } from "../../../src/actors/rule/rule-spec.ts";
import { activeAlerts } from "../../../src/actors/rule/rule-status.ts";
import { formatLabels } from "../../../src/model/labels.ts";
import { QueryError } from "../../../src/model/query.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../../lib/sim-disk.ts";
import { alertingRule, recordingIngest, ruleGroup, scriptedEngine } from "./fixtures.ts";

const T = 1_700_000_000_000;
const TICK = 15_000;

/** What the two rules' queries answer at a tick: the hosts for which they hold, or that they fail. */
type Script = readonly { readonly a: readonly string[] | "failed"; readonly b: readonly string[] }[];

const group = (holdMs: number, keepFiringForMs: number): RuleGroupSpec =>
  ruleGroup(
    [
      alertingRule({ name: "A", query: "a", holdMs, keepFiringForMs }),
      alertingRule({ name: "B", query: "b", keepFiringForMs }),
    ],
    { intervalMs: TICK },
  );

class Killed extends Error {}

/** Runs the ticks from where the disk says until the end, or until the process is killed before its nth operation on the disk. */
async function incarnation(disk: SimDisk, spec: RuleGroupSpec, script: Script, told: Set<string>, killAt: number) {
  let operations = 0;
  disk.before = async () => {
    if (operations++ >= killAt) throw new Killed();
  };
  const runtime = makeGroupRuntime(spec);
  const output = makeRuleOutput(recordingIngest(), "default");
  const engine = scriptedEngine();
  const templates = { externalLabels: {}, externalUrl: "" };
  const store = await openGroupStore(disk, "/rules", runtime);
  const teller = makeTeller({
    runtime,
    store,
    templates,
    resendDelayMs: 0,
    transition: () => {},
    sink: (alerts) => {
      // One that is dead tells nobody.
      if (operations > killAt) return;
      for (const a of alerts) {
        const ended = (a.endsAt as number) <= T + script.length * TICK && a.endsAt !== undefined;
        told.add(
          `${formatLabels(a.labels)} from ${(a.startsAt as number) - T} ${ended ? `to ${(a.endsAt as number) - T}` : "on"}`,
        );
      }
    },
  });
  teller.resume(T + script.length * TICK);
  const context = { engine, tenant: "default", output, templates, signal: new AbortController().signal };
  const first = runtime.lastEvaluation === 0 ? 0 : (runtime.lastEvaluation - T) / TICK + 1;
  for (let i = first; i < script.length; i++) {
    const { a, b } = script[i] as Script[number];
    const rows = (hosts: readonly string[]) => hosts.map((host) => [{ host }, 1] as const);
    // At most every other one fails, so that each failure is bridged.
    engine.answers = {
      a: a === "failed" && i % 2 === 1 ? new QueryError("timeout", "late") : rows(a === "failed" ? [] : a),
      b: rows(b),
    };
    runtime.evaluation++;
    for (const [rule, r] of runtime.rules.entries()) {
      const time = T + i * TICK;
      const applied = await evaluateOrHold(context, runtime, r, time, { blind: "", lateMs: 0 });
      // An end in the future is beyond the script's.
      teller.offer({ rule, applied, time, wall: time + script.length * TICK });
    }
    runtime.lastEvaluation = T + i * TICK;
    await teller.told();
    if (operations > killAt) throw new Killed();
  }
  // A failure that is bridged is not written down: it changes nothing.
  return runtime.rules
    .flatMap((r) => (r.table === undefined ? [] : activeAlerts(r.table)))
    .map(({ unseenSince: _u, reason: _r, unknown: _k, ...rest }) => rest);
}

const hosts = fc.subarray(["x", "y", "z"]);
const scripts = fc.array(
  fc.record({
    a: fc.oneof({ weight: 5, arbitrary: hosts }, { weight: 1, arbitrary: fc.constant("failed" as const) }),
    b: hosts,
  }),
  { minLength: 5, maxLength: 40 },
);
const duration = fc.constantFrom(0, TICK, 4 * TICK);

describe("a group that is killed at any moment", () => {
  it("tells and ends up with what it would have without: no clock anew, no page lost, none with another start", async () => {
    await fc.assert(
      fc.asyncProperty(
        scripts,
        duration,
        duration,
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 5 }),
        fc.integer(),
        async (script, holdMs, keepMs, kills, seed) => {
          const spec = group(holdMs, keepMs);
          const whole = new Set<string>();
          const wanted = await incarnation(await folder(), spec, script, whole, Number.POSITIVE_INFINITY);
          const random = seededRandom(seed);
          const told = new Set<string>();
          let disk = await folder();
          let got: unknown;
          for (const killAt of [...kills, Number.POSITIVE_INFINITY]) {
            try {
              got = await incarnation(disk, spec, script, told, killAt);
              break;
            } catch (error) {
              // What is not readable for the one that is killed is its own trouble.
              if (killAt === Number.POSITIVE_INFINITY) throw error;
              disk = disk.crash(random);
            }
          }
          expect(got).toEqual(wanted);
          expect([...told].sort()).toEqual([...whole].sort());
        },
      ),
      { numRuns: 150 },
    );
  });
});

async function folder(): Promise<SimDisk> {
  const disk = makeSimDisk();
  await disk.makeDir("/rules");
  return disk;
}
