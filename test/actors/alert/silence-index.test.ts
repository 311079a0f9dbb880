import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Silence } from "../../../src/actors/alert/silence.core.ts";
import { compileSilences } from "../../../src/actors/alert/silence.core.ts";
import { makeSilenceIndex } from "../../../src/actors/alert/silence-index.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import type { Matcher } from "../../../src/model/matcher.ts";

const NAMES = ["a", "b", "c"];
const VALUES = ["", "x", "y", "z"];
const alerts = NAMES.flatMap((n) =>
  VALUES.flatMap((v) => VALUES.map((w) => labelsFromObject({ [n]: v, d: w, e: "1" }))),
);

const matcher: fc.Arbitrary<Matcher> = fc.record({
  name: fc.constantFrom(...NAMES, "d"),
  op: fc.constantFrom("=", "!=", "=~", "!~"),
  value: fc.constantFrom(...VALUES, "x|y", ".+"),
});
const change = fc.record({
  id: fc.integer({ min: 0, max: 200 }).map(String),
  matchers: fc.array(matcher, { minLength: 1, maxLength: 3 }),
  gone: fc.boolean(),
});
/** Changes that come together, and alerts that are looked at after them. */
const steps = fc.array(
  fc.record({
    changes: fc.oneof(fc.array(change, { maxLength: 3 }), fc.array(change, { minLength: 80, maxLength: 120 })),
    looked: fc.subarray(alerts),
  }),
  { maxLength: 12 },
);

describe("which silences match an alert", () => {
  it("is what all silences say, whatever has changed since it was asked last", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const index = makeSilenceIndex();
        let table = new Map<string, Silence>();
        for (const { changes, looked } of all) {
          table = new Map(table);
          for (const { id, matchers, gone } of changes) {
            if (gone) table.delete(id);
            else table.set(id, { id, matchers, startsAt: 0, endsAt: 1, updatedAt: 0, createdBy: "", comment: "" });
          }
          index.take(table);
          const compiled = compileSilences(table);
          expect(index.compiled().length).toBe(table.size);
          for (const labels of looked) {
            const expected = compiled.filter((c) => c.matches(labels)).map((c) => c.silence.id);
            const found = index.matching(labels).map((s) => s.id);
            expect([...found].sort()).toEqual(expected.sort());
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("looks at an alert again only for the silences that have changed", () => {
    const index = makeSilenceIndex();
    let looks = 0;
    const labels = new Proxy(labelsFromObject({ a: "x" }) as string[], {
      get: (target, key) => {
        looks++;
        return Reflect.get(target, key) as unknown;
      },
    });
    const silence = (i: number): Silence => {
      const matchers: Matcher[] = [{ name: "b", op: "!=", value: String(i) }];
      return { id: String(i), matchers, startsAt: 0, endsAt: 1, updatedAt: 0, createdBy: "", comment: "" };
    };
    const table = new Map(Array.from({ length: 1000 }, (_, i) => [String(i), silence(i)]));
    index.take(table);
    expect(index.matching(labels)).toHaveLength(1000);
    const first = looks;
    index.take(new Map([...table, ["new", { ...silence(1001), id: "new" }]]));
    expect(index.matching(labels)).toHaveLength(1001);
    expect(looks - first).toBeLessThan(first / 100);
  });
});
