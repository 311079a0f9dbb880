import { expect, test } from "vitest";
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
  const disk = makeSimDisk();
  const meta = await writeModel(disk, "/b", all, { smallBlock: 16 });
  const block = await openBlock(disk, `/b/${meta?.id}`, makeBlockCache(1 << 22));
  const tenant = findTenant(block, "default");
  const field = tenant && findField(block, tenant, findSymbol(block, "each"));
  if (field === undefined) throw new Error("the label is not there");
  return { all, block, field };
}

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
  for (const pattern of [".*-1.5", "nothing.*at.all", ".*7.*"]) {
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
