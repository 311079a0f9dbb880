/**
 * Bad days of a shard's storage, and where they are told: a metric, a line of the log, and, where samples are missing, the answer of
 * a query. Where none are missing no answer warns. (Broken blocks are in block-reads.test.ts, the log's damage in end-of-log.test.ts.)
 */
import { describe, expect, test } from "vitest";
import { JobFailed } from "../../src/storage/engine/jobs.ts";
import { repairShard } from "../../src/storage/engine/survey.ts";
import { walEpoch } from "../../src/storage/wal/wal.ts";
import { frameOf, type Row, testSeries } from "../actors/shard/frames.ts";
import { makeSimDisk, type SimDisk } from "../lib/sim-disk.ts";
import { type FailingDisk, makeFailingDisk } from "./failing-disk.ts";
import { type Contents, DIR, HOUR, type Lab, type LabOptions, MINUTE, openLab, runHere, T0 } from "./lab.ts";
import { errors, metricsOf } from "./told.ts";

const HOURS = 5;
const series = ["0", "1"].map((s) => testSeries(["__name__", "m", "s", s]));

interface Day {
  readonly lab: Lab;
  readonly disk: SimDisk;
  readonly failing: FailingDisk;
  readonly clock: { now: number };
  readonly whole: Contents;
}

async function day(job?: LabOptions["job"]): Promise<Day> {
  const disk = makeSimDisk();
  const failing = makeFailingDisk(disk);
  failing.code = "ENOSPC";
  const clock = { now: T0 + HOURS * HOUR };
  const lab = await openLab({ disk: failing, now: () => clock.now, ...(job === undefined ? {} : { job }) });
  walEpoch(lab.keeper.wal, "stream");
  let sequence = 0;
  for (let t = T0; t < T0 + HOURS * HOUR; t += 5 * MINUTE) {
    const rows = series.map((s, i): Row => [s, t, t / MINUTE + i]);
    lab.take(++sequence, frameOf(series, rows));
  }
  await lab.sync();
  return { lab, disk, failing, clock, whole: lab.contents() };
}

function fill(failing: FailingDisk): void {
  failing.failAt = failing.operations;
  failing.lasting = true;
}

function free(failing: FailingDisk): void {
  failing.failAt = Number.POSITIVE_INFINITY;
  failing.lasting = false;
}

function allIsServed({ lab, whole }: Day): void {
  expect(lab.contents()).toEqual(whole);
  expect(lab.warnings()).toEqual([]);
}

describe("a full disk", () => {
  test("the log cannot be written: it fails, and what waited is there when there is space", async () => {
    const it = await day();
    const { lab, failing } = it;
    fill(failing);
    lab.take(1000, frameOf(series, [[series[0] as (typeof series)[number], T0 + HOURS * HOUR, 7]]));
    await expect(lab.sync()).rejects.toMatchObject({ kind: "no_space" });
    await expect(lab.sync()).rejects.toThrow(/no space/);
    expect((await metricsOf(lab)).tocsin_wal_failures_total).toBe(2);
    free(failing);
    await lab.sync();
    expect((await metricsOf(lab)).tocsin_wal_failures_total).toBe(2);
    expect(lab.keeper.wal.synced.applied.has(1000)).toBe(true);
    expect(lab.warnings()).toEqual([]);
  });

  test("the head cannot be cut: it is kept, and cut when there is space", async () => {
    const it = await day();
    const { lab, failing, clock } = it;
    fill(failing);
    expect(await lab.keeper.maintenance.lookAtHead()).toBe(false);
    expect(await metricsOf(lab)).toMatchObject({ tocsin_storage_cut_failures_total: 1, tocsin_storage_cuts_total: 0 });
    expect(errors(lab)).toMatch(/the head could not be written to blocks and is kept: .*ENOSPC/);
    allIsServed(it);
    free(failing);
    clock.now += 2 * MINUTE;
    expect(await lab.keeper.maintenance.lookAtHead()).toBe(true);
    expect(await metricsOf(lab)).toMatchObject({ tocsin_storage_cut_failures_total: 1, tocsin_storage_cuts_total: 1 });
    allIsServed(it);
  });

  test("no snapshot of the head can be written: the log is kept", async () => {
    const it = await day();
    const { lab, failing } = it;
    fill(failing);
    await lab.keeper.checkpoint();
    expect((await metricsOf(lab)).tocsin_head_snapshot_failures_total).toBe(1);
    expect(errors(lab)).toMatch(/no snapshot of the head could be written, the log is kept: .*ENOSPC/);
    allIsServed(it);
  });

  test("no block can be written by a job: the old ones stay", async () => {
    const it = await day();
    const { lab, failing, disk } = it;
    await lab.keeper.maintenance.cut(T0 + 4 * HOUR);
    // The compactor's disk is the same one.
    const job: LabOptions["job"] = async () => {
      throw new JobFailed("write x: ENOSPC: no space left on device", undefined);
    };
    free(failing);
    const second = await openLab({ disk, now: () => it.clock.now, job });
    expect(await second.keeper.maintenance.lookAtBlocks()).toBe(false);
    expect((await metricsOf(second)).tocsin_storage_job_failures_total).toBe(1);
    expect(errors(second)).toMatch(/(rollup|merge) of \d+ blocks failed: .*ENOSPC/);
    expect(second.contents()).toEqual(it.whole);
    expect(second.warnings()).toEqual([]);
  });
});

