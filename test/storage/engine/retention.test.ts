import { describe, expect, test } from "vitest";
import { planRetention, type RetainedBlock } from "../../../src/storage/engine/plan-retention.ts";
import { retentionRules } from "../../../src/storage/engine/retention-rules.ts";

const block = (id: string, maxT: number, more: Partial<RetainedBlock> = {}): RetainedBlock => ({
  id,
  maxT,
  bytes: 100,
  droppable: true,
  appliedRules: undefined,
  ...more,
});
const options = { now: 1000, maxAgeMs: 0, maxBytes: 0, longestRuleMs: undefined };

describe("blocks whose time is over", () => {
  const blocks = [block("a", 100), block("b", 500), block("c", 900)];
  test("by age: when the newest sample is older", () => {
    expect(planRetention(blocks, { ...options, maxAgeMs: 500 })).toEqual({ expired: ["a"], oversize: [], thin: [] });
    expect(planRetention(blocks, options).expired).toEqual([]);
  });
  test("by size: the oldest ones until the rest fits", () => {
    expect(planRetention(blocks, { ...options, maxBytes: 250 }).oversize).toEqual(["a"]);
    expect(planRetention(blocks, { ...options, maxBytes: 1 }).oversize).toEqual(["a", "b", "c"]);
    expect(planRetention(blocks, { ...options, maxBytes: 300 }).oversize).toEqual([]);
  });
  test("what is not rolled up yet stays, whatever its age", () => {
    const held = [block("a", 100, { droppable: false }), block("b", 500)];
    expect(planRetention(held, { ...options, maxAgeMs: 100, maxBytes: 1 })).toEqual({
      expired: ["b"],
      oversize: [],
      thin: [],
    });
  });
  test("a rule that keeps longer thins a block once instead of removing it", () => {
    const plan = (applied: string | undefined, longestRuleMs: number) =>
      planRetention([block("a", 100, { appliedRules: applied })], { ...options, maxAgeMs: 500, longestRuleMs });
    expect(plan(undefined, 950)).toEqual({ expired: [], oversize: [], thin: ["a"] });
    expect(plan("k", 950)).toEqual({ expired: [], oversize: [], thin: [] });
    expect(plan("k", 850)).toEqual({ expired: ["a"], oversize: [], thin: [] });
    expect(plan("k", 0)).toEqual({ expired: [], oversize: [], thin: [] });
  });
});

describe("rules by matchers", () => {
  const rules = retentionRules(
    [
      { tenant: "dev", matchers: [{ op: "=", name: "job", value: "debug" }], ages: { raw: 10 } },
      { matchers: [{ op: "=~", name: "job", value: "debug|audit" }], ages: { raw: 0, "1m": 5 } },
    ],
    "raw",
    100,
  );
  test("the first that matches decides, else the tier's age", () => {
    expect(rules.keepFrom("dev", ["job", "debug"], 1000)).toBe(990);
    expect(rules.keepFrom("prod", ["job", "debug"], 1000)).toBe(Number.NEGATIVE_INFINITY);
    expect(rules.keepFrom("prod", ["job", "web"], 1000)).toBe(900);
    expect(rules.longest).toBe(0);
  });
  test("a tier that no rule speaks of has none", () => {
    const hours = retentionRules([{ matchers: [], ages: { raw: 5 } }], "1h", 7);
    expect(hours.longest).toBeUndefined();
    expect(hours.keepFrom("t", [], 10)).toBe(3);
  });
});
