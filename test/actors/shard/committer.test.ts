import { expect, test } from "vitest";
import { makeCommitter } from "../../../src/actors/shard/committer.ts";

/** A sync whose end the test decides. */
function controlled(maxUnsynced = 100, spacingMs = 0) {
  const syncs: { resolve: () => void; reject: (e: Error) => void }[] = [];
  const durable: number[] = [];
  const failures: unknown[] = [];
  let position = 10;
  const committer = makeCommitter({
    sync: () => new Promise((resolve, reject) => syncs.push({ resolve, reject })),
    position: () => position,
    maxUnsynced,
    spacingMs,
    onDurable: (s: number) => durable.push(s),
    onFailure: (e) => failures.push(e),
  });
  const append = (sequence: number, bytes: number) => {
    position = sequence;
    committer.advance(bytes);
  };
  return { syncs, durable, failures, committer, append };
}

test("records appended during a sync share the next one, and count only after it", async () => {
  const { syncs, durable, committer, append } = controlled();
  append(11, 10);
  append(12, 10);
  append(13, 10);
  expect(syncs).toHaveLength(1);
  syncs[0]!.resolve();
  await committer.room();
  await new Promise(setImmediate);
  // The first sync began when only 11 was there.
  expect(durable).toEqual([11]);
  expect(syncs).toHaveLength(2);
  const settled = committer.settled();
  syncs[1]!.resolve();
  await settled;
  expect(durable).toEqual([11, 13]);
});

test("room waits while too much is ahead of the disk", async () => {
  const { syncs, committer, append } = controlled(20);
  append(11, 15);
  await committer.room();
  append(12, 15);
  let there = false;
  const room = committer.room().then(() => {
    there = true;
  });
  await new Promise(setImmediate);
  expect(there).toBe(false);
  syncs[0]!.resolve();
  await new Promise(setImmediate);
  syncs[1]!.resolve();
  await room;
  expect(there).toBe(true);
});

test("after a failed sync nothing becomes durable any more", async () => {
  const { syncs, durable, failures, committer, append } = controlled();
  append(11, 1);
  append(12, 1);
  syncs[0]!.reject(new Error("EIO"));
  await expect(committer.settled()).rejects.toThrow("EIO");
  append(13, 1);
  await expect(committer.room()).rejects.toThrow("EIO");
  await expect(committer.settled()).rejects.toThrow("EIO");
  expect(syncs).toHaveLength(1);
  expect(durable).toEqual([]);
  expect(failures).toEqual([new Error("EIO")]);
});

test("a new committer is settled", async () => {
  const { committer, durable } = controlled();
  await committer.settled();
  expect(durable).toEqual([]);
});

test("syncs are spaced out, but not for one who waits", async () => {
  const { syncs, durable, committer, append } = controlled(20, 3_600_000);
  append(11, 1);
  syncs[0]!.resolve();
  await new Promise(setImmediate);
  append(12, 1);
  append(13, 1);
  await new Promise(setImmediate);
  expect([syncs.length, durable]).toEqual([1, [11]]);
  const settled = committer.settled();
  await new Promise(setImmediate);
  expect(syncs).toHaveLength(2);
  syncs[1]!.resolve();
  await settled;
  expect(durable).toEqual([11, 13]);
  append(14, 15);
  append(15, 15);
  const room = committer.room();
  await new Promise(setImmediate);
  expect(syncs).toHaveLength(3);
  // Not in this sync, but waited for as well.
  append(16, 1);
  syncs[2]!.resolve();
  await new Promise(setImmediate);
  expect(syncs).toHaveLength(4);
  syncs[3]!.resolve();
  await room;
  expect(durable).toEqual([11, 13, 15, 16]);
});
