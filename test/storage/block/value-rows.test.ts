import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Disk, DiskFile } from "../../../src/lib/disk.ts";
import { compileMatcher, type Matcher } from "../../../src/model/matcher.ts";
import { openBlock } from "../../../src/storage/block/block.ts";
import { makeBlockCache } from "../../../src/storage/block/cache.ts";
import { findField, findSymbol, findTenant, labelPart, labelsAt } from "../../../src/storage/block/lookup.ts";
import { matchSeries } from "../../../src/storage/block/match.ts";
import { matchRows } from "../../../src/storage/block/value-rows.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";
import { compareSeries, type ModelSeries, writeModel } from "./model-block.ts";

const VALUES = 3_000;

/** Every third value has three series, the others one each. */
async function open() {
  const all: ModelSeries[] = [];
  for (let v = 0; v < VALUES; v++) {
    for (let k = 0; k < (v % 3 === 0 ? 3 : 1); k++) {
      const labels = ["__name__", `m${k}`, "each", `value-${(v * 7919) % 10_007}`];
      all.push({ tenant: "default", labels, samples: [{ t: v % 100, v: [v, 0] as const, start: 0 }] });
    }
  }
  all.sort(compareSeries);
  return openModel(all, 1 << 22);
}

async function openModel(all: readonly ModelSeries[], cacheBytes: number) {
  const disk = makeSimDisk();
  const meta = await writeModel(disk, "/b", all, { smallBlock: 16 });
  let reads = 0;
  const counting: Disk = {
    ...disk,
    open: async (path, mode) => {
      const file = await disk.open(path, mode);
      const readSync: DiskFile["readSync"] = (into, at) => {
        reads++;
        return file.readSync(into, at);
      };
      return { ...file, readSync };
    },
  };
  const block = await openBlock(counting, `/b/${meta?.id}`, makeBlockCache(cacheBytes));
  const tenant = findTenant(block, "default");
  const field = tenant && findField(block, tenant, findSymbol(block, "each"));
  if (field === undefined) throw new Error("the label is not there");
  return { all, block, field, disk, reads: () => reads };
}

const regex = (value: string): Matcher => ({ name: "each", op: "=~", value });

test("patterns that match many values are remembered, the newest ones", async () => {
  const { block, field } = await open();
  let tried = 0;
  const rowsOf = (pattern: string, refused = false) => {
    const matcher: Matcher = { name: "each", op: "=~", value: pattern };
    const accepts = compileMatcher(matcher);
    const counting = (value: string): boolean => {
      tried++;
      return accepts(value);
    };
    return matchRows(block, field, matcher, counting, refused);
  };
  const patterns = Array.from({ length: 60 }, (_, n) => `.*[^x]{${n % 6}}.*|x${n}`);
  const first = patterns.map((p) => rowsOf(p));
  expect(first.every((rows) => rows.length === VALUES)).toBe(true);
  expect(tried).toBe(60 * VALUES);
  expect(patterns.map((p) => rowsOf(p))).toEqual(first);
  expect(tried).toBe(60 * VALUES);
  // Few rows, none (by their beginning alone), and those that are refused.
  for (const pattern of [".*-.5", "nothing.*at.all", ".*7.*"]) {
    const [rows, others] = [rowsOf(pattern), rowsOf(pattern, true)];
    expect([...rows, ...others].sort((a, b) => a - b)).toEqual(
      Array.from({ length: VALUES }, (_, i) => field.first + i),
    );
    expect([rowsOf(pattern), rowsOf(pattern, true)]).toEqual([rows, others]);
  }
  expect(tried).toBe(65 * VALUES);
  // Only so much is kept.
  for (let n = 0; n < 600; n++) rowsOf(`.+|x${n}`);
  expect(tried).toBe(665 * VALUES);
  rowsOf(patterns[0] as string);
  expect(tried).toBe(666 * VALUES);
  rowsOf(".+|x599");
  expect(tried).toBe(666 * VALUES);
});

