import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeTimers } from "../../../src/actors/backtest/timers.ts";

describe("timers of virtual time", () => {
  it("come by time, those of one time in the order in which they were set", () => {
    const step = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant("take" as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const timers = makeTimers<number>();
        const expected: { at: number; id: number }[] = [];
        for (const [id, at] of steps.entries()) {
          if (at !== "take") {
            timers.set(at, id);
            expected.push({ at, id });
            expected.sort((a, b) => a.at - b.at || a.id - b.id);
            continue;
          }
          expect(timers.next()).toBe(expected[0]?.at ?? Number.POSITIVE_INFINITY);
          expect(timers.take()).toBe(expected.shift()?.id);
        }
        while (expected.length > 0) expect(timers.take()).toBe(expected.shift()?.id);
        expect(timers.take()).toBeUndefined();
      }),
    );
  });
});
