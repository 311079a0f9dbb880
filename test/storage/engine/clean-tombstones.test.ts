/** cleanTombstones beside whatever else is done with the blocks: it waits its turn, and rewrites what there is then. */
import { describe, expect, test } from "vitest";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import { TEMPORARY } from "../../../src/storage/block/block-id.ts";
import { JobCancelled, JobFailed, type StorageJob } from "../../../src/storage/engine/jobs.ts";
import { walEpoch } from "../../../src/storage/wal/wal.ts";
import { frameOf, type Row, testSeries } from "../../actors/shard/frames.ts";
import { HOUR, type Lab, MINUTE, openLab, runHere, T0 } from "../../faults/lab.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";

const series = ["a", "b"].map((s) => testSeries(["__name__", "m", "s", s]));
const HOURS = 9;
const now = () => T0 + HOURS * HOUR;

type Gate = (job: StorageJob, signal: AbortSignal) => Promise<void>;

/** Raw blocks that are to be merged and have tombstones. `gate.before` is called before each job. */
async function withDeletions(): Promise<{ lab: Lab; disk: SimDisk; gate: { before: Gate } }> {
  const disk = makeSimDisk();
  const gate: { before: Gate } = { before: async () => undefined };
  const job = async (work: StorageJob, signal: AbortSignal) => {
    await gate.before(work, signal);
    return await runHere(disk, work, signal);
  };
  const lab = await openLab({ disk, now, job });
  walEpoch(lab.keeper.wal, "stream");
  let sequence = 0;
  for (let t = T0; t < T0 + HOURS * HOUR; t += 10 * MINUTE) {
    const rows = series.map((s, i): Row => [s, t, t / MINUTE + i]);
    lab.take(++sequence, frameOf(series, rows));
  }
  await lab.sync();
  await lab.keeper.maintenance.cut(T0 + 8 * HOUR);
  await remove(lab, "a", T0 + HOUR, T0 + 7 * HOUR);
  return { lab, disk, gate };
}

const remove = (lab: Lab, s: string, minT: number, maxT: number) =>
  lab.keeper.delete({ tenant: DEFAULT_TENANT, sets: [[{ name: "s", op: "=", value: s }]], minT, maxT });

const tombstones = (lab: Lab): number =>
  Object.values(lab.keeper.storage.blocks.tiers)
    .flat()
    .reduce((n, b) => n + b.block.tombstones.list.length, 0);

/** Does all jobs but the merge of raw blocks, then begins that one; resolves when it is under way. */
async function beginMerge(lab: Lab, gate: { before: Gate }, at: Gate): Promise<{ done: Promise<unknown> }> {
  const begun = Promise.withResolvers<void>();
  gate.before = async (job, signal) => {
    if (job.kind !== "merge" || job.ids.length < 2) return;
    gate.before = async () => undefined;
    begun.resolve();
    await at(job, signal);
  };
  const done = lab.jobs();
  await begun.promise;
  return { done };
}

describe("cleanTombstones", () => {
  test("rewrites what has tombstones", async () => {
    const { lab } = await withDeletions();
    const before = lab.contents();
    expect(tombstones(lab)).toBeGreaterThan(2);
    expect(await lab.keeper.maintenance.cleanTombstones()).toBeGreaterThan(2);
    expect(tombstones(lab)).toBe(0);
    expect(lab.contents()).toEqual(before);
  });

  test("beside a merge: it is called off, and waited for", async () => {
    const { lab, gate } = await withDeletions();
    const before = lab.contents();
    const { done } = await beginMerge(lab, gate, async (_, signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw new JobCancelled();
    });
    expect(await lab.keeper.maintenance.cleanTombstones()).toBeGreaterThan(0);
    await done;
    expect(tombstones(lab)).toBe(0);
    expect(lab.contents()).toEqual(before);
    expect(lab.lines.filter((l) => l.startsWith("error"))).toEqual([]);
  });

  test("beside a merge whose blocks are being taken into use: what that made is what there is", async () => {
    const { lab, gate, disk } = await withDeletions();
    const before = lab.contents();
    let cleaning: Promise<number> | undefined;
    const whole = async () =>
      (await disk.list("/shard/blocks/raw")).filter((name) => !name.startsWith(TEMPORARY)).length;
    const { done } = await beginMerge(lab, gate, async () => {
      const there = await whole();
      disk.before = async (op) => {
        // The merged block is finished, and is being opened.
        if (op === "open" && cleaning === undefined && (await whole()) > there)
          cleaning = lab.keeper.maintenance.cleanTombstones();
      };
    });
    await done;
    expect(cleaning).toBeDefined();
    await cleaning;
    expect(tombstones(lab)).toBe(0);
    expect(lab.contents()).toEqual(before);
    expect(lab.lines.filter((l) => l.startsWith("error"))).toEqual([]);
  });

  test("beside a deletion: what that called off is done again", async () => {
    const { lab, gate } = await withDeletions();
    let deleted: Promise<number> | undefined;
    gate.before = async (_, signal) => {
      if (deleted !== undefined) return;
      deleted = remove(lab, "b", T0 + 2 * HOUR, T0 + 3 * HOUR);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw new JobCancelled();
    };
    await lab.keeper.maintenance.cleanTombstones();
    expect(await deleted).toBeGreaterThan(0);
    expect(tombstones(lab)).toBe(0);
    const b = [...lab.contents()].find(([key]) => key.includes("b"))?.[1];
    expect([...(b?.keys() ?? [])].filter((t) => t >= T0 + 2 * HOUR && t <= T0 + 3 * HOUR)).toEqual([]);
  });

  test("a block that cannot be rewritten is named", async () => {
    const { lab, gate } = await withDeletions();
    gate.before = async () => {
      throw new JobFailed("no space", undefined);
    };
    await expect(lab.keeper.maintenance.cleanTombstones()).rejects.toThrow(/block raw\/\S+ could not be rewritten/);
    expect(tombstones(lab)).toBeGreaterThan(0);
  });
});
