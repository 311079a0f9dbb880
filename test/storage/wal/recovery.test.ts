import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeU32 } from "../../../src/lib/bytes.ts";
import { crc32c } from "../../../src/lib/crc32c.ts";
import { addRecord, makeBatch, sealBatch } from "../../../src/storage/wal/batch.ts";
import {
  DELETE,
  EPOCH,
  encodeSegmentHeader,
  FRAME,
  SEGMENT_HEADER,
  STATE,
  segmentName,
} from "../../../src/storage/wal/format.ts";
import { encodeLogState } from "../../../src/storage/wal/log-state.ts";
import { openWal } from "../../../src/storage/wal/open.ts";
import { makeSequenceSet } from "../../../src/storage/wal/sequence-set.ts";
import { type Behind, type Ending, type Verdict, verdict } from "../../../src/storage/wal/verdict.ts";
import { type Wal, walAppend, walClose, walEpoch, walSync } from "../../../src/storage/wal/wal.ts";
import { WalError } from "../../../src/storage/wal/wal-error.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../../lib/sim-disk.ts";
import { withBadSectors } from "../bad-sectors.ts";

const DIR = "/shard/wal";

/**
 * The whole table: what recovery does for each kind of ending, in the last segment by what is behind the damage, and in an
 * earlier segment (there it is the same whatever is behind).
 */
const table: Record<Ending, { last: Record<Behind, Verdict>; earlier: Verdict }> = {
  end: { last: { nothing: "done", sameCommit: "done", laterCommit: "done" }, earlier: "done" },
  partialRecord: {
    last: { nothing: "truncate", sameCommit: "truncate", laterCommit: "salvage" },
    earlier: "salvage",
  },
  zeros: { last: { nothing: "truncate", sameCommit: "truncate", laterCommit: "salvage" }, earlier: "salvage" },
  badRecord: { last: { nothing: "truncate", sameCommit: "truncate", laterCommit: "salvage" }, earlier: "salvage" },
  unreadable: { last: { nothing: "salvage", sameCommit: "salvage", laterCommit: "salvage" }, earlier: "salvage" },
  partialHeader: { last: { nothing: "remake", sameCommit: "salvage", laterCommit: "salvage" }, earlier: "salvage" },
  damagedHeader: { last: { nothing: "remake", sameCommit: "salvage", laterCommit: "salvage" }, earlier: "salvage" },
  otherNumber: { last: { nothing: "salvage", sameCommit: "salvage", laterCommit: "salvage" }, earlier: "salvage" },
  otherVersion: { last: { nothing: "refuse", sameCommit: "refuse", laterCommit: "refuse" }, earlier: "refuse" },
};
const endings = Object.keys(table) as Ending[];
const behinds: Behind[] = ["nothing", "sameCommit", "laterCommit"];

function record(seq: number, commitStart: number): Uint8Array {
  const batch = makeBatch();
  addRecord(batch, FRAME, 1, seq, new Uint8Array(24).fill(seq));
  return sealBatch(batch, commitStart).slice();
}

