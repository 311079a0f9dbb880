/** A shard's storage at work on a simulated disk: cuts, merges, rollups, retention, deletions and copies against plain arithmetic. */
import { describe, expect, test } from "vitest";
import type { StorageSettings } from "../../../src/actors/shard/storage-settings.ts";
import { DiskError } from "../../../src/lib/disk.ts";
import { labelsKey } from "../../../src/model/labels.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import { frameOf, type Row, testSeries } from "../../actors/shard/frames.ts";
import { makeFailingDisk } from "../../faults/failing-disk.ts";
import { type Contents, HOUR, type Lab, type LabOptions, MINUTE, openLab, runHere, T0 } from "../../faults/lab.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../../lib/sim-disk.ts";
import { expectEqual } from "../../support/expect-equal.ts";
import { often } from "../../support/often.ts";

const SERIES = 4;
const series = Array.from({ length: SERIES }, (_, s) => testSeries(["__name__", "m", "s", String(s)]));
const keyOf = (s: number): string => labelsKey((series[s] as (typeof series)[number]).labels);
const STEP = 10 * MINUTE;

/** Applies one frame a step with a sample of each series; a sample's value is its step and series. */
function feed(lab: Lab, from: number, to: number): void {
  for (let t = from; t < to; t += STEP) {
    const rows = series.map((s, i): Row => [s, t, valueAt(t, i)]);
    lab.take(lab.keeper.wal.state.applied.last() + 1, frameOf(series, rows));
  }
}

const valueAt = (t: number, s: number): number => ((t - T0) / STEP) * SERIES + s;

function plain(from: number, to: number, only: (s: number, t: number) => boolean = () => true): Contents {
  const all: Contents = new Map();
  for (let s = 0; s < SERIES; s++) {
    const samples = new Map<number, number>();
    for (let t = from; t < to; t += STEP) if (only(s, t)) samples.set(t, valueAt(t, s));
    if (samples.size > 0) all.set(keyOf(s), samples);
  }
  return all;
}

async function filled(options: Omit<LabOptions, "now">, hours: number): Promise<Lab & { clock: { now: number } }> {
  const clock = { now: T0 + hours * HOUR };
  const lab = await openLab({ ...options, now: () => clock.now });
  feed(lab, T0, T0 + hours * HOUR);
  await lab.sync();
  return Object.assign(lab, { clock });
}

/** Sums of whole hours, by series, answered from whatever is right. */
async function hourlySums(lab: Lab, from: number, to: number): Promise<(number | undefined)[][]> {
  const { matrix } = await lab.ask("sum_over_time(m[1h])", from, to, HOUR);
  const steps = (to - from) / HOUR + 1;
  return series.map((_, s) => {
    const row = matrix.labels.findIndex((l) => l.at(-1) === String(s));
    return Array.from({ length: steps }, (_, i) =>
      row >= 0 && matrix.present[row * steps + i] === 1 ? matrix.values[row * steps + i] : undefined,
    );
  });
}

/** Compares them with what was fed; `instead` says where something else is right. */
async function expectSums(
  lab: Lab,
  from: number,
  to: number,
  instead: (s: number, end: number) => number | undefined = (s, end) => sumTo(end, s),
): Promise<void> {
  const sums = await hourlySums(lab, from, to);
  const want = series.map((_, s) => (sums[s] as unknown[]).map((_, i) => instead(s, from + i * HOUR)));
  expectEqual(sums, want);
}

const sumTo = (end: number, s: number): number => {
  let sum = 0;
  for (let t = end - HOUR + STEP; t <= end; t += STEP) sum += valueAt(t, s);
  return sum;
};

