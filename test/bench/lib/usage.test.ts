import { expect, test } from "vitest";
import { machineTicks, microsecondsBy, stolenSince } from "../../../bench/lib/usage.ts";

test("the share of the processors' time that was stolen", () => {
  const before = machineTicks("cpu  100 0 50 800 10 0 0 40 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
  expect(before).toEqual({ all: 1000, stolen: 40 });
  expect(stolenSince(before, machineTicks("cpu  200 0 100 1500 20 0 0 180 7 0\n"))).toBe("14.0 %");
  expect(stolenSince(before, before)).toBe("0.0 %");
});

test("CPU microseconds a sample by name, of what did something", () => {
  const before = new Map(Object.entries({ main: 1, shard: 2, idle: 3 }));
  const after = new Map(Object.entries({ main: 2, shard: 2.5, idle: 3, late: 0.2 }));
  expect(microsecondsBy(before, after, 1e6)).toBe("main 1.00, shard 0.50, late 0.20");
});
