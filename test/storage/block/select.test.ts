import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { labelValue } from "../../../src/model/labels.ts";
import { compileMatcher, type Matcher } from "../../../src/model/matcher.ts";
import { type Block, openBlock } from "../../../src/storage/block/block.ts";
import { blockSource } from "../../../src/storage/block/block-source.ts";
import { makeBlockCache } from "../../../src/storage/block/cache.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";
import { blocks, compareSeries, type ModelSeries, names, values, writeModel } from "./model-block.ts";

const matcher: fc.Arbitrary<Matcher> = fc.record({
  name: fc.constantFrom(...names, "absent"),
  op: fc.constantFrom("=", "!=", "=~", "!~"),
  value: fc.constantFrom(...values, "x|y", "x.*", "x.+", ".*", ".+", "", "[^x]*", "nothing", "10\\..*", "(x|n).*"),
});
const MAX_T = 7_199_999;

async function open(all: readonly ModelSeries[], smallBlock: number): Promise<Block> {
  const disk = makeSimDisk();
  const meta = await writeModel(disk, "/b", all, { smallBlock });
  return openBlock(disk, `/b/${meta?.id}`, makeBlockCache(1 << 20));
}

/** Series numbers that a plain filter finds. */
function naive(all: readonly ModelSeries[], tenant: string, matchers: readonly Matcher[], minT: number, maxT: number) {
  const tests = matchers.map((m) => ({ m, accepts: compileMatcher(m) }));
  return all.flatMap((s, id) =>
    s.tenant === tenant &&
    s.samples.some((x) => x.t <= maxT) &&
    s.samples.some((x) => x.t >= minT) &&
    tests.every(({ m, accepts }) => accepts(labelValue(s.labels, m.name)))
      ? [id]
      : [],
  );
}

describe("selecting series of a block", () => {
  test("is what trying every matcher on every series gives", async () => {
    await fc.assert(
      fc.asyncProperty(
        blocks(MAX_T).filter((all) => all.length > 0),
        fc.constantFrom(1, 4096),
        fc.array(fc.array(matcher, { maxLength: 3 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: MAX_T }),
        fc.integer({ min: 0, max: MAX_T }),
        async (all, small, lists, i, j) => {
          const source = blockSource(await open(all, small));
          for (const matchers of lists) {
            for (const [minT, maxT] of [
              [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
              [Math.min(i, j), Math.max(i, j)],
            ] as const) {
              for (const tenant of ["default", "other", "third"]) {
                const expected = naive(all, tenant, matchers, minT, maxT);
                expect([...source.select(tenant, matchers, minT, maxT)]).toEqual(expected);
                const sets = expected.map((id) => (all[id] as ModelSeries).labels);
                // Without matchers all series of the tenant may be told of.
                if (matchers.length === 0 && minT > Number.NEGATIVE_INFINITY) continue;
                const found = new Set(sets.flatMap((l) => l.filter((_, k) => k % 2 === 0)));
                expect(source.labelNames(tenant, matchers, minT, maxT)).toEqual([...found].sort());
                for (const name of [...names, "absent"]) {
                  const some = new Set(sets.map((l) => labelValue(l, name)).filter((v) => v !== ""));
                  expect(source.labelValues(tenant, name, matchers, minT, maxT)).toEqual([...some].sort());
                }
              }
            }
          }
        },
      ),
      { numRuns: 120 },
    );
  });

  test("symbols are texts, and a series' value for a name is one", async () => {
    await fc.assert(
      fc.asyncProperty(blocks(0), fc.constantFrom(1, 4096), async (all, small) => {
        if (all.length === 0) return;
        const source = blockSource(await open(all, small));
        expect(source.symbol("nobody has this")).toBe(-1);
        expect(source.symbol("")).toBe(-1);
        all.forEach((s, id) => {
          for (const name of names) {
            const symbol = source.symbol(name);
            const value = symbol < 0 ? -1 : source.valueSymbol(id, symbol);
            expect(value < 0 ? "" : source.text(value)).toBe(labelValue(s.labels, name));
            if (value >= 0) expect(source.symbol(source.text(value))).toBe(value);
          }
        });
      }),
      { numRuns: 40 },
    );
  });

  test("in a block of 6,000 series, with lists of one, of few and of all", async () => {
    const all: ModelSeries[] = Array.from({ length: 6_000 }, (_, i) => ({
      tenant: i % 5 === 0 ? "other" : "default",
      labels: ["__name__", `m${i % 50}`, "each", `${i}`, "host", `h${(i * 7919) % 301}`, "one", "1"],
      samples: [{ t: i % 100, v: [i, 0] as const, start: 0 }],
    })).sort(compareSeries);
    const block = await open(all, 4096);
    expect(block.values.table.items).toBeGreaterThan(6_000);
    const source = blockSource(block);
    const cases: Matcher[][] = [
      [],
      [{ name: "__name__", op: "=", value: "m7" }],
      [{ name: "each", op: "=", value: "777" }],
      [{ name: "one", op: "=", value: "1" }],
      [
        { name: "one", op: "=", value: "1" },
        { name: "host", op: "=~", value: "h1.*" },
        { name: "__name__", op: "!=", value: "m3" },
      ],
      [
        { name: "host", op: "=", value: "h11" },
        { name: "one", op: "=", value: "1" },
        { name: "each", op: "!~", value: ".*9" },
      ],
      [
        { name: "host", op: "!~", value: "h1.*|h2.*" },
        { name: "each", op: "=~", value: "1.*3" },
      ],
      [
        { name: "__name__", op: "=~", value: "m1|m2|m3" },
        { name: "host", op: "=~", value: "h(2|3)" },
        { name: "absent", op: "!=", value: "x" },
      ],
      [
        { name: "one", op: "!=", value: "1" },
        { name: "each", op: "=~", value: ".+" },
      ],
      // The same pattern the other way round, beside what is remembered of it.
      [
        { name: "one", op: "=", value: "1" },
        { name: "each", op: "!~", value: "1.*3" },
      ],
      [
        { name: "one", op: "!=", value: "2" },
        { name: "host", op: "!=", value: "h5" },
      ],
    ];
    for (const matchers of cases) {
      for (const [minT, maxT] of [
        [0, 1000],
        [10, 12],
      ] as const) {
        const expected = naive(all, "default", matchers, minT, maxT);
        expect([...source.select("default", matchers, minT, maxT)]).toEqual(expected);
      }
    }
  });
});
