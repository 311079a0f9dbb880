import { describe, expect, it } from "vitest";
import { boundedEngine } from "../../../src/actors/rule/bounded-engine.ts";
import { askAhead, runsOf } from "../../../src/actors/rule/rule-group.ahead.ts";
import type { RuleSpec } from "../../../src/actors/rule/rule-spec.ts";
import type { Engine, InstantRequest, InstantResult } from "../../../src/model/query.ts";

const T = Date.UTC(2026, 0, 1);

function recording(name: string, reads: readonly string[] | undefined): RuleSpec {
  return {
    type: "recording",
    name,
    query: `q_${name}`,
    labels: {},
    ...(reads === undefined ? {} : { reads }),
  } as RuleSpec;
}

function alerting(name: string, reads: readonly string[] | undefined): RuleSpec {
  const rest = { holdMs: 0, keepFiringForMs: 0, annotations: {} };
  return { ...recording(name, reads), type: "alerting", ...rest } as RuleSpec;
}

/** An engine whose queries are answered by hand. */
function fakeEngine() {
  const asked: { request: InstantRequest; answer(): void; fail(): void }[] = [];
  const engine: Engine = {
    instant: (request) =>
      new Promise((resolve, reject) => {
        const warnings = [request.query];
        const result = { type: "scalar", time: T, value: 1, warnings, infos: [], partial: false } as InstantResult;
        asked.push({ request, answer: () => resolve(result), fail: () => reject(new Error("failed")) });
        request.signal?.addEventListener("abort", () => reject(new Error("called off")));
      }),
    range: () => Promise.reject(new Error("not asked")),
  };
  return { asked, engine, texts: () => asked.map((a) => a.request.query) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("rules that are asked ahead", () => {
  it("are those that read nothing that the rules between have written", () => {
    const rules = [
      recording("a", ["up"]),
      recording("b", ["up"]),
      alerting("c", ["a"]),
      alerting("d", ["up"]),
      alerting("e", ["ALERTS"]),
      recording("f", undefined),
    ];
    expect(runsOf(rules)).toEqual([2, 2, 4, 4, 5, 6]);
    expect(runsOf([recording("a", undefined), recording("b", ["up"])])).toEqual([2, 2]);
    expect(runsOf([])).toEqual([]);
  });

  it("are asked once, and not before what they read is written", async () => {
    const { engine, texts, asked } = fakeEngine();
    const rules = [recording("a", ["up"]), recording("b", ["up"]), recording("c", ["b"])];
    const ahead = askAhead(engine, "t", rules, runsOf(rules), T);
    const first = ahead.engineFor(0).instant({ tenant: "t", query: "q_a", time: T });
    expect(texts()).toEqual(["q_a", "q_b"]);
    for (const a of asked) a.answer();
    expect((await first).warnings).toEqual(["q_a"]);
    const second = await ahead.engineFor(1).instant({ tenant: "t", query: "q_b", time: T });
    expect(second.warnings).toEqual(["q_b"]);
    expect(ahead.readsWritten(2)).toBe(true);
    expect(ahead.readsWritten(1)).toBe(false);
    expect(texts()).toEqual(["q_a", "q_b"]);
    void ahead.engineFor(2).instant({ tenant: "t", query: "q_c", time: T });
    expect(texts()).toEqual(["q_a", "q_b", "q_c"]);
    // A template asks for something else, and so does a second look at the same.
    void ahead.engineFor(2).instant({ tenant: "t", query: "other", time: T });
    void ahead.engineFor(2).instant({ tenant: "t", query: "q_c", time: T });
    expect(texts().slice(3)).toEqual(["other", "q_c"]);
    for (const a of asked) a.answer();
  });

  it("fail for themselves alone, and are called off with the evaluation", async () => {
    const { engine, asked } = fakeEngine();
    const rules = [recording("a", ["up"]), recording("b", ["up"]), recording("c", ["up"])];
    const ahead = askAhead(engine, "t", rules, runsOf(rules), T);
    const first = ahead.engineFor(0).instant({ tenant: "t", query: "q_a", time: T });
    asked[1]?.fail();
    asked[0]?.answer();
    await first;
    await expect(ahead.engineFor(1).instant({ tenant: "t", query: "q_b", time: T })).rejects.toThrow("failed");
    const third = ahead.engineFor(2).instant({ tenant: "t", query: "q_c", time: T });
    ahead.close();
    await expect(third).rejects.toThrow("called off");
  });
});

describe("an engine with a bound", () => {
  it("is asked at most so many at a time, in the order in which they came", async () => {
    const { engine, asked, texts } = fakeEngine();
    const bounded = boundedEngine(engine, 2);
    const all = ["1", "2", "3", "4"].map((query) => bounded.instant({ tenant: "t", query, time: T }));
    await turn();
    expect(texts()).toEqual(["1", "2"]);
    asked[1]?.fail();
    await expect(all[1]).rejects.toThrow("failed");
    await turn();
    expect(texts()).toEqual(["1", "2", "3"]);
    asked[0]?.answer();
    await turn();
    expect(texts()).toEqual(["1", "2", "3", "4"]);
    for (const a of asked) a.answer();
    await Promise.all([all[0], all[2], all[3]]);
  });

  it("lets go of those that wait and are called off", async () => {
    const { engine, asked, texts } = fakeEngine();
    const bounded = boundedEngine(engine, 1);
    const stop = new AbortController();
    const first = bounded.instant({ tenant: "t", query: "1", time: T });
    const second = bounded.instant({ tenant: "t", query: "2", time: T, signal: stop.signal });
    const third = bounded.instant({ tenant: "t", query: "3", time: T });
    stop.abort(new Error("called off"));
    await expect(second).rejects.toThrow("called off");
    asked[0]?.answer();
    await first;
    await turn();
    expect(texts()).toEqual(["1", "3"]);
    asked[1]?.answer();
    await third;
    await expect(bounded.instant({ tenant: "t", query: "4", time: T, signal: stop.signal })).rejects.toThrow(
      "called off",
    );
    expect(texts()).toEqual(["1", "3"]);
  });
});
