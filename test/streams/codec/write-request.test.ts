import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MalformedBody } from "../../../src/model/ingest.ts";
import { reserveArena } from "../../../src/streams/codec/byte-arena.ts";
import { clearBatch, makeBatch, type SampleBatch } from "../../../src/streams/codec/sample-batch.ts";
import { scanWriteRequest } from "../../../src/streams/codec/write-request.ts";
import {
  concat,
  labelBytes,
  lengthDelimited,
  sampleBytes,
  type TestSeries,
  varint,
  writeRequestBytes,
} from "../support/write-request-bytes.ts";

// Properties are many runs, and machines are shared: time is no criterion here.

const seeds = { a: 1, b: 2, c: 3 };
const batch = makeBatch();

function scan(message: Uint8Array): SampleBatch {
  clearBatch(batch);
  reserveArena(batch.arena, message.length, 0);
  // What lies behind the message must not matter.
  batch.arena.bytes.set(message);
  batch.arena.bytes.fill(0x0a, message.length, message.length + 64);
  scanWriteRequest(batch, message.length, seeds);
  return batch;
}

interface Read {
  readonly labels: Uint8Array;
  readonly hash: readonly number[];
  readonly samples: readonly { ts: number; bits: readonly number[] }[];
}

function read(b: SampleBatch): Read[] {
  return Array.from({ length: b.series }, (_, s) => {
    const rows = Array.from(
      { length: b.sampleEnd[s]! - (s === 0 ? 0 : b.sampleEnd[s - 1]!) },
      (_, k) => (s === 0 ? 0 : b.sampleEnd[s - 1]!) + k,
    );
    return {
      labels: b.arena.bytes.slice(b.labelStart[s], b.labelEnd[s]),
      hash: [...b.hashes.subarray(3 * s, 3 * s + 3)],
      samples: rows.map((r) => ({ ts: b.ts[r]!, bits: [b.words[2 * r]!, b.words[2 * r + 1]!] })),
    };
  });
}

const labelsOf = (s: TestSeries) => concat(s.labels.map(([n, v]) => lengthDelimited(1, labelBytes(n, v))));

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const sample = fc.record({
  ts: fc.oneof(
    fc.integer({ min: 1.6e12, max: 1.8e12 }),
    fc.maxSafeInteger(),
    fc.constantFrom(0, -1, 1, 2 ** 28, 2 ** 35, 2 ** 42 - 1, 2 ** 42),
  ),
  bits: fc.tuple(u32, u32),
});
const labels = fc.array(fc.tuple(fc.string({ maxLength: 150 }), fc.string({ maxLength: 150 })), { maxLength: 6 });
const series: fc.Arbitrary<TestSeries> = fc.record({
  labels,
  samples: fc.array(sample, { minLength: 1, maxLength: 5 }),
});

/** What a value's bits become: a NaN that looks like a histogram is the ordinary one. */
const kept = ([low = 0, high = 0]: readonly number[] = []): readonly number[] =>
  high >>> 18 === 0xfff40000 >>> 18 ? [0, 0x7ff80000] : [low, high];

