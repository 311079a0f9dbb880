import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { segmentName } from "../../../src/storage/wal/format.ts";
import { type OpenOptions, openWal } from "../../../src/storage/wal/open.ts";
import type { SequenceRange } from "../../../src/storage/wal/sequence-set.ts";
import { walAppend, walClose, walEpoch, walSkip, walSync } from "../../../src/storage/wal/wal.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../../lib/sim-disk.ts";
import { withBadSectors } from "../bad-sectors.ts";

const DIR = "/shard/wal";
const QUARANTINE = "/shard/quarantine";
const path = (n: number): string => join(DIR, segmentName(n));
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const each = (ranges: readonly SequenceRange[]): number[] => ranges.flatMap(({ from, to }) => range(from, to));
const payload = (seq: number): Uint8Array => new Uint8Array(200).fill(seq);

async function open(disk: Parameters<typeof openWal>[1], options: Partial<OpenOptions> = {}) {
  const seen: number[] = [];
  const opened = await openWal(DIR, disk, {
    quarantine: QUARANTINE,
    segmentBytes: 4000,
    replay: (seq, bytes) => {
      if (Buffer.compare(bytes, payload(seq)) !== 0) throw new Error(`record ${seq} is not what was written`);
      seen.push(seq);
    },
    ...options,
  });
  return { ...opened, seen };
}

/** Two lanes: 101 upwards, and between them 1 upwards; every commit has two records; several segments. */
async function twoLanes(pairs: number, closed = true): Promise<{ disk: SimDisk; written: number[] }> {
  const disk = makeSimDisk();
  const { wal } = await open(disk);
  walEpoch(wal, "stream");
  const written: number[] = [];
  for (let i = 1; i <= pairs; i++) {
    walAppend(wal, 100 + i, payload(100 + i));
    walAppend(wal, i, payload(i), "backlog");
    written.push(100 + i, i);
    await walSync(wal);
  }
  if (closed) await walClose(wal);
  return { disk, written };
}

