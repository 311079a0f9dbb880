import { describe, expect, it } from "vitest";
import { NO_DATA_POLICIES, type NoDataPolicy, type Reason } from "../../../src/actors/rule/absence.ts";
import { checkExpression } from "../../../src/actors/rule/check-expression.ts";
import { evaluateOrHold } from "../../../src/actors/rule/rule-evaluation.ts";
import { parseRuleFile } from "../../../src/actors/rule/rule-file.ts";
import { makeGroupRuntime } from "../../../src/actors/rule/rule-group.state.ts";
import { makeRuleOutput } from "../../../src/actors/rule/rule-output.ts";
import type { RuleGroupSpec } from "../../../src/actors/rule/rule-spec.ts";
import { makeUnitTestShard } from "../../../src/actors/rule/unit-test-shard.ts";
import { stillReading } from "../../../src/model/backlog.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { QueryError } from "../../../src/model/query.ts";
import { DEFAULT_TENANT, writeStale } from "../../../src/model/sample.ts";
import type { ShardClient, ShardRequest, ShardResponses } from "../../../src/model/shard.ts";
import { makeEngine } from "../../../src/query/engine.ts";

const MINUTE = 60_000;
/** Evaluations go on for so long after the sample that made it fire. */
const END = 12 * MINUTE;

/** Two shards: the first has the series, the second nothing. */
function world(policy: NoDataPolicy) {
  const file = `
groups:
- name: g
  interval: 30s
  rules: [{ alert: Busy, expr: load > 1, no_data: ${policy} }]
`;
  const { groups } = parseRuleFile("r.yml", file, { evaluationIntervalMs: 30_000, checkExpression });
  const group = makeGroupRuntime(groups[0] as RuleGroupSpec);
  const rule = group.rules[0] as (typeof group.rules)[number];
  const shards = [makeUnitTestShard(), makeUnitTestShard()] as const;
  const w = {
    /** By partition. */
    dead: [false, false],
    notes: [[], []] as string[][],
    blind: "" as Reason,
    /** What a query fails with; `lookbackMs` is that of the question for the newest sample. */
    fails: (_lookbackMs: number | undefined): Error | undefined => undefined,
    store: async (time: number, value: number | "stale") => {
      const values = new Float64Array([value === "stale" ? 0 : value]);
      if (value === "stale") writeStale(new Uint32Array(values.buffer), 0);
      const { ingest } = shards[0];
      const ref = ingest.series(DEFAULT_TENANT, labelsFromObject({ __name__: "load", host: "a" }));
      await ingest.append([ref], new Float64Array([time]), values);
    },
    /** The moves of the instance, each with its reason. */
    evaluate: async (time: number): Promise<string[]> => {
      group.evaluation++;
      const { transitions } = await evaluateOrHold(context, group, rule, time, { blind: w.blind, lateMs: 0 });
      return transitions.map((t) => `${t.action} ${t.reason}`.trim());
    },
  };
  const client = (partition: 0 | 1): ShardClient => ({
    partition,
    async request<K extends ShardRequest["kind"]>(request: Extract<ShardRequest, { kind: K }>, signal?: AbortSignal) {
      if (w.dead[partition]) throw new Error(`shard ${partition} is down`);
      const answer = (await shards[partition].client.request(request, signal)) as { notes: unknown[] };
      const missing = w.notes[partition]?.map((text) => ({ kind: "missingData", text })) ?? [];
      return { ...answer, notes: [...answer.notes, ...missing] } as ShardResponses[K];
    },
  });
  const engine = makeEngine({ shards: [client(0), client(1)] });
  const context = {
    engine: {
      ...engine,
      instant: (request: Parameters<typeof engine.instant>[0]) => {
        const error = w.fails(request.lookbackMs);
        return error === undefined ? engine.instant(request) : Promise.reject(error);
      },
    },
    tenant: DEFAULT_TENANT,
    output: makeRuleOutput(shards[0].ingest, DEFAULT_TENANT),
    templates: { externalLabels: {}, externalUrl: "" },
    signal: new AbortController().signal,
  };
  return w;
}

const behind = (partition: number) => stillReading(partition, "10:00 and now");

type World = ReturnType<typeof world>;

/** Fires at one minute; then `happens`, and nobody sends any more. */
async function movesAfter(
  policy: NoDataPolicy,
  happens: (w: World) => unknown,
): Promise<{ w: World; moves: string[] }> {
  const w = world(policy);
  await w.store(MINUTE, 2);
  expect(await w.evaluate(MINUTE)).toEqual(["becameFiring"]);
  await happens(w);
  const moves: string[] = [];
  for (let t = MINUTE + 30_000; t <= END; t += 30_000) moves.push(...(await w.evaluate(t)));
  return { w, moves };
}