describe("scanWriteRequest", () => {
  test("reads series, times and exact bits of values", () => {
    fc.assert(
      fc.property(fc.array(series, { maxLength: 8 }), (list) => {
        const got = read(scan(writeRequestBytes(list)));
        expect(got.map(({ labels, samples }) => ({ labels, samples }))).toEqual(
          list.map((s) => ({
            labels: labelsOf(s),
            samples: s.samples.map((x) => ({ ts: Object.is(x.ts, -0) ? 0 : x.ts, bits: kept(x.bits) })),
          })),
        );
        for (const [i, s] of got.entries()) {
          for (const [k, t] of got.entries()) {
            expect(Buffer.compare(s.labels, t.labels) === 0).toBe(i === k || s.hash.join() === t.hash.join());
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("fields may come in any order and unknown ones are skipped", () => {
    const field = fc.oneof(
      fc
        .tuple(fc.string({ maxLength: 9 }), fc.string({ maxLength: 9 }))
        .map(([n, v]) => ({ label: lengthDelimited(1, labelBytes(n, v)) })),
      sample.map((s) => ({ sample: s })),
      fc
        .constantFrom(
          lengthDelimited(5, Uint8Array.from([1, 2, 3])),
          concat([varint((9 << 3) | 0), varint(-5)]),
          concat([varint((300 << 3) | 1), new Uint8Array(8)]),
          concat([varint(2 ** 28 * 8 + 5), new Uint8Array(4)]),
          lengthDelimited(200, new Uint8Array(200)),
        )
        .map((unknown) => ({ unknown })),
    );
    fc.assert(
      fc.property(fc.array(fc.array(field, { maxLength: 12 }), { maxLength: 4 }), (list) => {
        const message = concat([
          lengthDelimited(6, new Uint8Array(5)),
          ...list.map((fields) =>
            lengthDelimited(
              1,
              concat(
                fields.map((f) =>
                  "label" in f ? f.label : "sample" in f ? lengthDelimited(2, sampleBytes(f.sample)) : f.unknown,
                ),
              ),
            ),
          ),
          varint(8 << 3),
          varint(1),
        ]);
        const expected = list
          .filter((fields) => fields.some((f) => "sample" in f))
          .map((fields) => ({
            labels: concat(fields.flatMap((f) => ("label" in f ? [f.label] : []))),
            samples: fields.flatMap((f) => ("sample" in f ? [{ ts: f.sample.ts + 0, bits: kept(f.sample.bits) }] : [])),
          }));
        expect(read(scan(message)).map(({ labels, samples }) => ({ labels, samples }))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test("absent fields of a sample are zero, the last of a repeated one counts", () => {
    const of = (...parts: Uint8Array[]) => lengthDelimited(1, lengthDelimited(2, concat(parts)));
    const value = sampleBytes({ ts: 0, value: 7 }).subarray(0, 9);
    const time = (t: number) => concat([Uint8Array.from([0x10]), varint(t)]);
    const got = read(scan(concat([of(), of(value), of(time(5)), of(time(5), value, time(6))]))).flatMap(
      (s) => s.samples,
    );
    const seven = [0, 0x401c0000];
    expect(got).toEqual([
      { ts: 0, bits: [0, 0] },
      { ts: 0, bits: seven },
      { ts: 5, bits: [0, 0] },
      { ts: 6, bits: seven },
    ]);
  });

  test("times that no double holds are NaN", () => {
    const times = [2n ** 53n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)];
    const got = read(scan(writeRequestBytes([{ labels: [], samples: times.map((ts) => ({ ts })) }])));
    expect(got[0]!.samples.map((s) => s.ts)).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
  });

  test("a series without samples and exemplars is left out", () => {
    scan(writeRequestBytes([{ labels: [["a", "b"]], samples: [] }]));
    expect([batch.series, batch.samples]).toEqual([0, 0]);
  });

  const valid = writeRequestBytes([
    {
      labels: [
        ["__name__", "up"],
        ["job", "x".repeat(200)],
      ],
      samples: [{ ts: 1.7e12, value: 1 }, { ts: -1 }],
      exemplars: [new Uint8Array(4)],
    },
    { labels: [["__name__", "down"]], samples: [{ ts: 1 }] },
  ]);

  test("a message cut anywhere is refused, unless the cut is between two series", () => {
    let taken = 0;
    for (let n = 0; n < valid.length; n++) {
      try {
        scan(valid.subarray(0, n));
        taken++;
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedBody);
        expect(error).toHaveProperty("reason", "malformed_protobuf");
      }
    }
    // Of nothing, and of the first series alone.
    expect(taken).toBe(2);
  });

  test.each<[string, number[], string]>([
    ["an endless varint", [0x0a, ...Array(20).fill(0xff)], "a length cannot be read"],
    ["a length beyond the message", [0x0a, 0x7f, 0x00], "a length of 127 runs over the end"],
    ["a length of 2^34", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f], "runs over the end"],
    ["a group", [0x0b], "wire type 3 is not allowed"],
    ["an endless tag", [0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "a tag is cut off"],
    ["a cut tag", [0xf8], "a tag is cut off"],
    ["a cut fixed64", [0x41, 1, 2], "a field is cut off"],
    ["a label over its series", [0x0a, 0x02, 0x0a, 0x05, 0, 0, 0, 0, 0], "a label runs over"],
    ["a sample over its series", [0x0a, 0x02, 0x12, 0x05, 0, 0, 0, 0, 0], "runs over the end"],
    ["a cut value", [0x0a, 0x05, 0x12, 0x03, 0x09, 0, 0], "a value is cut off"],
    ["an endless time", [0x0a, 0x0e, 0x12, 0x0c, 0x10, ...Array(10).fill(0xff), 0x01], "a time cannot be read"],
    ["remote write 2.0", [0x22, 0x00, 0x22, 0x01, 0x61], "remote write 2.0"],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => scan(Uint8Array.from(bytes))).toThrow(message);
  });

  test("refuses more samples than fit into memory", () => {
    const message = lengthDelimited(
      1,
      new Uint8Array(2 * (2 ** 22 + 1)).map((_, i) => (i % 2 === 0 ? 0x12 : 0)),
    );
    expect(() => scan(message)).toThrow(expect.objectContaining({ reason: "too_many_samples" }));
    clearBatch(batch);
    expect(batch.ts.length).toBeLessThan(10_000);
  });

  test("changed bytes are read or refused", () => {
    const edits = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.oneof(edits, fc.uint8Array({ maxLength: 60 })), (input) => {
        let bytes = input as Uint8Array;
        if (Array.isArray(input)) {
          bytes = Uint8Array.from(valid);
          for (const [i, b] of input) bytes[i] = b;
        }
        try {
          const got = scan(bytes);
          read(got).forEach((s, i) => {
            expect(s.samples.length > 0 || got.extras.exemplars.series.includes(i)).toBe(true);
          });
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBody);
        }
      }),
      {
        numRuns: 1000,
        examples: [
          [
            [
              [20, 233],
              [22, 0],
            ],
          ],
        ],
      },
    );
  });
});