describe("damage of a log", () => {
  test("anywhere, by zeroed sectors, flipped bits and unreadable sectors: the rest is there, the loss is exact", async () => {
    for (let seed = 1; seed <= 120; seed++) {
      const random = seededRandom(seed);
      const { disk, written } = await twoLanes(40);
      const segments = (await disk.list(DIR)).length;
      expect(segments).toBeGreaterThan(3);
      let faulty: Parameters<typeof openWal>[1] = disk;
      for (let k = 1 + Math.floor(random() * 3); k > 0; k--) {
        // Not in the last segment: there the loss is not known exactly.
        const name = path(1 + Math.floor(random() * (segments - 1)));
        const content = disk.file(name);
        const at = Math.floor(random() * content.length);
        const kind = random();
        if (kind < 0.4) content[at] = (content[at] as number) ^ (1 << Math.floor(random() * 8));
        else if (kind < 0.8) content.fill(0, at & ~511, (at & ~511) + 512);
        else faulty = withBadSectors(faulty, { path: name, from: at & ~511, to: (at & ~511) + 512 });
      }
      const opened = await open(faulty);
      const missing = written.filter((seq) => !opened.seen.includes(seq)).sort((a, b) => a - b);
      expect(opened.seen, `seed ${seed}`).toEqual(written.filter((seq) => opened.seen.includes(seq)));
      const lost = each(opened.damage.flatMap((d) => d.lost)).sort((a, b) => a - b);
      expect(lost, `seed ${seed}`).toEqual(missing);
      for (const damage of opened.damage) {
        expect(damage.exact).toBe(true);
        expect(disk.file(damage.quarantined as string)).toEqual(disk.file(damage.segment));
      }
      for (const seq of written) expect(opened.applied.has(seq)).toBe(!missing.includes(seq));
      // The lost ones come again, or are not to come: then nothing is missed at the next start.
      for (const seq of missing.slice(1)) walAppend(opened.wal, seq, payload(seq), "backlog");
      if (missing[0] !== undefined) walSkip(opened.wal, missing[0], missing[0]);
      await walClose(opened.wal);
      const again = await open(faulty);
      expect(again.seen).toEqual([...opened.seen, ...missing.slice(1)]);
      expect(each(again.damage.flatMap((d) => d.lost))).toEqual([]);
    }
  }, 60_000);

  test("in the last segment: at most what is missing between the records beside it is called lost", async () => {
    const { disk, written } = await twoLanes(40, false);
    const segments = (await disk.list(DIR)).length;
    const content = disk.file(path(segments));
    const times: number[] = [];
    // Behind the state and the first commit, with later commits behind it.
    content.fill(0xee, 600, 700);
    const opened = await open(disk, {
      replay: (seq) => void times.push(seq),
      timeOf: () => 1000 * (times.at(-1) ?? 0),
    });
    const [damage] = opened.damage;
    expect(damage).toMatchObject({ segment: path(segments), exact: false });
    const missing = written.filter((seq) => !times.includes(seq));
    expect(missing.length).toBeGreaterThan(0);
    expect(each(damage?.lost ?? [])).toEqual(expect.arrayContaining(missing));
    const at = written.indexOf(missing[0] as number);
    expect(damage?.timeBefore).toBe(1000 * (written[at - 1] as number));
    expect(damage?.timeBehind).toBe(1000 * (written[at + missing.length] as number));
  });

  test("missing segments, and one that cannot be opened", async () => {
    const { disk, written } = await twoLanes(60);
    const segments = (await disk.list(DIR)).length;
    expect(segments).toBeGreaterThan(6);
    await disk.remove(path(2));
    await disk.remove(path(3));
    const faulty = withBadSectors(disk, { path: path(5), from: 0, to: Number.POSITIVE_INFINITY });
    const opened = await open(faulty);
    expect(opened.damage.map((d) => d.problem)).toEqual([
      "segments 2 to 3 are missing",
      expect.stringContaining("EIO"),
    ]);
    const lost = each(opened.damage.flatMap((d) => d.lost)).sort((a, b) => a - b);
    expect(lost).toEqual(written.filter((seq) => !opened.seen.includes(seq)).sort((a, b) => a - b));
    expect(lost.length).toBeGreaterThan(20);
    // The last one cannot be opened: a new one is begun behind it.
    await walClose(opened.wal);
    const last = withBadSectors(disk, { path: path(segments), from: 0, to: Number.POSITIVE_INFINITY });
    const again = await open(last);
    expect(again.wal.number).toBe(segments + 1);
    await walClose(again.wal);
  });

  test("an epoch's record is gone: its frames are not taken for those of the epoch before", async () => {
    const disk = makeSimDisk();
    const { wal } = await open(disk, { segmentBytes: 1 << 20 });
    walEpoch(wal, "old");
    for (const seq of range(1, 5)) walAppend(wal, seq, payload(seq));
    await walSync(wal);
    const at = wal.offset;
    walEpoch(wal, "new", 2);
    await walSync(wal);
    for (const seq of range(3, 6)) walAppend(wal, seq, payload(seq));
    await walSync(wal);
    disk.file(path(1)).fill(0, at, at + 16);
    const epochs: string[] = [];
    const opened = await open(disk, { onEpoch: (epoch) => epochs.push(epoch) });
    expect(opened.seen).toEqual([...range(1, 5), ...range(3, 6)]);
    expect(epochs).toEqual(["old"]);
    expect(opened.epoch).toBeUndefined();
    expect(opened.damage).toHaveLength(1);
    // The next one is an epoch of its own.
    walEpoch(opened.wal, "newest");
    walAppend(opened.wal, 4, payload(4));
    await walClose(opened.wal);
    const again = await open(disk);
    expect(again.seen.at(-1)).toBe(4);
    expect(again).toMatchObject({ epoch: "newest", lastSeq: 4 });
  });

  test("what looks like a record inside a damaged one is not taken for one", async () => {
    const inner = makeSimDisk();
    const other = await open(inner);
    walAppend(other.wal, 7, payload(7));
    await walClose(other.wal);
    const disk = makeSimDisk();
    const { wal } = await open(disk, { segmentBytes: 1 << 20 });
    const trap = new Uint8Array(400);
    trap.set(inner.file(path(1)).subarray(32), 8);
    walAppend(wal, 1, trap);
    await walSync(wal);
    walAppend(wal, 2, payload(2));
    await walSync(wal);
    await walClose(wal);
    const content = disk.file(path(1));
    content[64] = (content[64] as number) ^ 1;
    const seen: number[] = [];
    const { damage } = await open(disk, { replay: (seq) => seen.push(seq) });
    expect(seen).toEqual([2]);
    expect(damage).toMatchObject([{ lost: [{ from: 1, to: 1 }] }]);
  });

  test("errors that say nothing of the medium end the start", async () => {
    const { disk } = await twoLanes(3);
    disk.failNext("open", "EMFILE");
    await expect(open(disk)).rejects.toMatchObject({ code: "EMFILE" });
  });
});
