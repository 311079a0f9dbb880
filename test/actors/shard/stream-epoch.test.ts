import { describe, expect, test } from "vitest";
import { formatEpoch, parseEpoch, resumeStream, timesOf } from "../../../src/actors/shard/stream-epoch.ts";
import { makeSequenceSet } from "../../../src/storage/wal/sequence-set.ts";

const OLD = "2026-01-01T00:00:00.000000001Z";
const NEW = "2026-02-02T00:00:00Z";
const stream = (firstSequence: number, lastSequence: number, created = OLD) => ({
  name: "SAMPLES_0",
  created,
  firstSequence,
  lastSequence,
  messages: Math.max(lastSequence - firstSequence + 1, 0),
  bytes: 0,
  maxBytes: Number.POSITIVE_INFINITY,
});
const epoch = (base: number, number = 1, created = OLD) => ({ created, base, number });

test("the epoch's text reads back, and another text is refused", () => {
  const e = epoch(12, 3);
  expect(parseEpoch(formatEpoch(e))).toEqual(e);
  expect(() => parseEpoch("2026-01-01T00:00:00Z")).toThrow(/in a way that this program does not read/);
});

/** Everything up to `to`, and then the islands. */
const taken = (to: number, ...islands: readonly (readonly [from: number, to: number])[]) => {
  const set = makeSequenceSet(to);
  for (const [from, end] of islands) set.addRange(from, end);
  return set;
};

describe("whose the sequences are that were taken", () => {
  test.each([
    ["nothing read, nothing there", stream(0, 0), undefined, taken(0), { epoch: epoch(0), missed: 0 }],
    ["nothing read, all there", stream(1, 9), undefined, taken(0), { epoch: epoch(0), missed: 0 }],
    ["WAL lost, stream purged", stream(8, 9), undefined, taken(0), { epoch: epoch(7), missed: 7 }],
    ["the same, more to come", stream(5, 9), epoch(0), taken(5), { missed: 0 }],
    ["the same, all read", stream(9, 9), epoch(0), taken(9), { missed: 0 }],
    ["the same, read and purged empty", stream(10, 9), epoch(0), taken(9), { missed: 0 }],
    ["the same, a backlog before what was read", stream(3, 9), epoch(0), taken(2, [7, 9]), { missed: 0 }],
    ["an epoch begun and nothing read in it", stream(5, 9), epoch(7, 2), taken(0), { missed: 0 }],
    ["expired before it was read", stream(8, 9), epoch(0), taken(5), { missed: 0 }],
    ["the server lost its tail", stream(1, 4), epoch(0), taken(6), { epoch: epoch(4, 2), missed: 0 }],
    ["... twice at the same place", stream(1, 4), epoch(4, 2), taken(6), { epoch: epoch(4, 3), missed: 0 }],
    ["... and a backlog was there", stream(1, 8), epoch(0), taken(3, [6, 9]), { epoch: epoch(3, 2), missed: 0 }],
    ["... within the backlog", stream(1, 4), epoch(0), taken(5, [8, 9]), { epoch: epoch(4, 2), missed: 2 }],
    ["made anew", stream(1, 3, NEW), epoch(0), taken(6), { epoch: epoch(0, 2, NEW), missed: 0 }],
    ["made anew and purged", stream(3, 3, NEW), epoch(0), taken(6), { epoch: epoch(2, 2, NEW), missed: 2 }],
    [
      "made anew, a backlog unread",
      stream(1, 3, NEW),
      epoch(2),
      taken(4, [8, 9]),
      { epoch: epoch(0, 2, NEW), missed: 3 },
    ],
    [
      "made anew, nothing read of the old",
      stream(0, 0, NEW),
      epoch(7),
      taken(0),
      { epoch: epoch(0, 2, NEW), missed: 0 },
    ],
  ])("%s", (_, identity, read, set, expected) => {
    const resume = resumeStream(identity, read, set);
    expect(resume.newEpoch).toEqual("epoch" in expected ? expected.epoch : undefined);
    expect(resume.missed).toBe(expected.missed);
    const silent = resume.missed === 0 && (resume.newEpoch === undefined || read === undefined);
    expect(resume.warning === undefined).toBe(silent);
  });
});

describe("what the bus has lost", () => {
  const made = Date.parse(NEW);
  const lost = (...args: Parameters<typeof resumeStream>) => {
    const resume = resumeStream(...args);
    return [resume.missed, resume.warning?.replace(/.*(?:: |; )/, ""), resume.lost];
  };
  test.each([
    [
      "made anew: nobody can say how many",
      lost(stream(1, 3, NEW), epoch(0), taken(6)),
      [0, "an unknown number of messages after message 6 are lost", { isNew: true, before: made }],
    ],
    [
      "... what was known to be there is counted",
      lost(stream(1, 3, NEW), epoch(0), taken(6), 10),
      [4, "4 messages that were not read yet and an unknown number of messages after message 10 are lost"],
    ],
    [
      "... a backlog may be of any time before",
      lost(stream(1, 3, NEW), epoch(0), taken(3, [6, 9])),
      [2, "2 messages that were not read yet and an unknown number of messages after message 9 are lost"],
    ],
    [
      "a tail",
      lost(stream(1, 4), epoch(0), taken(6)),
      [0, "an unknown number of messages after message 6 are lost", { isNew: true, before: undefined }],
    ],
    [
      "a tail with what was not read of it",
      lost(stream(1, 4), epoch(0), taken(3, [6, 9])),
      [1, "1 messages that were not read yet and an unknown number of messages after message 9 are lost"],
    ],
  ])("%s", (_, found, expected) => {
    expect(found.slice(0, expected.length)).toEqual(expected);
  });

  test("its times are around the newest sample and up to when it was noticed", () => {
    const two = 2 * 3_600_000;
    expect(timesOf({ isNew: true, before: made }, made - 5_000, made + 9)).toEqual({
      minT: made - 5_000 - two,
      maxT: made,
    });
    expect(timesOf({ isNew: true, before: undefined }, 7, 9)).toEqual({ minT: 7 - two, maxT: 9 });
    expect(timesOf({ isNew: false, before: 8 }, 7, 9)).toEqual({ minT: Number.NEGATIVE_INFINITY, maxT: 8 });
    expect(timesOf({ isNew: true, before: 8 }, Number.NEGATIVE_INFINITY, 9)).toEqual({
      minT: Number.NEGATIVE_INFINITY,
      maxT: 8,
    });
  });
});
