import { describe, expect, it } from "vitest";
import { checkExpression } from "../../../src/actors/rule/check-expression.ts";
import { evaluateRule } from "../../../src/actors/rule/rule-evaluation.ts";
import { parseRuleFile } from "../../../src/actors/rule/rule-file.ts";
import { makeGroupRuntime } from "../../../src/actors/rule/rule-group.state.ts";
import { makeRuleOutput } from "../../../src/actors/rule/rule-output.ts";
import type { RuleGroupSpec } from "../../../src/actors/rule/rule-spec.ts";
import { makeUnitTestShard } from "../../../src/actors/rule/unit-test-shard.ts";
import { labelsFromObject, labelValue } from "../../../src/model/labels.ts";
import { DEFAULT_TENANT, writeStale } from "../../../src/model/sample.ts";
import { makeEngine } from "../../../src/query/engine.ts";

const RULES = `
groups:
- name: g
  interval: 30s
  rules: [{ alert: Busy, expr: load > 1, no_data: keep }]
`;

describe("an evaluation", () => {
  it("does not take an instance whose data went for ended when another one comes at the same time", async () => {
    const { groups } = parseRuleFile("r.yml", RULES, { evaluationIntervalMs: 30_000, checkExpression });
    const group = makeGroupRuntime(groups[0] as RuleGroupSpec);
    const rule = group.rules[0] as (typeof group.rules)[number];
    const shard = makeUnitTestShard();
    const store = async (host: string, time: number, value: number | "stale") => {
      const values = new Float64Array([value === "stale" ? 0 : value]);
      if (value === "stale") writeStale(new Uint32Array(values.buffer), 0);
      const ref = shard.ingest.series(DEFAULT_TENANT, labelsFromObject({ __name__: "load", host }));
      await shard.ingest.append([ref], new Float64Array([time]), values);
    };
    const context = {
      engine: makeEngine({ shards: [shard.client] }),
      tenant: DEFAULT_TENANT,
      output: makeRuleOutput(shard.ingest, DEFAULT_TENANT),
      templates: { externalLabels: {}, externalUrl: "" },
      signal: new AbortController().signal,
    };
    const moves = async (time: number): Promise<string[]> => {
      group.evaluation++;
      const { transitions } = await evaluateRule(context, group, rule, time);
      return transitions.map((t) => `${labelValue(t.labels, "host")} ${t.action}`);
    };
    await store("a", 1000, 2);
    expect(await moves(1000)).toEqual(["a becameFiring"]);
    // Host a's series ends as host b's condition begins to hold: as many rows as there were instances.
    await store("a", 31_000, "stale");
    await store("b", 31_000, 2);
    expect(await moves(31_000)).toEqual(["b becameFiring"]);
    expect(await moves(61_000)).toEqual([]);
    await store("a", 91_000, 0);
    expect(await moves(91_000)).toEqual(["a becameResolved"]);
  });
});
