import { describe, expect, test } from "vitest";
import { planRetention, type RetainedBlock } from "../../../src/storage/engine/plan-retention.ts";
import { retentionRules } from "../../../src/storage/engine/retention-rules.ts";

const block = (id: string, maxT: number, more: Partial<RetainedBlock> = {}): RetainedBlock => ({
  id,
  maxT,
  bytes: 100,
  droppable: true,
  hasTooOld: false,
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
  test("a rule that keeps longer thins a block instead of removing it", () => {
    const plan = (hasTooOld: boolean, longestRuleMs: number, more: Partial<RetainedBlock> = {}) =>
      planRetention([block("a", 100, { hasTooOld, ...more })], { ...options, maxAgeMs: 500, longestRuleMs });
    expect(plan(true, 950)).toEqual({ expired: [], oversize: [], thin: ["a"] });
    expect(plan(true, 950, { droppable: false }).thin).toEqual([]);
    expect(plan(false, 950)).toEqual({ expired: [], oversize: [], thin: [] });
    expect(plan(true, 850)).toEqual({ expired: ["a"], oversize: [], thin: [] });
    expect(plan(false, 0)).toEqual({ expired: [], oversize: [], thin: [] });
  });
  test("a rule that keeps shorter thins a block that the tier's age still keeps", () => {
    const young = [block("a", 900, { hasTooOld: true }), block("b", 900)];
    expect(planRetention(young, { ...options, maxAgeMs: 500, longestRuleMs: 50 }).thin).toEqual(["a"]);
    expect(planRetention(young, { ...options, longestRuleMs: 50 }).thin).toEqual(["a"]);
  });
});

const HOUR = 3600_000;

describe("rules by matchers", () => {
  const debug = {
    tenant: "dev",
    matchers: [{ op: "=", name: "job", value: "debug" }],
    ages: { raw: 10 * HOUR },
  } as const;
  const audit = {
    matchers: [{ op: "=~", name: "job", value: "debug|audit" }],
    ages: { raw: 0, "1m": 5 * HOUR },
  } as const;
  const rules = retentionRules([debug, audit], "raw", 100 * HOUR);
  const now = 1000 * HOUR + 1234;
  test("the first that matches decides, else the tier's age; whole hours go", () => {
    expect(rules.keepFrom("dev", ["job", "debug"], now)).toBe(990 * HOUR + 1);
    expect(rules.keepFrom("prod", ["job", "debug"], now)).toBe(Number.NEGATIVE_INFINITY);
    expect(rules.keepFrom("prod", ["job", "web"], now)).toBe(900 * HOUR + 1);
    expect(rules.usuallyFrom(now)).toBe(900 * HOUR + 1);
    expect(rules.longest).toBe(0);
  });
  test("a block passes one age after the other, and it is known whose they are", () => {
    expect([995, 990, 950, 900, 1].map((h) => rules.passed(h * HOUR, now))).toEqual([0, 1, 1, 2, 2]);
    expect(rules.tooOld(0, 1)).toEqual([debug]);
    expect(rules.tooOld(0, 2)).toBe("all");
    expect(rules.tooOld(1, 2)).toBe("all");
  });
  test("a tier that no rule speaks of has none", () => {
    const hours = retentionRules([{ matchers: [], ages: { raw: 5 } }], "1h", 7 * HOUR);
    expect(hours.longest).toBeUndefined();
    expect(hours.key).toBe("");
    expect(hours.keepFrom("t", [], 10 * HOUR + 1)).toBe(3 * HOUR);
  });
});
