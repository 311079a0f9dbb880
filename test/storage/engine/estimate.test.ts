/** What a source says that reading would go through, against what reading gives. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Matcher } from "../../../src/model/matcher.ts";
import { columnMask, makeRollupBuffer } from "../../../src/model/rollup.ts";
import { DEFAULT_TENANT, makeSampleBuffer } from "../../../src/model/sample.ts";
import type { Touched } from "../../../src/model/series-source.ts";
import { answerFrom } from "../../../src/storage/engine/shard-storage.ts";
import { frameOf, type Row, testSeries } from "../../actors/shard/frames.ts";
import { HOUR, type Lab, MINUTE, openLab, T0 } from "../../faults/lab.ts";
import { makeSimDisk, seededRandom } from "../../lib/sim-disk.ts";

const HOURS = 9;
const series = Array.from({ length: 40 }, (_, s) => testSeries(["__name__", s < 30 ? "x_total" : "y", "s", String(s)]));
const END = T0 + HOURS * HOUR;
const X: Matcher[] = [{ name: "__name__", op: "=", value: "x_total" }];
const nothing = (): void => undefined;

/** Nine hours, a sample a minute; the first six in blocks and their rollups, the rest in the head. */
let lab: Lab;
beforeAll(async () => {
  lab = await openLab({ disk: makeSimDisk(), now: () => END, settings: { maxBlockRangeMs: 2 * HOUR } });
  let sequence = 0;
  for (let t = T0 + MINUTE; t <= END; t += MINUTE) {
    const rows = series.map((one, s): Row => [one, t, s * (t - T0)]);
    lab.take(++sequence, frameOf(series, rows));
  }
  await lab.keeper.maintenance.cut(T0 + 6 * HOUR);
  await lab.jobs();
});
afterAll(() => lab?.close());

function estimate(minT: number, maxT: number, spent: (work: number) => void = nothing): Touched & { series: number } {
  const { storage } = lab.keeper;
  return answerFrom(storage, () => {
    const ids = storage.source.select(DEFAULT_TENANT, X, minT, maxT);
    const touched = storage.source.estimate?.(ids, minT, maxT, spent);
    if (touched === undefined) throw new Error("nothing is told");
    return { ...touched, series: ids.length };
  });
}

function count(minT: number, maxT: number): number {
  const { storage } = lab.keeper;
  const buffer = makeSampleBuffer(64);
  return answerFrom(storage, () => {
    let n = 0;
    for (const id of storage.source.select(DEFAULT_TENANT, X, minT, maxT)) {
      storage.source.read(id, minT, maxT, buffer);
      n += buffer.length;
    }
    return n;
  });
}

describe("an estimate", () => {
  test("reads no page, is exact where whole chunks are asked for, and counts blocks and the head", () => {
    const { blocks } = lab.keeper.storage;
    expect(blocks.tiers.raw.length).toBeGreaterThan(1);
    const { rows, bytes, series: found } = estimate(T0, END);
    for (const { block } of blocks.tiers.raw) expect(block.pages.slots.some((s) => s !== undefined)).toBe(false);
    expect(found).toBe(30);
    expect(rows).toBe(30 * HOURS * 60);
    expect(count(T0, END)).toBe(rows);
    for (const { block } of blocks.tiers.raw) expect(block.pages.slots.some((s) => s !== undefined)).toBe(true);
    // Ramps take little, but something; each page counts once though many series are in it.
    const stored = blocks.tiers.raw.reduce(
      (sum, { block }) => sum + block.pages.table.lengths.reduce((n, l) => n + l, 0),
      0,
    );
    const inHead = bytes - stored;
    expect(inHead).toBeGreaterThan(30 * 8);
    expect(inHead).toBeLessThan(30 * 3 * 60 * 16);
  });

  test("of times within chunks is near to what is there", () => {
    const random = seededRandom(7);
    for (let i = 0; i < 200; i++) {
      const minT = T0 + Math.floor(random() * HOURS * HOUR);
      const maxT = minT + Math.floor(random() * (END - minT));
      const { rows } = estimate(minT, maxT);
      // At each end of a series' chunk one sample more or less.
      expect(Math.abs(rows - count(minT, maxT))).toBeLessThanOrEqual(30 * 2);
    }
    expect(estimate(END + 1, END + HOUR).rows).toBe(0);
    expect(estimate(T0 - HOUR, T0).rows).toBe(0);
  });

  test("of rollups counts the buckets of their tier", () => {
    const { storage } = lab.keeper;
    const { source } = storage;
    const both = (after: number, until: number) =>
      answerFrom(storage, () => {
        const ids = source.select(DEFAULT_TENANT, X, T0, END);
        const touched = source.rollups.estimate?.(ids, "1m", after, until, nothing);
        const out = makeRollupBuffer(64);
        for (const id of ids) source.rollups.read(id, "1m", after, until, columnMask(["count"]), out);
        return { told: touched?.rows ?? 0, read: out.length, bytes: touched?.bytes ?? 0 };
      });
    const all = both(T0, T0 + 6 * HOUR);
    expect(all.read).toBeGreaterThan(30 * 60);
    expect(all.told).toBe(all.read);
    expect(all.bytes).toBeGreaterThan(0);
    const part = both(T0 + HOUR, T0 + 2.5 * HOUR);
    expect(part.read).toBe(30 * 90);
    expect(Math.abs(part.told - part.read)).toBeLessThanOrEqual(30 * 2);
  });

  test("can be stopped", () => {
    const { storage } = lab.keeper;
    const many = new Uint32Array(5000);
    const stop = (): void => {
      throw new Error("stopped");
    };
    expect(() =>
      answerFrom(storage, () => {
        storage.source.select(DEFAULT_TENANT, X, T0, END);
        return storage.source.estimate?.(many, T0, END, stop);
      }),
    ).toThrow("stopped");
  });
});

describe("counts of reads", () => {
  test("grow with what is read, and say what came from memory", () => {
    const { source } = lab.keeper.storage;
    const before = source.readCounts?.();
    count(T0, END);
    const after = source.readCounts?.();
    // All is in memory since the test above.
    expect(after?.cacheHits).toBeGreaterThan(before?.cacheHits ?? 0);
    expect(after?.bytesRead).toBe(before?.bytesRead);
    expect(before?.bytesRead).toBeGreaterThan(0);
  });
});
