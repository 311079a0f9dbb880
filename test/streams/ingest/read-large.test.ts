import fc from "fast-check";
import { compress } from "snappyjs";
import { describe, expect, test } from "vitest";
import { makeWriteReader } from "../../../src/streams/codec/kernel/write-reader.ts";
import type { SampleBatch } from "../../../src/streams/codec/sample-batch.ts";
import { claimedSize, readLargeWrite } from "../../../src/streams/ingest/read-large.ts";
import { concat, varint, writeRequestBytes } from "../support/write-request-bytes.ts";
import { NOW, turn } from "./gateway-setup.ts";

const SEEDS = { a: 1, b: 2, c: 3 };
const LIMIT = 1 << 26;

/** What a batch says, or the error that came instead. */
function said(batch: SampleBatch) {
  const { series: n, samples, labelStart, labelEnd, arena, hashes, sampleEnd, ts, words, seen } = batch;
  const labels = Array.from({ length: n }, (_, s) =>
    Buffer.from(arena.bytes.subarray(labelStart[s], labelEnd[s])).toString("latin1"),
  );
  return {
    labels,
    hashes: hashes.slice(0, 3 * n),
    sampleEnd: sampleEnd.slice(0, n),
    seen: seen.slice(0, n),
    ts: ts.slice(0, samples),
    words: words.slice(0, 2 * samples),
  };
}
async function outcome(read: () => SampleBatch | Promise<SampleBatch>) {
  try {
    return said(await read());
  } catch (error) {
    return String(error);
  }
}
const atOnce = (body: Uint8Array, limit = LIMIT) => outcome(() => makeWriteReader(undefined, limit).read(body, SEEDS));
async function inPieces(body: Uint8Array, limit = LIMIT) {
  let turns = 0;
  const giveWay = () => {
    turns++;
    return turn();
  };
  return { result: await outcome(() => readLargeWrite(body, limit, SEEDS, giveWay)), turns };
}

const message = (series: number) =>
  writeRequestBytes(
    Array.from({ length: series }, (_, i) => ({
      labels: [
        ["__name__", "large"],
        ["i", `${i} ${(i * 7919) % 104_729}`],
      ],
      samples: Array.from({ length: i % 5 }, (_, k) => ({ ts: NOW + k, value: i / 3 })),
    })),
  );
const large = message(60_000);
const body = new Uint8Array(compress(large));

describe("a large remote-write body that is read in pieces", () => {
  test("gives what it gives when read at once, and gives way in between", async () => {
    expect(large.length).toBeGreaterThan(4 << 20);
    const { result, turns } = await inPieces(body);
    expect(result).toEqual(await atOnce(body));
    // Each piece decoded, and each scanned.
    expect(turns).toBeGreaterThanOrEqual(2 * Math.floor(large.length / (2 << 20)));
  });

  test("of elements that leave no place to cut is decoded at once", async () => {
    // One literal, and a copy that reaches over a megabyte.
    const literal = (bytes: Uint8Array) => {
      const length = bytes.length - 1;
      return concat([Uint8Array.of(62 << 2, length & 255, (length >> 8) & 255, length >> 16), bytes]);
    };
    const whole = concat([varint(large.length), literal(large)]);
    expect((await inPieces(whole)).result).toEqual(await atOnce(body));
    const half = large.subarray(0, 70_000);
    const offset = half.length;
    const far = Uint8Array.of((63 << 2) | 3, offset & 255, (offset >> 8) & 255, offset >> 16, 0);
    const copied = concat([varint(half.length + 64), literal(half), far]);
    expect((await inPieces(copied)).result).toEqual(await atOnce(copied));
  });

  test("that is broken somewhere has the outcome it has at once", async () => {
    const small = new Uint8Array(compress(message(2_500)));
    await fc.assert(
      fc.asyncProperty(fc.nat(small.length - 1), fc.nat(255), fc.nat(small.length), async (at, byte, length) => {
        const damaged = small.slice(0, length < small.length / 2 ? small.length : length);
        damaged[at] = byte;
        expect((await inPieces(damaged)).result).toEqual(await atOnce(damaged));
      }),
      { numRuns: 60, seed: 7 },
    );
    expect((await inPieces(body, 1 << 20)).result).toEqual(await atOnce(body, 1 << 20));
    expect((await inPieces(new Uint8Array(0))).result).toEqual(await atOnce(new Uint8Array(0)));
    expect((await inPieces(Uint8Array.of(0))).result).toEqual(await atOnce(Uint8Array.of(0)));
  });

  test("says its size before it is decoded", () => {
    expect(claimedSize(body)).toBe(large.length);
    expect(claimedSize(new Uint8Array(0))).toBe(0);
    expect(claimedSize(new Uint8Array(90))).toBe(90);
  });
});
