import { endSeriesOfBefore } from "../../../src/actors/rule/alert-evaluation.ts";
import { evaluateOrHold } from "../../../src/actors/rule/rule-evaluation.ts";
import { makeGroupRuntime } from "../../../src/actors/rule/rule-group.state.ts";
import { openGroupStore } from "../../../src/actors/rule/rule-group.store.ts";
import { makeTeller, type TransitionEvent } from "../../../src/actors/rule/rule-group.teller.ts";
import { flush, makeRuleOutput } from "../../../src/actors/rule/rule-output.ts";
import type { RuleGroupSpec } from "../../../src/actors/rule/rule-spec.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";
import { alertingRule, recordingIngest, ruleGroup, scriptedEngine } from "./fixtures.ts";

export const T = 1_700_000_000_000;
export const TICK = 15_000;

/** One rule, A over `a`, of a group with an interval of TICK. */
export const group = (shadow: boolean, holdMs = 0, keepFiringForMs = 0): RuleGroupSpec => {
  const rule = alertingRule({ name: "A", query: "a", holdMs, keepFiringForMs });
  return ruleGroup([shadow ? { ...rule, shadow: true } : rule], { intervalMs: TICK });
};

/** The process has been killed. */
export class Killed extends Error {}

export interface Life {
  readonly disk: SimDisk;
  readonly sink: (alerts: readonly PostedAlert[], wall: number) => void;
  readonly transition?: (event: TransitionEvent) => void;
  /** The process is killed before its nth operation on the disk. */
  readonly killAt?: number;
}

/** Runs ticks `from` to `to` of the script (hosts for which the condition holds) in one life of the group. */
export async function live(
  spec: RuleGroupSpec,
  script: readonly (readonly string[])[],
  from: number,
  to: number,
  life: Life,
) {
  await life.disk.makeDir("/rules");
  let operations = 0;
  const killAt = life.killAt ?? Number.POSITIVE_INFINITY;
  life.disk.before = async () => {
    if (operations++ >= killAt) throw new Killed();
  };
  let wall = T + from * TICK;
  const runtime = makeGroupRuntime(spec);
  const ingest = recordingIngest();
  const output = makeRuleOutput(ingest, "default");
  const engine = scriptedEngine();
  const templates = { externalLabels: {}, externalUrl: "" };
  const store = await openGroupStore(life.disk, "/rules", runtime);
  const teller = makeTeller({
    runtime,
    store,
    templates,
    resendDelayMs: 0,
    transition: life.transition ?? (() => {}),
    sink: (alerts) => {
      // One that is dead tells nobody.
      if (operations <= killAt) life.sink(alerts, wall);
    },
  });
  // A life after a kill goes on where the one before was.
  const next = runtime.lastEvaluation === 0 ? 0 : (runtime.lastEvaluation - T) / TICK + 1;
  // The last tick comes again where it was cut off: who was not told then is told at the next evaluation.
  const first = Math.min(to - 1, Math.max(from, next));
  wall = T + first * TICK;
  if (runtime.rules.some((rule) => rule.turned !== undefined)) {
    for (const rule of runtime.rules) if (rule.turned !== undefined) endSeriesOfBefore(rule, output);
    teller.turned(wall);
    await store.settle().catch(() => {});
    if (operations > killAt) throw new Killed();
  }
  teller.resume(wall);
  const context = { engine, tenant: "default", output, templates, signal: new AbortController().signal };
  for (let i = first; i < to; i++) {
    wall = T + i * TICK;
    engine.answers = { a: (script[i] ?? []).map((host) => [{ host }, 1] as const) };
    runtime.evaluation++;
    for (const [rule, r] of runtime.rules.entries()) {
      const applied = await evaluateOrHold(context, runtime, r, wall, { blind: "", lateMs: 0 });
      teller.offer({ rule, applied, time: wall, wall });
    }
    runtime.lastEvaluation = wall;
    await teller.told();
    if (operations > killAt) throw new Killed();
  }
  await flush(output);
  await teller.close();
  return { runtime, lines: ingest.lines };
}

export async function folder(): Promise<SimDisk> {
  const disk = makeSimDisk();
  await disk.makeDir("/rules");
  return disk;
}
