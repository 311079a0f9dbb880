import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Labels, labelsFromObject, labelValue } from "../../../src/model/labels.ts";
import { compileMatcher, type Matcher } from "../../../src/model/matcher.ts";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { createHead, defineSeries } from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { appendRows, bitsOf, hashOf } from "./reference-head.ts";

const names = ["a", "b", "job", "λ", "__name__"];
const values = ["", "x", "y", "xy", "10.0.0.1:9100", "naïve ☃ 𝄞", "z".repeat(300)];
const labels = fc
  .dictionary(fc.constantFrom(...names), fc.constantFrom(...values), { maxKeys: 4 })
  .map(labelsFromObject);
const matcher: fc.Arbitrary<Matcher> = fc.record({
  name: fc.constantFrom(...names, "absent"),
  op: fc.constantFrom("=", "!=", "=~", "!~"),
  value: fc.constantFrom(...values, "x|y", "x.*", ".*", ".+", "", "[^x]*", "nothing"),
});
interface Series {
  readonly tenant: string;
  readonly labels: Labels;
  readonly times: readonly number[];
}
const series = fc
  .array(
    fc.record({
      tenant: fc.constantFrom("default", "other"),
      labels,
      times: fc.uniqueArray(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 3 }),
    }),
    { maxLength: 60 },
  )
  .map((all): Series[] => {
    const seen = new Set<string>();
    return all.filter((s) => {
      const key = JSON.stringify([s.tenant, s.labels]);
      return !seen.has(key) && seen.add(key) !== undefined;
    });
  });

function load(all: readonly Series[]) {
  const head = createHead({ outOfOrderWindowMs: 1000 });
  all.forEach((s, n) => {
    const { lo, hi } = hashOf(n);
    expect(defineSeries(head, lo, hi, s.tenant, s.labels)).toBe("new");
    expect(defineSeries(head, lo, hi, s.tenant, [...s.labels])).toBe("known");
    appendRows(
      head,
      s.times.map((t) => ({ hash: n, t, ...bitsOf(n) })),
    );
  });
  return headSource(head);
}

describe("selecting series", () => {
  test("is what trying every matcher on every series gives", () => {
    void fc.assert(
      fc.property(series, fc.array(matcher, { maxLength: 3 }), fc.nat(100), fc.nat(100), (all, matchers, i, j) => {
        const source = load(all);
        const [minT, maxT] = [Math.min(i, j), Math.max(i, j)];
        const tests = matchers.map((m) => ({ m, test: compileMatcher(m) }));
        for (const tenant of ["default", "other", "third"]) {
          const expected = all.flatMap((s, n) =>
            s.tenant === tenant &&
            Math.min(...s.times) <= maxT &&
            Math.max(...s.times) >= minT &&
            tests.every(({ m, test }) => test(labelValue(s.labels, m.name)))
              ? [n]
              : [],
          );
          // Ids are given in order of definition.
          const ids = [...source.select(tenant, matchers, minT, maxT)];
          expect(ids).toEqual(expected);
          const chosen = expected.map((n) => (all[n] as Series).labels);
          expect(ids.map((id) => source.labels(id))).toEqual(chosen);
          const expectedNames = new Set(chosen.flatMap((l) => l.filter((_, k) => k % 2 === 0)));
          expect(source.labelNames(tenant, matchers, minT, maxT)).toEqual([...expectedNames].sort());
          for (const name of names) {
            const found = new Set(chosen.map((l) => labelValue(l, name)).filter((v) => v !== ""));
            expect(source.labelValues(tenant, name, matchers, minT, maxT)).toEqual([...found].sort());
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  test("finds one among many and many among more, past every block size of a posting list", () => {
    const head = createHead({ outOfOrderWindowMs: 0 });
    const count = 12_000;
    for (let n = 0; n < count; n++) {
      const { lo, hi } = hashOf(n);
      defineSeries(head, lo, hi, "default", [
        "__name__",
        "m",
        "even",
        String(n % 2),
        "id",
        `i${n}`,
        "mod",
        `v${n % 97}`,
      ]);
    }
    appendRows(
      head,
      Array.from({ length: count }, (_, n) => ({ hash: n, t: 5, ...bitsOf(n) })),
    );
    const source = headSource(head);
    const select = (...matchers: Matcher[]): number[] => [...source.select("default", matchers, 0, 10)];
    const where = (test: (n: number) => boolean): number[] => Array.from({ length: count }, (_, n) => n).filter(test);
    expect(select()).toEqual(where(() => true));
    expect(select({ name: "__name__", op: "=", value: "m" })).toEqual(where(() => true));
    expect(select({ name: "id", op: "=", value: "i777" }, { name: "even", op: "=", value: "1" })).toEqual([777]);
    expect(select({ name: "id", op: "=", value: "i777" }, { name: "even", op: "!=", value: "1" })).toEqual([]);
    expect(select({ name: "mod", op: "=~", value: "v1.?" }, { name: "even", op: "=", value: "0" })).toEqual(
      where((n) => n % 2 === 0 && /^v1.?$/.test(`v${n % 97}`)),
    );
    expect(select({ name: "id", op: "=~", value: "i.*99" }, { name: "mod", op: "!~", value: "v[0-8].*" })).toEqual(
      where((n) => /^i.*99$/.test(`i${n}`) && !/^v[0-8].*$/.test(`v${n % 97}`)),
    );
    expect(select({ name: "even", op: "=~", value: "0|1" }, { name: "id", op: "!=", value: "i5" })).toEqual(
      where((n) => n !== 5),
    );
    expect(select({ name: "id", op: "=", value: "" })).toEqual([]);
    expect(source.labelValues("default", "mod", [], 0, 10)).toHaveLength(97);
    const out = makeSampleBuffer(1);
    source.read(11_999, 0, 10, out);
    expect([out.length, out.ts[0], out.values[0]]).toEqual([1, 5, 11_999]);
  });

  test("symbols name values without strings", () => {
    const source = load([{ tenant: "default", labels: ["a", "x", "b", "y"], times: [1] }]);
    expect(source.text(source.valueSymbol(0, source.symbol("b")))).toBe("y");
    expect(source.valueSymbol(0, source.symbol("x"))).toBe(-1);
    expect(source.symbol("never seen")).toBe(-1);
  });
});
