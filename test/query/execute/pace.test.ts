import fc from "fast-check";
import { expect, test } from "vitest";
import { due, overRows, type Pace, SLICE, sortedIndexes, turn } from "../../../src/query/execute/pace.ts";
import { idlePace } from "../idle-pace.ts";

/** A clock that goes on by 1 ms with every look. */
function ticking(deadline = Number.POSITIVE_INFINITY): Pace {
  let t = 0;
  return { ...idlePace(), deadline, now: () => t++ };
}

test("the thread is due back after ten looks at a clock that ticks", () => {
  const pace = ticking();
  let looks = 0;
  while (!due(pace, 1_000_000)) looks++;
  expect(looks).toBe(10);
});

test("little work does not look at the clock", () => {
  const pace = { ...idlePace(), now: () => expect.unreachable() };
  for (let i = 0; i < 1000; i++) expect(due(pace, 10)).toBe(false);
});

test("the deadline and the signal are seen without a turn", () => {
  const late = ticking(3);
  expect(() => {
    for (;;) due(late, 1_000_000);
  }).toThrow(expect.objectContaining({ type: "timeout" }));
  const gone = { ...ticking(), signal: AbortSignal.abort() };
  expect(() => due(gone, 1_000_000)).toThrow(expect.objectContaining({ type: "canceled" }));
});

test("of several that wait, one goes on in a turn of the event loop", async () => {
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  const at: number[] = [];
  await Promise.all([0, 1, 2, 3].map(() => turn(idlePace()).then(() => at.push(turns))));
  counting = false;
  expect(new Set(at).size).toBe(4);
});

test("rows are worked through once, long ones in slices", async () => {
  const seen: number[][] = [];
  await overRows(idlePace(), 2, SLICE + 5, (...slice) => seen.push(slice));
  expect(seen).toEqual([
    [0, 0, SLICE],
    [0, SLICE, SLICE + 5],
    [1, 0, SLICE],
    [1, SLICE, SLICE + 5],
  ]);
});

test("sorting in turns sorts, and keeps the order of equals", async () => {
  const keys = fc.array(fc.nat(50), { minLength: 0, maxLength: 9000, size: "max" });
  await fc.assert(
    fc.asyncProperty(keys, async (k) => {
      const order = await sortedIndexes(ticking(), k.length, (a, b) => (k[a] as number) - (k[b] as number));
      const want = k.map((_, i) => i).sort((a, b) => (k[a] as number) - (k[b] as number));
      expect([...order]).toEqual(want);
    }),
    { numRuns: 30 },
  );
});
