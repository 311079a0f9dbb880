/**
 * Bits that flip and files that vanish while a shard is down. Whatever it is: the start succeeds, no wrong sample is served, what is
 * missing is named in the warnings of every answer about its time, and the rest is served; also after the upkeep has worked with
 * what is left, and after one more start.
 *
 * TOCSIN_FLIPS sets how many bits of each kind of file are tried, TOCSIN_SEED the seed.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { labelsKey } from "../../src/model/labels.ts";
import { DEFAULT_TENANT } from "../../src/model/sample.ts";
import { walEpoch } from "../../src/storage/wal/wal.ts";
import { frameOf, type Row, testSeries } from "../actors/shard/frames.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../lib/sim-disk.ts";
import { type Contents, DIR, HOUR, type Lab, MINUTE, openLab, T0 } from "./lab.ts";

const FLIPS = Number(process.env.TOCSIN_FLIPS ?? 12);
const SEED = Number(process.env.TOCSIN_SEED ?? 1);
const SERIES = 5;
const HOURS = 15;
const series = Array.from({ length: SERIES }, (_, s) => testSeries(["__name__", "m", "s", String(s)]));
const now = () => T0 + (HOURS + 1) * HOUR;

let healthy: SimDisk;
let expected: Contents;
let files: string[];

/** Blocks of several sizes with their rollups, one of them with tombstones, two snapshots, log behind both. */
beforeAll(async () => {
  healthy = makeSimDisk();
  const lab = await openLab({ disk: healthy, now });
  walEpoch(lab.keeper.wal, "stream");
  let seq = 0;
  const take = (from: number, to: number): void => {
    for (let t = from; t < to; t += 5 * MINUTE) {
      const rows = series.map((s, i): Row => [s, t, t / MINUTE + i]);
      lab.take(++seq, frameOf(series, rows));
    }
  };
  for (let h = 0; h < HOURS; h += 3) {
    take(T0 + h * HOUR, T0 + (h + 3) * HOUR);
    await lab.sync();
    await lab.keeper.maintenance.cut(Math.floor((T0 + (h + 1) * HOUR) / (2 * HOUR)) * 2 * HOUR);
    await lab.jobs();
  }
  await lab.keeper.delete({
    tenant: DEFAULT_TENANT,
    sets: [[{ name: "s", op: "=", value: "1" }]],
    minT: T0 + 2 * HOUR + 1,
    maxT: T0 + 4 * HOUR,
  });
  await lab.jobs();
  take(T0 + HOURS * HOUR, T0 + (HOURS + 1) * HOUR);
  await lab.sync();
  expected = lab.contents();
  expect(lab.warnings()).toEqual([]);
  await lab.close();
  files = await everyFile(healthy, DIR);
});

async function everyFile(disk: SimDisk, dir: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await disk.list(dir)) {
    const path = `${dir}/${name}`;
    const inside = await disk.list(path).catch(() => undefined);
    if (inside === undefined) found.push(path);
    else found.push(...(await everyFile(disk, path)));
  }
  return found;
}

/** What is served is right, what is not is named; in raw samples and in answers from rollups. */
async function check(lab: Lab): Promise<void> {
  // Where a deletion is lost, what it deleted is there again, and the answer says so.
  const undone = lab.warnings().some((w) => w.includes("deletions of series may have been there"));
  const contents = lab.contents();
  for (const [key, samples] of contents) {
    for (const [t, v] of samples) {
      const want = expected.get(key)?.get(t);
      if (want === v || (want === undefined && undone)) continue;
      throw new Error(`${key} at ${t}: ${v} instead of ${want}`);
    }
  }
  const told = new Map<number, boolean>();
  for (const [key, samples] of expected) {
    for (const t of samples.keys()) {
      if (contents.get(key)?.has(t)) continue;
      if (!told.has(t)) told.set(t, lab.warnings(t, t).length > 0);
      if (told.get(t) !== true) throw new Error(`${key} at ${t} is missing, and nobody says so`);
    }
  }
  for (let end = T0 + HOUR; end <= T0 + HOURS * HOUR; end += HOUR) {
    const { matrix, warnings } = await lab.ask("sum_over_time(m[1h])", end, end, HOUR);
    if (warnings.length > 0) continue;
    for (const [i, s] of series.entries()) {
      const inside = [...(expected.get(labelsKey(s.labels)) ?? [])].filter(([t]) => t > end - HOUR && t <= end);
      const want = inside.length === 0 ? undefined : inside.reduce((sum, [, v]) => sum + v, 0);
      const row = matrix.labels.findIndex((l) => labelsKey(l).includes(`s ${i}`) || l.at(-1) === String(i));
      const got = row >= 0 && matrix.present[row] === 1 ? matrix.values[row] : undefined;
      if (got !== want)
        throw new Error(`the sum of series ${i} up to ${end} is ${got} instead of ${want}, without a warning`);
    }
  }
}

