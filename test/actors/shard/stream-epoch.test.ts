import { describe, expect, test } from "vitest";
import { formatEpoch, parseEpoch, resumeStream } from "../../../src/actors/shard/stream-epoch.ts";

const OLD = "2026-01-01T00:00:00.000000001Z";
const NEW = "2026-02-02T00:00:00Z";
const stream = (firstSequence: number, lastSequence: number, created = OLD) => ({
  name: "SAMPLES_0",
  created,
  firstSequence,
  lastSequence,
  maxBytes: Number.POSITIVE_INFINITY,
});
const epoch = (base: number, number = 1, created = OLD) => ({ created, base, number });

test("the epoch's text reads back, and another text is refused", () => {
  const e = epoch(12, 3);
  expect(parseEpoch(formatEpoch(e))).toEqual(e);
  expect(() => parseEpoch("2026-01-01T00:00:00Z")).toThrow(/in a way that this program does not read/);
});

describe("where to go on", () => {
  test.each([
    ["nothing read, nothing there", stream(0, 0), undefined, 0, { start: 1, epoch: epoch(0), missed: 0 }],
    ["nothing read, all there", stream(1, 9), undefined, 0, { start: 1, epoch: epoch(0), missed: 0 }],
    ["WAL lost, stream purged", stream(8, 9), undefined, 0, { start: 8, epoch: epoch(7), missed: 7 }],
    ["the same, more to come", stream(5, 9), epoch(0), 5, { start: 6, missed: 0 }],
    ["the same, all read", stream(9, 9), epoch(0), 9, { start: 10, missed: 0 }],
    ["the same, read and purged empty", stream(10, 9), epoch(0), 9, { start: 10, missed: 0 }],
    ["an epoch begun and nothing read in it", stream(5, 9), epoch(7, 2), 0, { start: 8, missed: 0 }],
    ["expired before it was read", stream(8, 9), epoch(0), 5, { start: 8, missed: 2 }],
    ["the server lost its tail", stream(1, 4), epoch(0), 6, { start: 5, epoch: epoch(4, 2), missed: 0 }],
    ["... twice at the same place", stream(1, 4), epoch(4, 2), 6, { start: 5, epoch: epoch(4, 3), missed: 0 }],
    ["made anew", stream(1, 3, NEW), epoch(0), 6, { start: 1, epoch: epoch(0, 2, NEW), missed: 0 }],
  ])("%s", (_, identity, read, last, expected) => {
    const resume = resumeStream(identity, read, last);
    expect(resume.startSequence).toBe(expected.start);
    expect(resume.newEpoch).toEqual("epoch" in expected ? expected.epoch : undefined);
    expect(resume.missed).toBe(expected.missed);
    const silent = resume.missed === 0 && (resume.newEpoch === undefined || read === undefined);
    expect(resume.warning === undefined).toBe(silent);
  });
});