describe("what is stored", () => {
  test("is the same through cut, rollup, merge, a snapshot and a start", async () => {
    const disk = makeSimDisk();
    const lab = await filled({ disk, settings: { maxBlockRangeMs: 8 * HOUR } }, 30);
    const all = plain(T0, T0 + 30 * HOUR);
    expectEqual(lab.contents(), all);
    expect(await lab.keeper.maintenance.lookAtHead()).toBe(true);
    expectEqual(lab.contents(), all);
    while (await lab.keeper.maintenance.lookAtBlocks()) expectEqual(lab.contents(), all);
    const { tiers } = lab.keeper.storage.blocks;
    expect(tiers.raw.some((b) => b.block.meta.level > 1)).toBe(true);
    expect(tiers["1h"].length).toBeGreaterThan(0);
    await lab.keeper.checkpoint();
    await lab.close();
    const again = await openLab({ disk, now: () => T0 + 30 * HOUR });
    expectEqual(again.contents(), all);
    expect(again.warnings()).toEqual([]);
    await expectSums(again, T0 + 2 * HOUR, T0 + 26 * HOUR);
  });

  test("is in a copy, with the head and without it", async () => {
    const disk = makeSimDisk();
    const lab = await filled({ disk }, 9);
    await lab.keeper.maintenance.lookAtHead();
    await lab.jobs();
    await lab.keeper.copy("/copy", false);
    await lab.keeper.copy("/without", true);
    const now = () => T0 + 9 * HOUR;
    const copy = await openLab({ disk: disk.crash(() => 0), dir: "/copy", now });
    expect(copy.contents()).toEqual(plain(T0, T0 + 9 * HOUR));
    expect(copy.warnings()).toEqual([]);
    const without = await openLab({ disk, dir: "/without", now });
    expect(without.contents()).toEqual(plain(T0, T0 + 8 * HOUR));
  });

  test("changes by late samples and deletions alike in raw samples and rollups", async () => {
    const disk = makeSimDisk();
    const lab = await filled({ disk }, 13);
    await lab.keeper.maintenance.lookAtHead();
    await lab.jobs();
    const [first] = series as [(typeof series)[number]];
    const late = T0 + 3 * HOUR + 7;
    lab.take(10_000, frameOf(series, [[first, late, 1000]]));
    lab.take(10_001, frameOf(series, [[first, T0 + 3 * HOUR, -5]]));
    const sets = [[{ name: "s", op: "=" as const, value: "2" }]];
    await lab.keeper.delete({ tenant: DEFAULT_TENANT, sets, minT: T0 + 4 * HOUR + 1, maxT: T0 + 6 * HOUR });
    const look = (): Promise<void> =>
      expectSums(lab, T0 + 2 * HOUR, T0 + 8 * HOUR, (s, end) => {
        const hour = (end - T0) / HOUR;
        if (s === 0 && hour === 3) return sumTo(end, s) - valueAt(end, s) - 5;
        if (s === 0 && hour === 4) return sumTo(end, s) + 1000;
        return s === 2 && (hour === 5 || hour === 6) ? undefined : sumTo(end, s);
      });
    await look();
    await lab.jobs();
    await look();
    lab.clock.now += 3 * HOUR;
    expect(await lab.keeper.maintenance.lookAtHead()).toBe(true);
    await look();
    expect(await lab.jobs()).toBeGreaterThan(0);
    await look();
    await lab.keeper.maintenance.cleanTombstones();
    await look();
    expect(lab.contents().get(keyOf(0))?.get(late)).toBe(1000);
  });
});

describe("retention", () => {
  const ages = (raw: number): Partial<StorageSettings> => ({ ages: { raw, "1m": 0, "1h": 0 } });

  test("raw samples go when their time is over, and rollups answer for them as they did", async () => {
    const disk = makeSimDisk();
    const lab = await filled({ disk, settings: ages(6 * HOUR) }, 24);
    await lab.keeper.maintenance.lookAtHead();
    await lab.jobs();
    const oldest = Math.min(...lab.keeper.storage.blocks.tiers.raw.map((b) => b.block.meta.minT));
    expect(oldest).toBeGreaterThanOrEqual(T0 + 15 * HOUR);
    expect(oldest).toBeLessThanOrEqual(T0 + 18 * HOUR);
    await expectSums(lab, T0 + HOUR, T0 + 23 * HOUR);
  });

  test("nothing is dropped that is not rolled up, and it is served", async () => {
    const disk = makeSimDisk();
    const job: LabOptions["job"] = (work, signal) =>
      work.kind === "rollup" ? Promise.reject(new Error("no rollups today")) : runHere(disk, work, signal);
    const lab = await filled(
      { disk, job, settings: { ...ages(6 * HOUR), maxBytes: { raw: 1, "1m": 0, "1h": 0 } } },
      24,
    );
    await lab.keeper.maintenance.lookAtHead();
    for (let i = 0; i < 20; i++) {
      await lab.jobs();
      lab.clock.now += HOUR;
    }
    expect(lab.lines.join("\n")).toContain("no rollups today");
    expect(lab.contents()).toEqual(plain(T0, T0 + 24 * HOUR));
    await expectSums(lab, T0 + HOUR, T0 + 23 * HOUR);
  });

  test("by size the oldest blocks go, down to the bound", async () => {
    const disk = makeSimDisk();
    const settings = { maxBlockRangeMs: 2 * HOUR, maxBytes: { raw: 4000, "1m": 0, "1h": 0 } };
    const lab = await filled({ disk, settings }, 40);
    await lab.keeper.maintenance.lookAtHead();
    await lab.jobs();
    const kept = lab.keeper.storage.blocks.tiers.raw.map((b) => b.block.meta);
    const droppable = kept.filter((m) => m.maxT <= (lab.keeper.storage.state.progress.doneUpTo ?? 0));
    expect(droppable.length).toBeLessThan(19);
    expect(kept.reduce((sum, m) => sum + m.bytes, 0)).toBeLessThanOrEqual(4000 + 2000);
    const from = Math.min(...kept.map((m) => m.minT));
    expect(lab.contents()).toEqual(plain(from, T0 + 40 * HOUR));
    await expectSums(lab, T0 + HOUR, T0 + 36 * HOUR);
  });

  test("by rule some series stay longer and some go sooner", async () => {
    const disk = makeSimDisk();
    const rule = (s: number, raw: number) => ({
      matchers: [{ name: "s", op: "=" as const, value: String(s) }],
      ages: { raw },
    });
    const settings = { ...ages(12 * HOUR), rules: [rule(0, 0), rule(1, 4 * HOUR)], maxBlockRangeMs: 2 * HOUR };
    const lab = await filled({ disk, settings }, 30);
    await lab.keeper.maintenance.lookAtHead();
    await lab.jobs();
    const contents = lab.contents();
    expect(contents.get(keyOf(0))).toEqual(plain(T0, T0 + 30 * HOUR).get(keyOf(0)));
    const oldestOf = (s: number): number => Math.min(...(contents.get(keyOf(s))?.keys() ?? []));
    expect(oldestOf(2)).toBeGreaterThan(T0 + 14 * HOUR);
    expect(oldestOf(2)).toBeLessThanOrEqual(T0 + 18 * HOUR);
    expect(oldestOf(1)).toBeGreaterThanOrEqual(oldestOf(2));
    await expectSums(lab, T0 + HOUR, T0 + 26 * HOUR);
  });

  test("a clock that jumps ahead by a year drops nothing, one that goes back stops nothing", async () => {
    const disk = makeSimDisk();
    const lab = await filled({ disk, settings: ages(12 * HOUR) }, 10);
    lab.clock.now += 365 * 24 * HOUR;
    await lab.keeper.maintenance.lookAtHead();
    await lab.jobs();
    expect(lab.contents()).toEqual(plain(T0, T0 + 10 * HOUR));
    lab.clock.now = T0 + 10 * HOUR;
    feed(lab, T0 + 10 * HOUR, T0 + 13 * HOUR);
    lab.clock.now = T0 + 13 * HOUR;
    expect(await lab.keeper.maintenance.lookAtHead()).toBe(true);
    expect(lab.core.head.minT).toBe(T0 + 12 * HOUR);
    await lab.jobs();
    expect(lab.contents().get(keyOf(0))?.size).toBeGreaterThanOrEqual(12 * 6);
  });
});