/** What a segment starts with: the first one with the epoch, a later one with what was in the log before. */
function opening(number: number, before: readonly number[]): Uint8Array {
  const batch = makeBatch();
  const applied = makeSequenceSet();
  for (const seq of before) applied.add(seq);
  if (number === 1) addRecord(batch, EPOCH, 1, 0, new TextEncoder().encode("stream"));
  else addRecord(batch, STATE, 1, 0, encodeLogState({ epoch: "stream", ordinal: 1, base: 0, applied }));
  return sealBatch(batch, SEGMENT_HEADER).slice();
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** A segment that ends as asked, or undefined where bytes cannot do both (zeros to the end have nothing behind them). */
function segment(number: number, ending: Ending, behind: Behind): Uint8Array | undefined {
  const header = encodeSegmentHeader(number);
  const start = opening(number, number === 1 ? [] : [11]);
  const good = record(number * 10 + 1, SEGMENT_HEADER + start.length);
  const damageAt = SEGMENT_HEADER + start.length + good.length;
  const rest = (offset: number): Uint8Array =>
    behind === "nothing" ? new Uint8Array() : record(number * 10 + 2, behind === "sameCommit" ? offset : offset + 8);
  switch (ending) {
    case "end":
      return behind === "nothing" ? concat(header, start, good) : undefined;
    case "zeros":
      return behind === "nothing" ? concat(header, start, good, new Uint8Array(77)) : undefined;
    case "partialHeader":
      return behind === "nothing" ? header.slice(0, 20) : undefined;
    case "partialRecord": {
      const cut = record(number * 10 + 2, damageAt).slice(0, 32);
      writeU32(cut, 4, 1000);
      return concat(header, start, good, cut, rest(damageAt));
    }
    case "badRecord":
      return concat(header, start, good, new Uint8Array(40).fill(0xab), rest(damageAt));
    case "unreadable":
      // Whole blocks of the disk are concerned: the part before is padded by a skip of nothing to the end of its block.
      return concat(header, start, good, padding(damageAt), new Uint8Array(4096), rest(4096));
    case "damagedHeader": {
      header[9] = 0xff;
      return concat(header, rest(0));
    }
    case "otherNumber":
      return concat(encodeSegmentHeader(7), rest(0));
    case "otherVersion": {
      writeU32(header, 4, 3);
      writeU32(header, 28, crc32c(header, 0, 28));
      return concat(header, rest(0));
    }
  }
}

/** A record that reaches from `at` to the end of the disk's first block. */
function padding(at: number): Uint8Array {
  const batch = makeBatch();
  addRecord(batch, DELETE, 1, 0, new Uint8Array(4096 - at - 32));
  return sealBatch(batch, at).slice();
}

const inHeader = (ending: Ending): boolean => /Header|other/.test(ending);

function damageOffset(number: number, ending: Ending): number {
  if (inHeader(ending)) return 0;
  return ending === "unreadable" ? 4096 : SEGMENT_HEADER + opening(number, number === 1 ? [] : [11]).length + 56;
}

describe("recovery", () => {
  const cases = endings.flatMap((ending) =>
    behinds.flatMap((behind) => [true, false].map((last) => ({ ending, behind, last }))),
  );

  test.each(cases)("$ending, behind it $behind, last segment $last", async ({ ending, behind, last }) => {
    const expected = last ? table[ending].last[behind] : table[ending].earlier;
    expect(verdict(last, ending, behind)).toBe(expected);
    const number = last ? 2 : 1;
    const bytes = segment(number, ending, behind);
    if (bytes === undefined) return;
    // The same from the bytes on: recovery finds out what it is looking at and does what the table says.
    const other = 3 - number;
    const files = new Map([
      [join(DIR, segmentName(number)), bytes],
      [join(DIR, segmentName(other)), segment(other, "end", "nothing") as Uint8Array],
    ]);
    const disk = makeSimDisk(files);
    const path = join(DIR, segmentName(number));
    const seen: number[] = [];
    const replay = (seq: number): void => void (seq > 0 && seen.push(seq));
    const bad = { path, from: 4096, to: ending === "unreadable" ? 8192 : 4096 };
    const begun = openWal(DIR, withBadSectors(disk, bad), { replay, quarantine: "/shard/quarantine" });
    if (expected === "refuse") {
      await expect(begun).rejects.toBeInstanceOf(WalError);
      await expect(begun).rejects.toMatchObject({ kind: "version", segment: path, offset: 0 });
      for (const [name, content] of files) expect([...disk.file(name)]).toEqual([...content]);
      return;
    }
    const { wal, truncated, damage } = await begun;
    const own = inHeader(ending) ? [] : [number * 10 + 1];
    if (behind !== "nothing" && expected === "salvage") own.push(number * 10 + 2);
    expect(seen).toEqual(last ? [11, ...own] : [...own, 21]);
    const offset = damageOffset(number, ending);
    if (expected === "done") {
      expect({ truncated, damage }).toEqual({ truncated: undefined, damage: [] });
      expect([...disk.file(path)]).toEqual([...bytes]);
    } else if (expected === "salvage") {
      const region = behind === "nothing" ? bytes.length - offset : bytes.length - 56 - offset;
      expect(damage).toMatchObject([{ segment: path, offset, bytes: region, quarantined: expect.any(String) }]);
      // Nothing is changed, and there is a copy.
      for (const name of [path, damage[0]?.quarantined as string]) expect([...disk.file(name)]).toEqual([...bytes]);
      // The segment behind knows that 11 was there.
      if (!last) expect(damage[0]).toMatchObject({ exact: true, lost: own.includes(11) ? [] : [{ from: 11, to: 11 }] });
    } else {
      expect(truncated).toMatchObject({ segment: path, offset, bytes: bytes.length - offset });
      const kept = expected === "remake" ? concat(encodeSegmentHeader(2), opening(2, [11])) : bytes.slice(0, offset);
      expect([...disk.file(path)]).toEqual([...kept]);
    }
    walAppend(wal, 99, new Uint8Array(3));
    await walClose(wal);
    const again: number[] = [];
    const reopened = await openWal(DIR, withBadSectors(disk.snapshot(), bad), {
      replay: (seq) => void (seq > 0 && again.push(seq)),
    });
    expect(reopened.truncated).toBeUndefined();
    expect(again).toEqual([...seen, 99]);
    expect(reopened.damage.length).toBe(expected === "salvage" ? 1 : 0);
  });

  test("other files in the folder are left alone", async () => {
    const disk = makeSimDisk(new Map([[join(DIR, "notes.txt"), new Uint8Array(3)]]));
    await walClose((await openWal(DIR, disk, { replay: () => undefined })).wal);
    expect(await disk.list(DIR)).toEqual(["00000001.wal", "notes.txt"]);
  });

  test("a record that is there twice is replayed once", async () => {
    const path = join(DIR, segmentName(1));
    const bytes = concat(encodeSegmentHeader(1), opening(1, []), ...[1, 2, 2, 1, 3].map((seq) => record(seq, 32)));
    const seen: number[] = [];
    const opened = await openWal(DIR, makeSimDisk(new Map([[path, bytes]])), { replay: (seq) => seen.push(seq) });
    expect(seen).toEqual([1, 2, 3]);
    expect(opened.skipped).toBe(2);
  });
});

/**
 * Lives of a WAL: appends and syncs of random sizes, faults of the disk, power cuts at random moments (the fault model is in
 * sim-disk.ts). After each cut: everything whose sync had resolved is there, what is there is a gapless prefix of what was
 * appended, nothing is there twice or changed.
 */
describe("power cuts", () => {
  const payload = (seq: number, life: number): Uint8Array =>
    new Uint8Array(((seq * 7919 + life) % 1400) + 4).fill((seq * 13 + life) & 255);

  async function live(disk: SimDisk, random: () => number, life: number, known: number[]): Promise<number[]> {
    const seen: number[] = [];
    const epochs: string[] = [];
    const { wal, lastSeq } = await openWal(DIR, disk, {
      segmentBytes: 6000,
      replay: (seq, bytes) => {
        seen.push(seq);
        const written = known[seq] as number;
        if (Buffer.compare(bytes, payload(seq, written)) !== 0)
          throw new Error(`record ${seq} is not what was written`);
      },
      onEpoch: (epoch) => epochs.push(epoch),
    });
    seen.forEach((seq, i) => {
      expect(seq).toBe(i + 1);
    });
    expect(lastSeq).toBe(seen.length);
    walEpoch(wal, "stream");
    const acknowledged = { seq: lastSeq };
    const syncs: Promise<void>[] = [];
    const steps = Math.floor(random() * 30);
    for (let i = 0; i < steps; i++) {
      const fault = random();
      if (fault < 0.03) disk.failNext("write", "ENOSPC");
      else if (fault < 0.04) disk.failNext("sync", "EIO");
      else if (fault < 0.06) disk.failNext("open", "ENOSPC");
      disk.partial = Math.floor(random() * 2000);
      try {
        for (let k = Math.floor(random() * 6); k > 0; k--) appendNext(wal, life, known);
      } catch (error) {
        expect(error).toMatchObject({ kind: "failed" });
      }
      const upTo = wal.state.applied.last();
      const done = walSync(wal).then(
        () => {
          acknowledged.seq = Math.max(acknowledged.seq, upTo);
        },
        (error: unknown) => expect(error).toBeInstanceOf(WalError),
      );
      syncs.push(done);
      if (random() < 0.5) await done;
    }
    // The power goes while commits may be under way; those must not come to an end after it.
    for (let turns = Math.floor(random() * 8); turns > 0; turns--) await Promise.resolve();
    const acked = acknowledged.seq;
    const after = disk.crash(random);
    const survived: number[] = [];
    await openWal(DIR, after.snapshot(), { segmentBytes: 6000, replay: (seq) => survived.push(seq) });
    expect(survived.length).toBeGreaterThanOrEqual(acked);
    await Promise.all(syncs);
    return await (life < 6 ? live(after, random, life + 1, known) : Promise.resolve(survived));
  }

  function appendNext(wal: Wal, life: number, known: number[]): void {
    const seq = wal.state.applied.last() + 1;
    walAppend(wal, seq, payload(seq, life));
    known[seq] = life;
  }

  test.each(Array.from({ length: 60 }, (_, i) => i + 1))("seed %i", async (seed) => {
    await live(makeSimDisk(), seededRandom(seed), 0, []);
  });
});
