/**
 * Lives of a shard's files: frames of two lanes, commits, checkpoints, faults of the disk, power cuts at random moments.
 *
 * Fault model: that of sim-disk.ts (sectors of unsynced writes survive in any combination, names since the last sync of their
 * folder each may or may not be there), with ENOSPC and EIO at random operations. After each cut: every frame whose commit
 * had succeeded is there, once and unchanged, in an order in which it was applied; no more than what was appended is there;
 * nothing is called damaged.
 *
 * TOCSIN_SCHEDULES sets how many schedules run, TOCSIN_SEED the first seed; a failure names its seed.
 */
import { describe, expect, test } from "vitest";
import { DiskError } from "../../../src/lib/disk.ts";
import { walEpoch, walSkip, walSync } from "../../../src/storage/wal/wal.ts";
import { WalError } from "../../../src/storage/wal/wal-error.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../../lib/sim-disk.ts";
import { often } from "../../support/often.ts";
import { makeFaultyDisk } from "../faulty-disk.ts";
import { checkpoint, feed, openToy, seqsOf, type ToyShard } from "./toy-shard.ts";

const SCHEDULES = Number(process.env.TOCSIN_SCHEDULES ?? often(250, 500));
const FIRST = Number(process.env.TOCSIN_SEED ?? 1);
const LIVES = 4;
const BATCH = 50;

interface World {
  readonly random: () => number;
  /** Of all lives: order of appending that the next start must show a part of. */
  appended: number[];
  acknowledged: Set<number>;
  /** The lanes: what the newest one was given last, and what the backlog was. */
  newest: number;
  backlog: number;
}

function appendSome(world: World, shard: ToyShard): void {
  for (let k = Math.floor(world.random() * 5); k > 0; k--) {
    const back = world.random() < 0.4;
    if (!back && world.random() < 0.1) world.newest += 1 + Math.floor(world.random() * 20);
    const seq = back ? ++world.backlog : ++world.newest;
    if (shard.wal.state.applied.has(seq)) continue;
    if (world.random() < 0.02) {
      walSkip(shard.wal, seq, seq);
      continue;
    }
    feed(shard, seq, back ? "backlog" : "frame");
    world.appended.push(seq);
  }
}

async function live(disk: SimDisk, world: World): Promise<SimDisk> {
  const { random } = world;
  const faulty = makeFaultyDisk(disk);
  const shard = await openToy(faulty, 3000);
  const { recovered, state } = shard;
  const there = seqsOf(state);
  // A prefix of what was appended, in its order, with all that was acknowledged.
  expect(there).toEqual(world.appended.slice(0, there.length));
  const known = new Set(there);
  for (const seq of world.acknowledged)
    if (!known.has(seq)) throw new Error(`frame ${seq} was acknowledged and is gone`);
  expect({ damage: recovered.opened.damage, damaged: recovered.damaged, loss: recovered.decision.loss }).toEqual({
    ...{ damage: [], damaged: [], loss: "nothing" },
  });
  for (const seq of there) expect(recovered.opened.applied.has(seq)).toBe(true);
  world.appended = there;
  world.acknowledged = known;
  walEpoch(shard.wal, "stream");
  const pending: Promise<unknown>[] = [];
  const cutAfter = Math.floor(random() * 25);
  try {
    for (let step = 0; step < cutAfter; step++) {
      if (random() < 0.06) {
        faulty.failAt = faulty.operations + Math.floor(random() * 12);
        faulty.lasting = random() < 0.3;
        faulty.code = random() < 0.7 ? "ENOSPC" : "EIO";
      } else if (random() < 0.2) {
        faulty.failAt = Number.POSITIVE_INFINITY;
        faulty.lasting = false;
      }
      disk.partial = Math.floor(random() * 600);
      appendSome(world, shard);
      if (random() < 0.25) {
        const { released, durable } = checkpoint(shard);
        const upTo = world.appended.slice();
        const written = durable.then(() => note(world, upTo), expected);
        pending.push(written);
        // The power may go before the state is released, or after.
        if (random() < 0.15) break;
        await released;
        if (random() < 0.6) await written;
        else {
          // Frames go on while the rest of the snapshot is written; the next checkpoint waits.
          appendSome(world, shard);
          await walSync(shard.wal).then(undefined, expected);
          await written;
        }
      } else {
        const upTo = world.appended.slice();
        const done = walSync(shard.wal).then(() => note(world, upTo), expected);
        if (random() < 0.6) await done;
        else pending.push(done);
      }
    }
  } catch (error) {
    expected(error);
  }
  for (let turns = Math.floor(random() * 20); turns > 0; turns--) await Promise.resolve();
  const acknowledged = new Set(world.acknowledged);
  const after = disk.crash(random);
  // What comes to its end on the old disk after the cut does not count.
  await Promise.all(pending);
  world.acknowledged = acknowledged;
  return after;
}

function note(world: World, upTo: readonly number[]): void {
  for (const seq of upTo) world.acknowledged.add(seq);
}

function expected(error: unknown): void {
  if (!(error instanceof WalError || error instanceof DiskError)) throw error;
}

async function schedule(seed: number): Promise<void> {
  const world: World = {
    random: seededRandom(seed),
    ...{ appended: [], acknowledged: new Set(), newest: 100, backlog: 0 },
  };
  let disk = makeSimDisk();
  for (let i = 0; i < LIVES; i++) disk = await live(disk, world);
  const last = await openToy(disk);
  const there = seqsOf(last.state);
  expect(there).toEqual(world.appended.slice(0, there.length));
  for (const seq of world.acknowledged) expect(there.includes(seq), `frame ${seq}`).toBe(true);
}

describe(`power cuts under log and snapshots, ${SCHEDULES} schedules from seed ${FIRST}`, () => {
  const batches = Array.from({ length: Math.ceil(SCHEDULES / BATCH) }, (_, i) => FIRST + i * BATCH);
  test.each(batches)(
    `seeds from %i on`,
    async (first) => {
      for (let seed = first; seed < Math.min(first + BATCH, FIRST + SCHEDULES); seed++) {
        try {
          await schedule(seed);
        } catch (error) {
          throw new Error(`TOCSIN_SEED=${seed} TOCSIN_SCHEDULES=1 shows it: ${String(error)}`, { cause: error });
        }
      }
    },
    120_000,
  );
});
