/**
 * Blocks that were fine when the shard started and cannot be read now: sectors that the disk does not give back, a file that
 * somebody has cut. A query answers with what is there and names the block; log, metric and status do as well; the shard lives.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { storageStats } from "../../src/actors/shard/storage-stats.ts";
import type { OpenBlock } from "../../src/storage/engine/block-set.ts";
import { walEpoch } from "../../src/storage/wal/wal.ts";
import { frameOf, type Row, testSeries } from "../actors/shard/frames.ts";
import { makeSimDisk, type SimDisk } from "../lib/sim-disk.ts";
import { withBadSectors } from "../storage/bad-sectors.ts";
import { type Contents, DIR, HOUR, type Lab, MINUTE, openLab, T0 } from "./lab.ts";
import { errors, metricsOf } from "./told.ts";

const HOURS = 9;
const now = () => T0 + HOURS * HOUR;
const series = ["0", "1", "2"].map((s) => testSeries(["__name__", "m", "s", s]));

let healthy: SimDisk;
let whole: Contents;
/** The second block by time: a query that reads the first one leaves its pages in the cache. */
let second: string;

/** Four blocks of two hours, and an hour in the head. */
beforeAll(async () => {
  healthy = makeSimDisk();
  const lab = await openLab({ disk: healthy, now });
  walEpoch(lab.keeper.wal, "stream");
  let sequence = 0;
  for (let t = T0; t < T0 + HOURS * HOUR; t += MINUTE) {
    lab.take(
      ++sequence,
      frameOf(
        series,
        series.map((s, i): Row => [s, t, t / MINUTE + i]),
      ),
    );
  }
  await lab.sync();
  await lab.keeper.maintenance.cut(T0 + 8 * HOUR);
  whole = lab.contents();
  const metas = lab.keeper.storage.blocks.tiers.raw.map((b) => b.block.meta).sort((a, b) => a.minT - b.minT);
  expect(metas).toHaveLength(4);
  second = metas[1]?.id as string;
  await lab.close();
});

interface Bad {
  path: string;
  from: number;
  to: number;
}

/** A shard whose second block's data file is the one to go bad. */
async function started(): Promise<{ lab: Lab; disk: SimDisk; bad: Bad; target: OpenBlock }> {
  const disk = healthy.snapshot();
  const id = second;
  const bad: Bad = { path: `${DIR}/blocks/raw/${id}/data`, from: 0, to: 0 };
  const lab = await openLab({ disk: withBadSectors(disk, bad), now });
  expect(lab.warnings(T0, T0)).toEqual([]);
  const target = lab.keeper.storage.blocks.tiers.raw.find((b) => b.block.meta.id === id) as OpenBlock;
  return { lab, disk, bad, target };
}

/** What was stored, without the samples of the block that the damage is in. */
function without({ block: { meta } }: OpenBlock): Contents {
  const rest: Contents = new Map();
  for (const [key, samples] of whole)
    rest.set(key, new Map([...samples].filter(([t]) => t < meta.minT || t > meta.maxT)));
  return rest;
}

/** The rest is served, and everybody who asks hears of the block. */
async function answersInPart(lab: Lab, target: OpenBlock, what: RegExp): Promise<void> {
  const { id, minT, maxT } = target.block.meta;
  expect((await metricsOf(lab)).tocsin_storage_damaged_reads_total).toBe(0);
  expect(lab.contents()).toEqual(without(target));
  const warnings = lab.warnings(minT, maxT).join("\n");
  expect(warnings).toMatch(what);
  expect(warnings).toContain(id);
  const end = Math.ceil(maxT / HOUR) * HOUR;
  const answer = await lab.ask("sum_over_time(m[1h])", T0 + HOUR, end + 2 * HOUR, HOUR);
  expect(answer.warnings.join("\n")).toContain(id);
  const before = answer.matrix.values[0];
  expect(before).toBeGreaterThan(0);
  expect(errors(lab)).toMatch(what);
  expect((await metricsOf(lab)).tocsin_storage_damaged_reads_total).toBeGreaterThan(0);
  // Who asks for another time hears nothing, and gets all.
  expect(lab.warnings(T0, minT - 1)).toEqual([]);
  expect(lab.warnings(maxT + HOUR, now())).toEqual([]);
}

