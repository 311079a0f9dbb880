import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jumpAhead, planLanes, type StreamExtent } from "../../../src/actors/shard/lane-plan.ts";
import { makeSequenceSet, type SequenceSet } from "../../../src/storage/wal/sequence-set.ts";

/** Messages of 10 bytes; with a bound of 400 a backlog is more than 40 messages, and 10 are read as fresh. */
const BOUND = 400;
const stream = (first: number, last: number): StreamExtent => {
  const messages = Math.max(last - first + 1, 0);
  return { firstSequence: first, lastSequence: last, messages, bytes: 10 * messages };
};
const taken = (...ranges: readonly (readonly [from: number, to: number])[]): SequenceSet => {
  const set = makeSequenceSet(0);
  for (const [from, to] of ranges) set.addRange(from, to);
  return set;
};
const pairs = (ranges: readonly { from: number; to: number }[]) => ranges.map((r) => [r.from, r.to]);

describe("what is read in which lane", () => {
  it.each([
    ["an empty stream", stream(1, 0), taken(), 1, [], []],
    ["an empty stream whose messages were purged", stream(101, 100), taken([1, 100]), 101, [], []],
    ["everything was taken", stream(51, 100), taken([1, 100]), 101, [], []],
    ["nothing was taken, little is there", stream(1, 40), taken(), 1, [], []],
    ["nothing was taken, much is there", stream(1, 41), taken(), 32, [[1, 31]], []],
    ["a short end", stream(1, 100), taken([1, 60]), 61, [], []],
    ["a long end", stream(1, 100), taken([1, 59]), 91, [[60, 90]], []],
    ["an end that the stream has partly forgotten", stream(81, 100), taken([1, 59]), 81, [], [[60, 80]]],
    ["an end that the stream has forgotten", stream(101, 100), taken([1, 59]), 101, [], [[60, 100]]],
    ["a stopped backlog lane, the fresh one at the end", stream(1, 100), taken([1, 9], [51, 100]), 101, [[10, 50]], []],
    ["a stopped backlog lane, a short end", stream(1, 120), taken([1, 9], [51, 100]), 101, [[10, 50]], []],
    [
      "a stopped backlog lane, a long end",
      stream(1, 200),
      taken([1, 9], [51, 100]),
      191,
      [
        [10, 50],
        [101, 190],
      ],
      [],
    ],
    [
      "several gaps, the oldest partly and the first wholly gone",
      stream(35, 100),
      taken([1, 9], [21, 29], [41, 50], [61, 100]),
      101,
      [
        [35, 40],
        [51, 60],
      ],
      [
        [10, 20],
        [30, 34],
      ],
    ],
    ["more was taken than the stream has", stream(1, 50), taken([1, 80]), 51, [], []],
  ])("%s", (_, extent, set, freshStart, backlog, gone) => {
    const plan = planLanes(extent, set, BOUND);
    expect({ freshStart: plan.freshStart, backlog: pairs(plan.backlog), gone: pairs(plan.gone) }).toEqual({
      freshStart,
      backlog,
      gone,
    });
  });

  it("one message larger than the bound is fresh", () => {
    expect(planLanes({ ...stream(1, 3), bytes: 3000 }, taken(), BOUND)).toMatchObject({
      freshStart: 3,
      backlog: [{ from: 1, to: 2 }],
    });
  });

  it("every message is in one lane, gone, or taken, whatever was taken", () => {
    const ranges = fc.array(fc.tuple(fc.nat(150), fc.nat(30)), { maxLength: 6 });
    fc.assert(
      fc.property(ranges, fc.nat(150), fc.nat(150), fc.nat(2000), (some, first, count, bound) => {
        const set = taken(...some.map(([from, size]) => [from + 1, from + 1 + size] as const));
        const extent = stream(first + 1, first + count);
        const plan = planLanes(extent, set, bound);
        for (let s = 1; s <= extent.lastSequence; s++) {
          const ways = [
            set.has(s) && s < plan.freshStart,
            plan.gone.some((r) => r.from <= s && s <= r.to),
            plan.backlog.some((r) => r.from <= s && s <= r.to),
            s >= plan.freshStart,
          ].filter(Boolean);
          if (ways.length !== 1) throw new Error(`${s}: ${ways.length} ways`);
          if (s >= plan.freshStart && set.has(s)) throw new Error(`${s} is read again`);
          if (s < extent.firstSequence && (s >= plan.freshStart || plan.backlog.some((r) => r.from <= s && s <= r.to)))
            throw new Error(`${s} is not there`);
        }
      }),
    );
  });
});

describe("a fresh lane that has fallen behind", () => {
  it.each([
    ["it is at the end", stream(1, 100), 101, undefined],
    ["it is a little behind", stream(1, 100), 61, undefined],
    ["it is far behind", stream(1, 100), 60, 91],
    ["what it wanted is gone", stream(80, 100), 60, undefined],
    ["the stream is empty", stream(101, 100), 60, undefined],
  ])("%s", (_, extent, next, start) => {
    expect(jumpAhead(extent, next, BOUND)).toBe(start);
  });
});
