import fc from "fast-check";
import { expect, it } from "vitest";
import { nextTick, stampTick, tickOffset } from "../../src/lib/ticks.ts";

const interval = fc.integer({ min: 1, max: 86_400_000 });

it("the next tick is after now, at most an interval away, and stands at the offset", () => {
  const now = fc.integer({ min: 0, max: 4_000_000_000_000 });
  fc.assert(
    fc.property(now, interval, fc.string(), (t, ms, key) => {
      const offset = tickOffset(key, ms);
      const tick = nextTick(t, ms, offset);
      expect(tick).toBeGreaterThan(t);
      expect(tick - t).toBeLessThanOrEqual(ms);
      expect(tick % ms).toBe(offset);
      expect(nextTick(tick, ms, offset)).toBe(tick + ms);
    }),
  );
});

it("offsets spread over the interval, and are the same each time", () => {
  const tenths = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const offset = tickOffset(`http://host-${i}:9100/metrics`, 15_000);
    expect(offset).toBe(tickOffset(`http://host-${i}:9100/metrics`, 15_000));
    const tenth = Math.floor(offset / 1500);
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

it("a late tick keeps its own time when it is only a little late", () => {
  expect(stampTick(10_004, 10_000, 5000)).toBe(10_000);
  expect(stampTick(10_010, 10_000, 5000)).toBe(10_000);
  expect(stampTick(10_011, 10_000, 5000)).toBe(10_011);
  expect(stampTick(10_004, 10_000, 100)).toBe(10_004);
});