describe("a firing alert whose condition cannot be seen", () => {
  const lost = "block 17 is damaged: samples are missing";
  const late = () => new QueryError("timeout", "late");
  const tooMany = () => new QueryError("execution", "too many samples");
  const causes: readonly [what: string, reason: Reason, change: Partial<World>][] = [
    ["the query fails", "query_failed", { fails: late }],
    ["it fails while a shard is dead", "query_failed", { blind: "shard_missing", fails: tooMany }],
    ["its shard is dead", "shard_missing", { dead: [true, false] }],
    ["another shard is dead", "shard_missing", { dead: [false, true] }],
    ["a shard is known to be dead", "shard_missing", { blind: "shard_missing", dead: [true, false] }],
    ["all shards are dead", "shard_missing", { blind: "shard_missing", dead: [true, true] }],
    ["stored data is damaged", "shard_missing", { notes: [[lost], []] }],
    ["a shard that is ready has fallen behind", "bus_lagging", { notes: [[behind(0)], []] }],
    ["both have", "bus_lagging", { notes: [[behind(0)], [behind(1)]] }],
    ["one has, and data is damaged", "shard_missing", { notes: [[behind(0), lost], []] }],
    ["one has, and the other is dead", "shard_missing", { notes: [[behind(0)], []], dead: [false, true] }],
    ["samples that were published have not been read", "bus_lagging", { blind: "bus_lagging" }],
    ["the bus is dead", "bus_down", { blind: "bus_down" }],
    ["nobody has looked for a while", "not_evaluated", { blind: "not_evaluated" }],
  ];
  for (const policy of NO_DATA_POLICIES) {
    it.each(causes)(
      `no_data: ${policy}: %s: it is unknown, and fires on when it is seen again`,
      async (_, reason, change) => {
        const { w, moves } = await movesAfter(policy, (w) => Object.assign(w, change));
        expect(moves).toEqual([`becameUnknown ${reason}`]);
        Object.assign(w, { dead: [false, false], notes: [[], []], blind: "", fails: () => undefined });
        await w.store(END + MINUTE, 2);
        expect(await w.evaluate(END + MINUTE)).toEqual(["seenAgain"]);
        await w.store(END + 2 * MINUTE, 0);
        expect(await w.evaluate(END + 2 * MINUTE)).toEqual(["becameResolved"]);
      },
    );
  }
});

describe("a firing alert whose data is missing", () => {
  /** That nothing is there any more is one more alert, without the labels of a series. */
  const OF_ITS_OWN = ["becameFiring"];
  const stale = (w: World) => w.store(MINUTE + 1000, "stale");
  const nothing = () => undefined;
  const unanswered = (w: World) => {
    // Nobody can tell since when.
    w.fails = (lookbackMs) => (lookbackMs === undefined ? undefined : new QueryError("timeout", "late"));
  };
  const table: readonly [what: string, happens: (w: World) => unknown, policy: NoDataPolicy, moves: string[]][] = [
    ["its target is gone", stale, "resolve", ["becameResolved target_gone"]],
    ["its target is gone", stale, "keep", []],
    ["its target is gone", stale, "unknown", ["becameUnknown target_gone"]],
    ["its target is gone", stale, "alert", OF_ITS_OWN],
    ["its sender is silent", nothing, "resolve", ["becameResolved sender_silent"]],
    ["its sender is silent", nothing, "keep", []],
    ["its sender is silent", nothing, "unknown", ["becameUnknown sender_silent"]],
    ["its sender is silent", nothing, "alert", OF_ITS_OWN],
    ["nobody knows why", unanswered, "resolve", ["becameResolved no_data"]],
    ["nobody knows why", unanswered, "keep", []],
    ["nobody knows why", unanswered, "unknown", ["becameUnknown no_data"]],
    ["nobody knows why", unanswered, "alert", OF_ITS_OWN],
  ];
  it.each(table)("%s: as its rule says", async (_, happens, policy, expected) => {
    const { w, moves } = await movesAfter(policy, happens);
    expect(moves.filter((m) => !m.startsWith("forgotten"))).toEqual(expected);
    w.fails = () => undefined;
    await w.store(END + MINUTE, 0);
    const ended = policy === "resolve" ? 0 : policy === "alert" ? 2 : 1;
    expect(await w.evaluate(END + MINUTE)).toEqual(new Array(ended).fill("becameResolved"));
  });

  it("a probe that meets a shard behind says so, and takes nothing for the end", async () => {
    for (const policy of ["keep", "unknown", "alert"] as const) {
      const { moves } = await movesAfter(policy, (w) => {
        let asked = 0;
        // The expression itself is answered in whole, what is asked behind it is not.
        w.fails = () => {
          w.notes[0] = asked++ % 2 === 0 ? [] : [behind(0)];
          return undefined;
        };
      });
      expect(moves).toEqual(["becameUnknown bus_lagging"]);
    }
  });
});