describe("a crash at every step of", () => {
  /** Runs work on a copy of the disk again and again, cut off at each operation in turn (each third one); looks at what is left. */
  const everywhere = async (disk: SimDisk, work: (lab: Lab) => Promise<unknown>, all: Contents): Promise<number> => {
    const now = () => T0 + 13 * HOUR;
    for (let at = 0; ; at += often(3, 1)) {
      const mine = disk.snapshot();
      const failing = makeFailingDisk(mine);
      const lab = await openLab({ disk: failing, now });
      const ended = Promise.withResolvers<"cut off">();
      const from = failing.operations;
      failing.before = () => {
        if (failing.operations <= from + at) return;
        failing.kill();
        ended.resolve("cut off");
      };
      const how = await Promise.race([work(lab), ended.promise]);
      if (how !== "cut off") return at;
      for (const [i, left] of [mine.crash(seededRandom(at)), mine].entries()) {
        const again = await openLab({ disk: left, now });
        try {
          expectEqual(again.contents(), all);
          expect(again.warnings()).toEqual([]);
          await expectSums(again, T0 + HOUR, T0 + 10 * HOUR);
          // The work is done again for either in turn: compressing takes long.
          if (at % 2 !== i) continue;
          await again.jobs();
          expectEqual(again.contents(), all);
        } catch (error) {
          throw new Error(`cut off at operation ${at}: ${String(error)}`, { cause: error });
        }
      }
    }
  };
  const all = plain(T0, T0 + 13 * HOUR);

  test("cut and snapshot", { timeout: 120_000 }, async () => {
    const disk = makeSimDisk();
    await filled({ disk }, 13);
    expect(await everywhere(disk, (lab) => lab.keeper.maintenance.lookAtHead(), all)).toBeGreaterThan(30);
  });

  test("rollup and merge", { timeout: 120_000 }, async () => {
    const disk = makeSimDisk();
    const lab = await filled({ disk }, 13);
    await lab.keeper.maintenance.lookAtHead();
    expect(await everywhere(disk, (l) => l.jobs(), all)).toBeGreaterThan(20);
  });

  test("a cut on a disk that fails, for want of space or for good: the head has it all as before", async () => {
    const disk = makeSimDisk();
    await filled({ disk }, 13);
    for (const code of ["ENOSPC", "EIO"]) {
      for (let at = 0; at < 40; at += 3) {
        const mine = disk.snapshot();
        const failing = makeFailingDisk(mine);
        const lab = await openLab({ disk: failing, now: () => T0 + 13 * HOUR });
        Object.assign(failing, { code, lasting: true, failAt: failing.operations + at });
        await lab.keeper.maintenance.cut(T0 + 12 * HOUR).catch((error: unknown) => {
          expect(error).toBeInstanceOf(DiskError);
        });
        expectEqual(lab.contents(), all);
        failing.kill();
        expect((await openLab({ disk: mine.crash(seededRandom(at)), now: () => T0 + 13 * HOUR })).contents()).toEqual(
          all,
        );
      }
    }
  });
});
