import { describe, expect, test } from "vitest";
import { type BlockInfo, compactionRanges, planCompaction } from "../../../src/storage/engine/plan-compaction.ts";
import { seededRandom } from "../../lib/sim-disk.ts";

const H = 3600_000;
const DAY = 24 * H;
let serial = 0;
function block(start: number, end: number, bytes = 100, created = 0): BlockInfo {
  return { id: `b${serial++}`, start, end, bytes, created };
}
const ranges = compactionRanges(DAY);
const plan = (blocks: readonly BlockInfo[], completeUpTo: number, now = completeUpTo) =>
  planCompaction(blocks, { ranges, completeUpTo, now });

test("ranges grow to the largest that is allowed", () => {
  expect(compactionRanges(DAY)).toEqual([2 * H, 8 * H, DAY]);
  expect(compactionRanges(H)).toEqual([2 * H]);
  expect(compactionRanges(16 * DAY).at(-1)).toBe(16 * DAY);
  for (const [i, r] of compactionRanges(256 * DAY).entries()) {
    if (i > 0) expect(r % (compactionRanges(256 * DAY)[i - 1] as number)).toBe(0);
  }
});

describe("the next merge", () => {
  test("windows of a complete larger range, all of them", () => {
    const four = [0, 2, 4, 6].map((h) => block(h * H, (h + 2) * H));
    expect(plan(four, 7 * H)).toBeUndefined();
    expect(plan(four, 8 * H)).toEqual({ ids: four.map((b) => b.id), start: 0, end: 8 * H });
    // Gaps do not matter, a block alone does not need a merge.
    expect(plan([four[0]!, four[3]!], 8 * H)?.ids).toHaveLength(2);
    expect(plan([four[1]!], 100 * H)).toBeUndefined();
  });

  test("oldest first, small ranges before large ones", () => {
    const blocks = [block(0, 8 * H), block(8 * H, 16 * H), block(16 * H, 18 * H), block(18 * H, 20 * H)];
    expect(plan(blocks, DAY)).toMatchObject({ start: 16 * H, end: DAY });
    expect(plan([block(0, 8 * H), block(8 * H, 16 * H), block(16 * H, DAY)], DAY)).toMatchObject({
      start: 0,
      end: DAY,
    });
  });

  test("late data waits until there is enough of it, or for six hours", () => {
    const day = block(0, DAY, 1_000_000);
    const late = (n: number, bytes: number, created: number) =>
      Array.from({ length: n }, () => block(4 * H, 6 * H, bytes, created));
    expect(plan([day, ...late(1, 1000, 30 * H)], 31 * H)).toBeUndefined();
    expect(plan([day, ...late(1, 200_000, 30 * H)], 31 * H)?.ids).toHaveLength(2);
    expect(plan([day, ...late(1, 1000, 25 * H)], 31 * H)?.ids).toHaveLength(2);
    // Small ones of one window are merged with each other: that costs little.
    expect(plan([day, ...late(5, 1000, 30 * H)], 31 * H)).toMatchObject({ start: 4 * H, end: 6 * H });
  });

  test("whatever comes, it ends: each block is rewritten a bounded number of times, and few blocks remain", () => {
    const random = seededRandom(7);
    let blocks: BlockInfo[] = [];
    let written = 0;
    let rewritten = 0;
    for (let t = 0; t < 20 * DAY; t += 2 * H) {
      blocks.push(block(t, t + 2 * H, 1000, t));
      written += 1000;
      if (random() < 0.3) {
        const w = Math.floor((random() * t) / (2 * H)) * 2 * H;
        blocks.push(block(w, w + 2 * H, 10, t));
        written += 10;
      }
      for (let next = plan(blocks, t + 2 * H); next !== undefined; next = plan(blocks, t + 2 * H)) {
        const { ids, start, end } = next;
        const inputs = blocks.filter((b) => ids.includes(b.id));
        expect(inputs.every((b) => b.start >= start && b.end <= end)).toBe(true);
        const bytes = inputs.reduce((sum, b) => sum + b.bytes, 0);
        rewritten += bytes;
        blocks = [...blocks.filter((b) => !ids.includes(b.id)), block(start, end, bytes, t)];
      }
    }
    expect(blocks.length).toBeLessThan(20 + 12 + 8);
    expect(rewritten / written).toBeLessThan(6);
  });
});
