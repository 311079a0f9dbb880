/** Raw samples that are lost while the rows that were made of them are whole: these go on to answer, and only grow. */
import { describe, expect, test } from "vitest";
import { repairShard } from "../../../src/storage/engine/survey.ts";
import { frameOf, type Row, testSeries } from "../../actors/shard/frames.ts";
import { DIR, HOUR, type Lab, type LabOptions, MINUTE, openLab, T0 } from "../../faults/lab.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";

const series = Array.from({ length: 3 }, (_, s) => testSeries(["__name__", "m_total", "s", String(s)]));
const EVERY = 15_000;
const LOST = T0 + 3 * HOUR;
const NOW = T0 + 8 * HOUR;
const now = () => NOW;
const empty = () => ({ state: {}, skip: new Set<string>() });

function feed(lab: Lab, times: readonly number[], which = series): void {
  for (const t of times) {
    const rows = which.map((s): Row => [s, t, (t - T0) / EVERY]);
    lab.take(lab.keeper.wal.state.applied.last() + 1, frameOf(series, rows));
  }
}

const every = (from: number, to: number): number[] =>
  Array.from({ length: (to - from) / EVERY }, (_, i) => from + (i + 1) * EVERY);

/** Eight hours with their rollups; two hours a raw block. */
async function filled(disk: SimDisk, more: Partial<LabOptions> = {}): Promise<Lab> {
  const lab = await openLab({ disk, now, settings: { maxBlockRangeMs: 2 * HOUR }, ...more });
  feed(lab, every(T0, NOW));
  await lab.keeper.maintenance.cut(NOW);
  await lab.jobs();
  return lab;
}

async function loseBlock(lab: Lab, disk: SimDisk): Promise<string> {
  const found = lab.keeper.storage.blocks.tiers.raw.find(
    ({ block: { meta } }) => meta.minT <= LOST && meta.maxT >= LOST,
  );
  const id = (found as NonNullable<typeof found>).block.meta.id;
  await lab.keeper.checkpoint();
  await lab.close();
  await disk.removeDir(`${DIR}/blocks/raw/${id}`);
  return id;
}

const reopened = (disk: SimDisk, more: Partial<LabOptions> = {}): Promise<Lab> =>
  openLab({ disk, now, settings: { maxBlockRangeMs: 2 * HOUR }, ...more });

async function valuesOf(lab: Lab, query: string, at: number) {
  const { matrix, stats, warnings } = await lab.ask(query, at, at, HOUR);
  const values = matrix.labels.map((_, i) => (matrix.present[i] === 1 ? (matrix.values[i] as number) : undefined));
  return { values, tiers: stats?.tiers.map((t) => [t.tier, t.rounded]), warnings };
}

async function late(lab: Lab, times: readonly number[], which = series): Promise<void> {
  feed(lab, times, which);
  await lab.keeper.maintenance.cut(NOW);
  await lab.jobs();
}

describe("a raw block that is lost, its rows whole", () => {
  test("is stood in for by them, before a repair and after it, and is named all the time", async () => {
    const disk = makeSimDisk();
    const id = await loseBlock(await filled(disk), disk);
    for (const isRepaired of [false, true]) {
      if (isRepaired) await repairShard(disk, DIR, empty);
      const lab = await reopened(disk);
      const aligned = await valuesOf(lab, "count(rate(m_total[1h]))", LOST);
      expect(aligned.values).toEqual([3]);
      expect(aligned.tiers).toEqual([["1h", false]]);
      expect(aligned.warnings?.join()).toContain(id);
      const between = await valuesOf(lab, "count_over_time(m_total[30m])", LOST + 17 * MINUTE + 1);
      expect(between.values).toHaveLength(3);
      expect(between.tiers).toEqual([["1m", true]]);
      expect(lab.warnings(LOST, LOST).join()).toContain(id);
      expect(lab.warnings(LOST + 3 * HOUR, LOST + 4 * HOUR).join()).not.toContain(id);
      await lab.close();
    }
    // Also in the life after that, and after another repair.
    await repairShard(disk, DIR, empty);
    const lab = await reopened(disk);
    expect(lab.warnings(LOST, LOST).join()).toContain(id);
  });

  test.each([false, true])("late samples are added to its rows, each once (repaired: %s)", async (isRepaired) => {
    const disk = makeSimDisk();
    await loseBlock(await filled(disk), disk);
    if (isRepaired) await repairShard(disk, DIR, empty);
    const lab = await reopened(disk);
    const counts = async () => (await valuesOf(lab, "count_over_time(m_total[1h])", LOST)).values;
    expect(await counts()).toEqual([240, 240, 240]);
    await late(lab, [LOST - 10 * MINUTE + 1000], series.slice(0, 1));
    expect((await counts()).sort()).toEqual([240, 240, 241]);
    await late(lab, [LOST - 20 * MINUTE + 2000]);
    expect((await counts()).sort()).toEqual([241, 241, 242]);
    const minute = await valuesOf(lab, "count_over_time(m_total[1m])", LOST - 19 * MINUTE);
    expect(minute.values).toEqual([5, 5, 5]);
    // The lost ones themselves, in two parts.
    await late(lab, every(LOST - HOUR, LOST - 30 * MINUTE));
    await late(lab, every(LOST - 30 * MINUTE, LOST));
    expect((await counts()).sort()).toEqual([241, 241, 242]);
    expect((await valuesOf(lab, "sum(increase(m_total[1h]))", LOST)).values[0]).toBeCloseTo(720, 6);
  });
});

test("what comes for a time whose raw samples retention dropped is added to its rows", async () => {
  const disk = makeSimDisk();
  const kept = { settings: { maxBlockRangeMs: 2 * HOUR, ages: { raw: 2 * HOUR, "1m": 0, "1h": 0 } } };
  const lab = await filled(disk, kept);
  expect(lab.keeper.storage.state.progress.rawGoneUpTo).toBeGreaterThanOrEqual(T0 + 2 * HOUR);
  const at = T0 + 2 * HOUR;
  expect((await valuesOf(lab, "count_over_time(m_total[1h])", at)).values).toEqual([240, 240, 240]);
  await late(lab, [at - 10 * MINUTE + 1000], series.slice(1, 2));
  expect((await valuesOf(lab, "count_over_time(m_total[1h])", at)).values.sort()).toEqual([240, 240, 241]);
});
