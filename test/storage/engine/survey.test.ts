import { describe, expect, test } from "vitest";
import type { Disk } from "../../../src/lib/disk.ts";
import { repairShard, surveyShard, verifyShard } from "../../../src/storage/engine/survey.ts";
import { walEpoch } from "../../../src/storage/wal/wal.ts";
import { frameOf, type Row, testSeries } from "../../actors/shard/frames.ts";
import { DIR, HOUR, MINUTE, openLab, T0 } from "../../faults/lab.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";

const empty = () => ({ state: {}, skip: new Set<string>() });
const series = [testSeries(["__name__", "m"])];

/** Three raw blocks and two segments of a log; no snapshot. */
async function shard(): Promise<SimDisk> {
  const disk = makeSimDisk();
  const lab = await openLab({ disk, now: () => T0 + 7 * HOUR });
  walEpoch(lab.keeper.wal, "stream");
  for (let n = 0; n < 42; n++) {
    const rows = series.map((s): Row => [s, T0 + n * 10 * MINUTE, n]);
    lab.take(n + 1, frameOf(series, rows));
  }
  await lab.sync();
  await lab.keeper.maintenance.cut(T0 + 6 * HOUR);
  await lab.close();
  const [snapshot] = await disk.list(`${DIR}/head`);
  if (snapshot !== undefined) await disk.remove(`${DIR}/head/${snapshot}`);
  return disk;
}

describe("looking at a shard's folder", () => {
  test("a whole one; each folder is looked into once", async () => {
    const disk = await shard();
    const lists: string[] = [];
    const counted: Disk = {
      ...disk,
      list: (path) => {
        lists.push(path);
        return disk.list(path);
      },
    };
    expect(await verifyShard(counted, DIR, empty)).toEqual({ problems: [], files: 5 });
    expect(lists.filter((path) => path.endsWith("/blocks/raw"))).toHaveLength(1);
    const { blocks, unreadable, segments } = await surveyShard(disk, DIR);
    expect(blocks.map((b) => b.samples)).toEqual([12, 12, 12]);
    expect({ unreadable, segments: segments.length }).toEqual({ unreadable: [], segments: 2 });
  });

  test("one that has nothing but blocks, as a snapshot for keeping", async () => {
    const disk = await shard();
    for (const folder of ["head", "wal", "blocks/1m", "blocks/1h"]) await disk.removeDir(`${DIR}/${folder}`);
    expect(await verifyShard(disk, DIR, empty)).toEqual({ problems: [], files: 3 });
    expect(await repairShard(disk, DIR, empty)).toEqual([]);
    expect(await surveyShard(disk, "/nothing")).toEqual({
      ...{ dir: "/nothing", blocks: [], unreadable: [], snapshots: [], segments: [] },
    });
  });

  test("a block that is gone is named, until a repair says that one knows", async () => {
    const disk = await shard();
    const [id] = (await disk.list(`${DIR}/blocks/raw`)) as [string];
    await disk.removeDir(`${DIR}/blocks/raw/${id}`);
    const { problems } = await verifyShard(disk, DIR, empty);
    expect(problems).toEqual([{ path: `${DIR}/blocks/raw/${id}`, offset: 0, problem: "the block is missing" }]);
    expect(await repairShard(disk, DIR, empty)).toEqual([`block raw/${id} is no longer missed`]);
    expect((await verifyShard(disk, DIR, empty)).problems).toEqual([]);
  });
});
