import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { appendExemplar, makeExemplarRing, newestExemplar } from "../../../src/storage/head/exemplar-ring.ts";
import { selectExemplars } from "../../../src/storage/head/exemplars.ts";
import { createHead, defineSeries } from "../../../src/storage/head/head.ts";
import { appendRows, hashOf } from "./reference-head.ts";

const words = (value: number) => new Uint32Array(Float64Array.of(value).buffer) as unknown as [number, number];
const compare = (a: Row, b: Row) =>
  a.ts - b.ts || a.value - b.value || (a.label === b.label ? 0 : a.label < b.label ? -1 : 1);
interface Row {
  readonly series: number;
  readonly ts: number;
  readonly value: number;
  readonly label: string;
}
const row = fc.record({
  series: fc.nat(4),
  ts: fc.nat(20),
  value: fc.nat(2),
  label: fc.constantFrom("a", "b"),
});

describe("exemplars", () => {
  test("the newest ones of all are kept, in order and once a series", () => {
    void fc.assert(
      fc.property(fc.array(row, { maxLength: 400 }), fc.integer({ min: 1, max: 150 }), (rows, size) => {
        const head = createHead({ outOfOrderWindowMs: 0, maxExemplars: size });
        for (let n = 0; n < 5; n++) {
          const { lo, hi } = hashOf(n);
          defineSeries(head, lo, hi, "default", ["__name__", "m", "n", String(n)], n);
          // Only series with samples are found.
          appendRows(head, [{ hash: n, t: 1, lo: 0, hi: 0 }]);
        }
        let kept: Row[] = [];
        rows.forEach((r) => {
          const { lo, hi } = hashOf(r.series);
          const identity = { low: lo, high: hi, check: r.series };
          const outcome = appendExemplar(head.exemplars, identity, r.ts, ...words(r.value), ["t", r.label]);
          const last = kept.findLast((k) => k.series === r.series);
          const order = last === undefined ? 1 : compare(r, last);
          expect(outcome).toBe(order > 0 ? "stored" : order === 0 ? "duplicate" : "out_of_order");
          if (order > 0) kept = [...kept, r].slice(-size);
        });
        for (let n = 0; n < 5; n++) {
          const matchers = [{ name: "n", op: "=" as const, value: String(n) }];
          const found = selectExemplars(head, "default", matchers, 5, 15);
          const expected = kept.filter((k) => k.series === n && k.ts >= 5 && k.ts <= 15);
          expect(found.flatMap((f) => f.exemplars)).toEqual(
            expected.map(({ ts, value, label }) => ({ labels: ["t", label], value, ts })),
          );
        }
        expect(head.exemplars.newest.size).toBeLessThanOrEqual(5);
      }),
      { numRuns: 200 },
    );
  });

  test("none are kept when there is no room", () => {
    const ring = makeExemplarRing(0);
    appendExemplar(ring, { low: 1, high: 2, check: 3 }, 1, 0, 0, []);
    expect(ring.total).toBe(0);
  });

  test("series with one hash keep their own, told apart by the check word", () => {
    void fc.assert(
      fc.property(
        fc.array(fc.record({ check: fc.integer({ min: 0, max: 3 }), low: fc.nat(1) }), { maxLength: 120 }),
        fc.integer({ min: 1, max: 40 }),
        (appended, size) => {
          const ring = makeExemplarRing(size);
          let kept: { low: number; check: number; ts: number }[] = [];
          appended.forEach(({ low, check }, ts) => {
            expect(appendExemplar(ring, { low, high: 0xffff_ffff, check }, ts, 0, 0, [])).toBe("stored");
            kept = [...kept, { low, check, ts }].slice(-size);
          });
          for (const low of [0, 1])
            for (const check of [0, 1, 2, 3]) {
              const found: number[] = [];
              let number = newestExemplar(ring, low, 0xffff_ffff, check);
              while (number >= 0 && number >= ring.total - ring.ts.length) {
                found.unshift(ring.ts[number % ring.ts.length] as number);
                number = ring.before[number % ring.ts.length] as number;
              }
              expect(found).toEqual(kept.filter((k) => k.low === low && k.check === check).map((k) => k.ts));
            }
          expect(ring.newest.size).toBe(new Set(kept.map((k) => `${k.low} ${k.check}`)).size);
        },
      ),
    );
  });
});