function pagesOf({ block }: OpenBlock): { from: number; to: number } {
  const { starts, lengths } = block.pages.table;
  return { from: Math.min(...starts), to: Math.max(...[...starts].map((s, i) => s + (lengths[i] as number))) };
}

describe("a block that was fine at the start", () => {
  test("EIO in its pages; when the disk gives them again, all is there again", async () => {
    const { lab, bad, target } = await started();
    Object.assign(bad, pagesOf(target));
    await answersInPart(lab, target, /block raw\/\S+ is damaged and answers in part: .*pages 0: .*EIO/);
    Object.assign(bad, { from: 0, to: 0 });
    expect(lab.contents()).toEqual(whole);
    expect(lab.warnings()).toEqual([]);
  });

  test("EIO in all of it", async () => {
    const { lab, bad, target } = await started();
    Object.assign(bad, { from: 0, to: target.block.meta.bytes });
    await answersInPart(lab, target, /block raw\/\S+ is damaged and (answers in part|left out)/);
  });

  test("a file that was cut", async () => {
    const { lab, disk, bad, target } = await started();
    const file = await disk.open(bad.path, "write");
    await file.truncate(pagesOf(target).from);
    await answersInPart(
      lab,
      target,
      /block raw\/\S+ is damaged and (answers in part|left out).*only 0 of \d+ bytes are there/,
    );
    // The next start finds that as well.
    await lab.close();
    const again = await openLab({ disk, now });
    expect(again.contents()).toEqual(without(target));
    expect(again.warnings().join("\n")).toContain(`block raw/${target.block.meta.id} cannot be opened`);
    expect(storageStats(again.keeper).lost.join("\n")).toContain(target.block.meta.id);
  });

  test("the log says it once, not with every query", async () => {
    const { lab, bad, target } = await started();
    Object.assign(bad, pagesOf(target));
    for (let n = 0; n < 20; n++) expect(lab.warnings().join("\n")).toContain(target.block.meta.id);
    expect(lab.lines.filter((l) => l.startsWith("error"))).toHaveLength(1);
    expect(storageStats(lab.keeper).damagedReads).toBeGreaterThanOrEqual(20);
  });

  test("a merge that meets it: the job fails, the block is set aside, the others are merged", async () => {
    const { lab, bad, target } = await started();
    Object.assign(bad, pagesOf(target));
    await lab.jobs();
    expect(storageStats(lab.keeper)).toMatchObject({ damages: 1, jobFailures: 1 });
    expect(lab.lines.join("\n")).toMatch(/error (merge|rollup) of \d+ blocks failed: .*EIO/);
    expect(lab.warnings().join("\n")).toContain(target.block.meta.id);
  });
});

test.each([
  ["its footer", "data"],
  ["its description", "meta.json"],
])("EIO in %s at the start: the shard starts without the block and names it", async (_, name) => {
  const disk = healthy.snapshot();
  const id = second;
  const path = `${DIR}/blocks/raw/${id}/${name}`;
  const size = disk.file(path).length;
  const { lab: fine, target } = await started();
  await fine.close();
  const lab = await openLab({ disk: withBadSectors(disk, { path, from: size - 8, to: size }), now });
  expect(lab.contents()).toEqual(without(target));
  expect(lab.warnings().join("\n")).toMatch(new RegExp(`block raw/${id} cannot be opened .*EIO`));
  expect(lab.lines.filter((l) => l.startsWith("error")).join("\n")).toContain(id);
  expect(storageStats(lab.keeper)).toMatchObject({ damages: 1, lost: [expect.stringContaining(id)] });
  await lab.close();
  // The disk gives it again: so does the shard.
  const again = await openLab({ disk, now });
  expect(again.contents()).toEqual(whole);
  expect(again.warnings()).toEqual([]);
});
