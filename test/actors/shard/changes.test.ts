import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changesSince, makeChangeLog, noteChange } from "../../../src/actors/shard/changes.ts";
import type { ChangePoint } from "../../../src/model/shard.ts";

const NOTHING = Number.POSITIVE_INFINITY;
const ANYTHING = Number.NEGATIVE_INFINITY;

describe("a shard's changes", () => {
  it("since a point are the smallest time that came after it", () => {
    const log = makeChangeLog();
    noteChange(log, 100);
    const first = changesSince(log);
    expect(changesSince(log, first).from).toBe(NOTHING);
    noteChange(log, 300);
    noteChange(log, 200);
    noteChange(log, 400);
    const second = changesSince(log, first);
    expect(second.from).toBe(200);
    noteChange(log, 500);
    expect(changesSince(log, second).from).toBe(500);
    expect(changesSince(log, first).from).toBe(200);
    noteChange(log, 50);
    expect(changesSince(log, second).from).toBe(50);
  });

  it("are anything for a point of another life, of a time to come, and without a point", () => {
    const log = makeChangeLog();
    const { incarnation, version } = changesSince(log);
    expect(changesSince(log).from).toBe(ANYTHING);
    expect(changesSince(log, { incarnation, version: version + 1 }).from).toBe(ANYTHING);
    expect(changesSince(log, changesSince(makeChangeLog())).from).toBe(ANYTHING);
  });

  it("are anything after a change of everything, and only then", () => {
    const log = makeChangeLog();
    const before = changesSince(log);
    noteChange(log, ANYTHING);
    const after = changesSince(log, before);
    expect(after.from).toBe(ANYTHING);
    expect(changesSince(log, after).from).toBe(NOTHING);
  });

  it("are never told too late, however many there are, and exactly for the points told last", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -2_000, max: 5 }), fc.boolean()), { minLength: 3_000, maxLength: 4_000 }),
        (changes) => {
          const log = makeChangeLog();
          const times: number[] = [];
          /** Points, and how many changes came before them. */
          const told: (readonly [ChangePoint, number])[] = [];
          changes.forEach(([late, ask], i) => {
            const t = i * 10 + (late > -1_990 ? 0 : late * 10);
            noteChange(log, t);
            times.push(t);
            if (ask) told.push([changesSince(log), times.length]);
          });
          let exact = 0;
          for (const [point, before] of told) {
            const real = times.slice(before).reduce((least, t) => Math.min(least, t), NOTHING);
            const { from } = changesSince(log, point);
            expect(from).toBeLessThanOrEqual(real);
            if (from === real) exact++;
          }
          expect(exact).toBeGreaterThan(0.3 * told.length);
        },
      ),
      { numRuns: 5 },
    );
  });
});