test("the series of many values, single ones and lists, are those with them, in order, again and again", async () => {
  const { all, block } = await open();
  for (const pattern of [".*7.*", ".+", ".*-1.*", ".*-12.*"]) {
    const matcher: Matcher = { name: "each", op: "=~", value: pattern };
    const accepts = compileMatcher(matcher);
    const expected = all.filter((s) => accepts(s.labels.at(-1) as string)).map((s) => s.labels);
    for (const _ of [1, 2]) {
      const ids = [...matchSeries(block, "default", [matcher])];
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      expect(ids.map((id) => labelsAt(block, labelPart(block, id), id & block.labels.mask))).toEqual(expected);
    }
  }
});

test("values without a text that the pattern needs are not tried", async () => {
  const { all, block, field } = await open();
  const matcher = regex("value.*-12.?");
  const accepts = compileMatcher(matcher);
  const tried: string[] = [];
  const rows = matchRows(block, field, matcher, (value) => tried.push(value) > 0 && accepts(value), false);
  const values = new Set(all.map((s) => s.labels.at(-1) as string));
  expect(tried.sort()).toEqual([...values].filter((v) => v.includes("-12")).sort());
  expect(rows.length).toBe([...values].filter(accepts).length);
  expect(rows.length).toBeGreaterThan(1);
});

test("patterns over values of all kinds accept what they accept one by one, whatever the cache holds", async () => {
  const piece = fc.constantFrom("ab", "ba", "aab", "b", "-", "-1", "é", "漢字", "\u{1f600}", "");
  const value = fc.array(piece, { minLength: 1, maxLength: 5 }).map((p) => p.join(""));
  const between = fc.constantFrom(".*", ".+", "[ab]*", "", "-?", "(ab|-1)", "a{1,2}");
  const pattern = fc.array(fc.tuple(between, piece), { minLength: 1, maxLength: 3 }).map((p) => p.flat().join(""));
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(value, { minLength: 140, maxLength: 300 }),
      fc.array(pattern, { minLength: 1, maxLength: 20 }),
      fc.constantFrom(0, 1 << 13, 1 << 22),
      async (values, patterns, cacheBytes) => {
        const texts = values.filter((v) => v !== "");
        const all = texts.map((v) => ({
          tenant: "default",
          labels: ["each", v],
          samples: [{ t: 1, v: [1, 0] as const, start: 0 }],
        }));
        all.sort(compareSeries);
        const { block } = await openModel(all, cacheBytes);
        for (const text of patterns) {
          const accepts = compileMatcher(regex(text));
          const found = [...matchSeries(block, "default", [regex(text)])];
          const expected = all.flatMap((s, id) => (accepts(s.labels[1] as string) ? [id] : []));
          expect(found, text).toEqual(expected);
          const refused = [...matchSeries(block, "default", [{ name: "each", op: "!~", value: text }])];
          expect(refused, text).toEqual(all.flatMap((s, id) => (accepts(s.labels[1] as string) ? [] : [id])));
        }
      },
    ),
    { numRuns: 20 },
  );
}, 60_000);

test("parts that lie behind one another are read in one piece", async () => {
  const { block, field, reads } = await open();
  const parts = block.symbols.table.starts.length + block.values.table.starts.length;
  expect(parts).toBeGreaterThan(40);
  const before = reads();
  const matcher = regex(".*9.*");
  matchRows(block, field, matcher, compileMatcher(matcher), false);
  expect(block.data.cache.misses).toBeGreaterThanOrEqual(parts - 4);
  expect(reads() - before).toBeLessThan(parts / 4);
});

test("damage in a part that was read with others is told of that part, and the others are served", async () => {
  const { block, field, disk } = await open();
  const { starts, lengths } = block.symbols.table;
  const bad = 10;
  const at = (starts[bad] as number) + ((lengths[bad] as number) >> 1);
  const bytes = disk.file(block.data.path) as Uint8Array;
  const content = Uint8Array.from(bytes);
  content[at] = (content[at] as number) ^ 1;
  const damaged = disk.snapshot();
  damaged.replace(block.data.path, content);
  const opened = await openBlock(damaged, block.dir, makeBlockCache(1 << 22));
  const matcher = regex(".*9.*");
  const wanted = `symbols ${bad}: the checksum does not match`;
  expect(() => matchRows(opened, field, matcher, compileMatcher(matcher), false)).toThrow(wanted);
  expect(opened.symbols.slots[bad - 1]).toBeDefined();
  expect(opened.symbols.slots[bad]).toBeUndefined();
});