test("a disk that fails for good under the log: it takes nothing more, and says so", async () => {
  const { lab, failing } = await day();
  failing.code = "EIO";
  fill(failing);
  lab.take(1000, frameOf(series, [[series[0] as (typeof series)[number], T0 + HOURS * HOUR, 7]]));
  await expect(lab.sync()).rejects.toMatchObject({ kind: "failed" });
  expect((await metricsOf(lab)).tocsin_wal_failures_total).toBe(1);
  expect(() => lab.take(1001, new Uint8Array(8))).toThrow(/nothing more is taken/);
});

test("a job whose thread dies: counted, logged, tried again a minute later; nothing is missing", async () => {
  let dies = true;
  let disk: SimDisk | undefined;
  const it = await day(async (job, signal) => {
    if (dies) throw new JobFailed("the compactor died at it", undefined);
    return await runHere(disk as SimDisk, job, signal);
  });
  const { lab, clock } = it;
  disk = it.disk;
  await lab.keeper.maintenance.cut(T0 + 4 * HOUR);
  expect(await lab.jobs()).toBe(0);
  expect(await lab.jobs()).toBe(0);
  expect((await metricsOf(lab)).tocsin_storage_job_failures_total).toBe(1);
  expect(errors(lab)).toMatch(/of \d+ blocks failed: the compactor died at it/);
  allIsServed(it);
  dies = false;
  clock.now += 2 * MINUTE;
  expect(await lab.jobs()).toBeGreaterThan(0);
  expect((await metricsOf(lab)).tocsin_storage_job_failures_total).toBe(1);
  allIsServed(it);
});

describe("a store that is gone while the shard is down", () => {
  test("all of the log and every snapshot: the blocks answer, and every answer says what is missing", async () => {
    const { lab, disk } = await day();
    await lab.keeper.maintenance.cut(T0 + 4 * HOUR);
    await lab.close();
    for (const folder of ["head", "wal"])
      for (const name of await disk.list(`${DIR}/${folder}`)) await disk.remove(`${DIR}/${folder}/${name}`);
    const again = await openLab({ disk, now: () => T0 + HOURS * HOUR });
    expect(errors(again)).toMatch(/neither log nor snapshot/);
    expect(again.warnings().join("\n")).toMatch(/neither log nor snapshot/);
    expect((await metricsOf(again)).tocsin_storage_damages).toBe(1);
    expect(again.contents(T0, T0 + 4 * HOUR - 1).size).toBe(2);
    expect(again.warnings(T0, T0 + 4 * HOUR - 1)).toEqual([]);
    // The log has begun anew, and what is lost stays so.
    await again.close();
    const third = await openLab({ disk, now: () => T0 + HOURS * HOUR });
    expect(third.warnings().join("\n")).toMatch(/neither log nor snapshot/);
    await third.close();
    // Its times are known: a repair does not bring them back, so queries about them go on to say it.
    expect(await repairShard(disk, DIR, () => ({ state: {}, skip: new Set() }))).toEqual([]);
    expect((await openLab({ disk, now: () => T0 + HOURS * HOUR })).warnings().join("\n")).toMatch(
      /neither log nor snapshot/,
    );
  });

  test("a copy of the blocks, restored, has lost nothing", async () => {
    const { lab, disk } = await day();
    await lab.keeper.copy("/copy", false);
    const restored = await openLab({ disk, now: () => T0 + HOURS * HOUR, dir: "/copy" });
    expect(restored.warnings()).toEqual([]);
    expect(restored.contents()).toEqual(lab.contents());
  });

  test("the log alone: the snapshot answers, and what came after it is named", async () => {
    const { lab, disk } = await day();
    await lab.keeper.checkpoint();
    for (const name of await disk.list(`${DIR}/wal`)) await disk.remove(`${DIR}/wal/${name}`);
    const again = await openLab({ disk, now: () => T0 + HOURS * HOUR });
    expect(errors(again)).toMatch(/is missing/);
    expect(again.warnings().join("\n")).toMatch(/is missing/);
    expect((await metricsOf(again)).tocsin_storage_damages).toBeGreaterThan(0);
    expect(again.contents().size).toBe(2);
  });

  test("a shard that begins has lost nothing", async () => {
    const lab = await openLab({ disk: makeSimDisk(), now: () => T0 });
    expect(lab.warnings()).toEqual([]);
    expect(errors(lab)).toBe("");
    expect((await metricsOf(lab)).tocsin_storage_damages).toBe(0);
  });
});
