import { describe, expect, test } from "vitest";
import { readU32 } from "../../../src/lib/bytes.ts";
import { type Disk, DiskError } from "../../../src/lib/disk.ts";
import { readState, writeState } from "../../../src/storage/engine/storage-state.ts";
import { repairShard, surveyShard, verifyShard } from "../../../src/storage/engine/survey.ts";
import { RECORD_MAGIC } from "../../../src/storage/wal/format.ts";
import { walEpoch } from "../../../src/storage/wal/wal.ts";
import { frameOf, type Row, testSeries } from "../../actors/shard/frames.ts";
import { DIR, HOUR, MINUTE, openLab, T0 } from "../../faults/lab.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";
import { withBadSectors } from "../bad-sectors.ts";

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
    expect(await verifyShard(counted, DIR, empty)).toEqual({ problems: [], notes: [], files: 5 });
    expect(lists.filter((path) => path.endsWith("/blocks/raw"))).toHaveLength(1);
    const { blocks, unreadable, segments } = await surveyShard(disk, DIR);
    expect(blocks.map((b) => b.samples)).toEqual([12, 12, 12]);
    expect({ unreadable, segments: segments.length }).toEqual({ unreadable: [], segments: 2 });
  });

  test("a block that the shard does not count is told from those that it does", async () => {
    const disk = await shard();
    const dir = `${DIR}/blocks`;
    const { state } = await readState(disk, dir);
    const [first, ...others] = state.blocks;
    await writeState(disk, dir, { ...state, blocks: others });
    const { blocks } = await surveyShard(disk, DIR);
    expect(blocks.filter((b) => !b.inUse).map((b) => b.id)).toEqual([first?.id]);
  });

  test("one that has nothing but blocks, as a snapshot for keeping", async () => {
    const disk = await shard();
    for (const folder of ["head", "wal", "blocks/1m", "blocks/1h"]) await disk.removeDir(`${DIR}/${folder}`);
    expect(await verifyShard(disk, DIR, empty)).toEqual({ problems: [], notes: [], files: 3 });
    expect(await repairShard(disk, DIR, empty)).toEqual([]);
    expect(await surveyShard(disk, "/nothing")).toEqual({
      ...{ dir: "/nothing", blocks: [], unreadable: [], snapshots: [], segments: [] },
    });
  });

  test("a block that is gone is not looked for after a repair, and queries go on to name it", async () => {
    const disk = await shard();
    const [id] = (await disk.list(`${DIR}/blocks/raw`)) as [string];
    await disk.removeDir(`${DIR}/blocks/raw/${id}`);
    const { problems } = await verifyShard(disk, DIR, empty);
    expect(problems).toEqual([{ path: `${DIR}/blocks/raw/${id}`, offset: 0, problem: "the block is missing" }]);
    expect(await repairShard(disk, DIR, empty)).toEqual([
      `block raw/${id} is no longer missed; queries go on to name what was lost`,
    ]);
    const { state } = await readState(disk, `${DIR}/blocks`);
    expect(state.losses.map((l) => [l.tier, l.maxT - l.minT])).toEqual([["raw", 110 * MINUTE]]);
    expect((await verifyShard(disk, DIR, empty)).problems).toEqual([]);
  });

  test.each([
    ["a block's data", "/blocks/raw/ID/data", 100],
    ["a block's data, which cannot be opened", "/blocks/raw/ID/data", Number.POSITIVE_INFINITY],
    ["a block's description", "/blocks/raw/ID/meta.json", Number.POSITIVE_INFINITY],
    ["the footer of a block", "/blocks/raw/ID/data", -1],
    ["the state", "/blocks/state.json", Number.POSITIVE_INFINITY],
    ["a segment of the log", "/wal/SEGMENT", Number.POSITIVE_INFINITY],
  ])("what the disk does not give back is named, and the rest is looked at: %s", async (_, name, to) => {
    const whole = await shard();
    const [id, , last] = (await whole.list(`${DIR}/blocks/raw`)) as [string, string, string];
    const [segment] = (await whole.list(`${DIR}/wal`)) as [string];
    const path = `${DIR}${name.replace("ID", id).replace("SEGMENT", segment)}`;
    const size = await whole.open(path, "read").then((file) => file.size());
    const disk = withBadSectors(
      whole,
      to < 0 ? { path, from: size - 1, to: size } : { path, from: to > size ? 0 : 50, to },
    );
    // Damage behind it, found as well.
    await whole.removeDir(`${DIR}/blocks/raw/${last}`);
    const { problems, files } = await verifyShard(disk, DIR, empty);
    expect(problems.map((p) => p.path)).toContain(path.replace("/state.json", ""));
    expect(problems.map((p) => p.problem).join()).toContain("EIO");
    expect(files).toBeGreaterThanOrEqual(4);
    if (!name.includes("state")) expect(problems.map((p) => p.path)).toContain(`${DIR}/blocks/raw/${last}`);
    // Those that cannot even be opened; a bad sector behind the descriptions is for `verify` to find.
    const seen = (await surveyShard(disk, DIR)).unreadable.map((u) => u.path);
    expect(seen).toEqual(to === 100 || name.includes("state") ? [] : [path]);
  });

  test("the last write of the log, incomplete or damaged, is noted with file and offset", async () => {
    const whole = await shard();
    const path = `${DIR}/wal/${(await whole.list(`${DIR}/wal`)).at(-1)}`;
    const content = whole.file(path).slice();
    let start = 0;
    for (let at = 0; at < content.length; at += 8) if (readU32(content, at) === RECORD_MAGIC) start = at;
    const flipped = content.slice();
    flipped[content.length - 9] = (flipped[content.length - 9] as number) ^ 4;
    for (const [bytes, why] of [
      [flipped, "a record's checksum does not match"],
      [content.slice(0, content.length - 8), "has only"],
    ] as const) {
      whole.replace(path, bytes);
      const { problems, notes } = await verifyShard(whole, DIR, empty);
      const problem = expect.stringContaining(why);
      expect({ problems, notes }).toEqual({ problems: [], notes: [{ path, offset: start, problem }] });
      expect(notes[0]?.problem).toMatch(/^the last write is incomplete or damaged \(.*\), \d+ bytes$/);
    }
  });

  test("an error that says nothing of the data is no damage", async () => {
    const disk = await shard();
    const [id] = (await disk.list(`${DIR}/blocks/raw`)) as [string];
    const denied = { ...disk, open: () => Promise.reject(new DiskError("open", id, "EACCES", "permission denied")) };
    await expect(verifyShard(denied, DIR, empty)).rejects.toThrow(/permission denied/);
  });
});