async function startAndCheck(disk: SimDisk): Promise<string[]> {
  const first = await openLab({ disk, now });
  await check(first);
  await first.jobs();
  await check(first);
  await first.close();
  const second = await openLab({ disk, now });
  await check(second);
  return first.lines;
}

const KINDS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["the log", /\/wal\/.*\.wal$/],
  ["snapshots of the head", /\/head\/.*\.head$/],
  ["pages and indexes of raw blocks", /\/raw\/.*\/data$/],
  ["pages and indexes of rollups", /\/1[mh]\/.*\/data$/],
  ["descriptions of blocks", /meta\.json$/],
  ["tombstones", /tombstones$/],
  ["the state file", /state\.json$/],
];

describe(`bits that flip, seed ${SEED}`, () => {
  test.each(KINDS)("%s", { timeout: 60_000 + FLIPS * 2_000 }, async (_, pattern) => {
    const random = seededRandom(SEED);
    const candidates = files.filter((f) => pattern.test(f));
    expect(candidates.length).toBeGreaterThan(0);
    for (let n = 0; n < FLIPS; n++) {
      const disk = healthy.snapshot();
      const path = candidates[Math.floor(random() * candidates.length)] as string;
      const bytes = disk.file(path);
      const bit = Math.floor(random() * bytes.length * 8);
      (bytes[bit >> 3] as number) ^= 1 << (bit & 7);
      try {
        await startAndCheck(disk);
      } catch (error) {
        throw new Error(`bit ${bit & 7} of byte ${bit >> 3} of ${path}: ${String(error)}`, { cause: error });
      }
    }
  });
});

describe("files that are gone", () => {
  test("a raw block: named, also after one more start", async () => {
    const disk = healthy.snapshot();
    const [id] = (await disk.list(`${DIR}/blocks/raw`)) as [string];
    await disk.removeDir(`${DIR}/blocks/raw/${id}`);
    const lines = await startAndCheck(disk);
    expect(lines.join("\n")).toContain(`block raw/${id} is missing`);
    const again = await openLab({ disk, now });
    const times = String.raw`\(shard shard, 20\S+Z to 20\S+Z\)`;
    expect(again.warnings().join("\n")).toMatch(new RegExp(`block raw/${id} is missing ${times}`));
    expect(again.contents().size).toBe(SERIES);
  });

  test.each([["1m"], ["1h"]])("a block of tier %s: made anew of what it was made of", async (tier) => {
    const disk = healthy.snapshot();
    const [id] = (await disk.list(`${DIR}/blocks/${tier}`)) as [string];
    await disk.removeDir(`${DIR}/blocks/${tier}/${id}`);
    const lab = await openLab({ disk, now });
    expect(lab.lines.join("\n")).toContain(`block ${tier}/${id} is missing; it is made anew`);
    expect(lab.warnings()).toEqual([]);
    await check(lab);
    expect(await lab.jobs()).toBeGreaterThan(0);
    await check(lab);
  });

  test("the state file: everything is served, the rollups are made anew", async () => {
    const disk = healthy.snapshot();
    await disk.remove(`${DIR}/blocks/state.json`);
    await startAndCheck(disk);
    const lab = await openLab({ disk, now });
    expect(lab.warnings()).toEqual([]);
    expect(lab.contents()).toEqual(expected);
  });

  test("a damaged state file is said, and everything is served", async () => {
    const disk = healthy.snapshot();
    disk.replace(`${DIR}/blocks/state.json`, new TextEncoder().encode("{}\nffffffff\n"));
    const lines = await startAndCheck(disk);
    expect(lines.join("\n")).toMatch(/error .*state\.json: the checksum does not match/);
    const lab = await openLab({ disk, now });
    expect(lab.contents()).toEqual(expected);
  });

  test("the newest snapshot of the head: the older one and the log have everything", async () => {
    const disk = healthy.snapshot();
    const snapshots = await disk.list(`${DIR}/head`);
    expect(snapshots).toHaveLength(2);
    await disk.remove(`${DIR}/head/${snapshots.at(-1)}`);
    await startAndCheck(disk);
    expect((await openLab({ disk, now })).contents()).toEqual(expected);
  });

  test("all snapshots and all of the log: what the blocks have is served, the loss is named", async () => {
    const disk = healthy.snapshot();
    for (const folder of ["head", "wal"]) {
      for (const name of await disk.list(`${DIR}/${folder}`)) await disk.remove(`${DIR}/${folder}/${name}`);
    }
    const lab = await openLab({ disk, now });
    expect(lab.contents().size).toBe(SERIES);
  });
});
