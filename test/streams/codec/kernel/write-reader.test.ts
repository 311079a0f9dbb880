import { inspect, isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { compress } from "snappyjs";
import { describe, expect, test, vi } from "vitest";
import { MalformedBody } from "../../../../src/model/ingest.ts";
import {
  MAX_KERNEL_BYTES,
  makeWriteReader,
  type WriteReader,
} from "../../../../src/streams/codec/kernel/write-reader.ts";
import type { SampleBatch } from "../../../../src/streams/codec/sample-batch.ts";
import { often } from "../../../support/often.ts";
import { freshKernel } from "../../support/kernel.ts";
import {
  concat,
  labelBytes,
  lengthDelimited,
  sampleBytes,
  type TestSeries,
  varint,
  writeRequestBytes,
} from "../../support/write-request-bytes.ts";

// Properties are many runs, and machines are shared: time is no criterion here.
vi.setConfig({ testTimeout: 120_000 });

const LIMIT = 32 << 20;
const seeds = { a: 1, b: 0xfffffff1, c: 3 };
const fast = makeWriteReader(freshKernel(), LIMIT);
const plain = makeWriteReader(undefined, LIMIT);

/** Everything that a batch says, or the refusal. */
function outcome(reader: WriteReader, body: Uint8Array): unknown {
  let b: SampleBatch;
  try {
    b = reader.read(body, seeds);
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error;
    return [error.reason, error.message];
  }
  const { series, samples, arena, extras } = b;
  const labels = Array.from({ length: series }, (_, s) =>
    Buffer.from(arena.bytes.slice(b.labelStart[s], b.labelEnd[s])).toString("latin1"),
  );
  return {
    labels,
    hashes: [...b.hashes.subarray(0, 3 * series)],
    sampleEnd: [...b.sampleEnd.subarray(0, series)],
    seen: [...b.seen.subarray(0, series)],
    ts: [...b.ts.subarray(0, samples)],
    words: [...b.words.subarray(0, 2 * samples)],
    histograms: [b.histogramRows, ...b.histograms.bytes.subarray(0, b.histograms.length)],
    extras: structuredClone({ ...extras, text: extras.text.slice(0, extras.textLength) }),
  };
}

/** As `toEqual`, which takes minutes to print a large difference. */
function equal(a: unknown, b: unknown): void {
  if (!isDeepStrictEqual(a, b))
    expect(inspect(a, { depth: 5 }).slice(0, 2000)).toBe(inspect(b, { depth: 5 }).slice(0, 2000));
  expect(isDeepStrictEqual(a, b)).toBe(true);
}

function agree(message: Uint8Array): unknown {
  const body = new Uint8Array(compress(message));
  const got = outcome(fast, body);
  equal(got, outcome(plain, body));
  expect(fast.accelerated()).toBe(true);
  return got;
}

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const bits = fc.oneof(
  fc.tuple(u32, u32),
  fc.constantFrom<[number, number]>([2, 0x7ff00000], [7, 0xfff40001], [0, 0xfff80000], [0, 0xfff3ffff]),
);
const time = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 1.6e12, max: 1.8e12 }) },
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, 1, 2 ** 35 - 1, 2 ** 35, 2 ** 42 - 1, 2 ** 42),
);
const sample = fc.record({ ts: time, bits });
const withoutValue = fc.integer({ min: 1.6e12, max: 1.8e12 }).map((t) => concat([Uint8Array.from([0x10]), varint(t)]));
const text = fc.oneof({ weight: 20, arbitrary: fc.string({ maxLength: 30 }) }, fc.string({ maxLength: 200 }));
const label = fc.tuple(text, text).map(([n, v]) => lengthDelimited(1, labelBytes(n, v)));
const exemplar = sample.map((s) => lengthDelimited(3, concat([labelBytes("", "")].concat(sampleBytes(s)))));
const oddField = fc.oneof(
  label,
  exemplar,
  fc.uint8Array({ maxLength: 20 }).map((b) => lengthDelimited(3, b)),
  fc.uint8Array({ maxLength: 20 }).map((b) => lengthDelimited(4, b)),
  fc.constant(concat([varint((9 << 3) | 0), varint(-5)])),
);
const series = fc
  .tuple(
    fc.array(label, { maxLength: 9 }),
    fc.array(
      fc.oneof(
        { weight: 9, arbitrary: sample.map((s) => lengthDelimited(2, sampleBytes(s))) },
        { weight: 3, arbitrary: withoutValue.map((b) => lengthDelimited(2, b)) },
      ),
      { maxLength: 5 },
    ),
    fc.oneof({ weight: 8, arbitrary: fc.constant([]) }, fc.array(oddField, { maxLength: 2 })),
  )
  .map((parts) => lengthDelimited(1, concat(parts.flat())));
const other = fc.oneof(
  fc.constant(lengthDelimited(3, concat([Uint8Array.from([8, 1]), lengthDelimited(2, new Uint8Array(3).fill(97))]))),
  fc.constant(concat([varint(8 << 3), varint(1)])),
);
const message = fc
  .array(fc.oneof({ weight: 30, arbitrary: series }, other), { maxLength: 12 })
  .map((parts) => concat(parts));

const usual = (n: number, samples = 1): TestSeries[] =>
  Array.from({ length: n }, (_, i) => ({
    labels: [
      ["__name__", "http_requests_total"],
      ["instance", `host-${i}`],
      ["job", "x".repeat(i % 40)],
    ],
    samples: Array.from({ length: samples }, (_, k) => ({ ts: 1.7e12 + k, value: i * k })),
  }));

describe("the kernel's scan", () => {
  test("reads what TypeScript reads, whatever is between the usual", () => {
    fc.assert(
      fc.property(message, (m) => {
        agree(m);
      }),
      { numRuns: often(1000, 2000) },
    );
  });

  test("reads or refuses changed and cut messages as TypeScript does", () => {
    const edits = fc.array(fc.tuple(fc.nat(1 << 20), fc.nat(255)), { minLength: 1, maxLength: 4 });
    let refused = 0;
    let taken = 0;
    fc.assert(
      fc.property(message, edits, fc.nat(), (m, list, cut) => {
        const changed = Uint8Array.from(m);
        for (const [i, b] of list) changed[i % Math.max(1, changed.length)] = b;
        if (Array.isArray(agree(changed))) refused++;
        else taken++;
        agree(m.subarray(0, cut % (m.length + 1)));
      }),
      { numRuns: often(1000, 3000) },
    );
    expect(Math.min(refused, taken)).toBeGreaterThan(300);
  });

  test("reads or refuses any bytes as TypeScript does", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        equal(outcome(fast, bytes), outcome(plain, bytes));
        agree(bytes);
        agree(lengthDelimited(1, bytes));
      }),
      { numRuns: often(1000, 3000) },
    );
  });

  test("lengths of one, two and three bytes, of labels and of series", () => {
    for (const n of [0, 1, 11, 12, 13, 100, 127, 128, 200, 16_370, 16_383, 16_384, 70_000, 2_100_000]) {
      agree(writeRequestBytes([{ labels: [["a", "x".repeat(n)]], samples: [{ ts: 1.7e12, value: 1 }] }, ...usual(3)]));
    }
  });

  test("a requests grows the memory, the next one is read as well", () => {
    const reader = makeWriteReader(freshKernel(), LIMIT);
    for (const n of [10, 5_000, 20, 40_000, 30]) {
      const body = new Uint8Array(compress(writeRequestBytes(usual(n))));
      equal(outcome(reader, body), outcome(plain, body));
    }
    expect(reader.accelerated()).toBe(true);
  });

  test("more series or samples than the columns have room for", () => {
    const reader = makeWriteReader(freshKernel(), LIMIT);
    const tiny: TestSeries[] = Array.from({ length: 60_000 }, () => ({
      labels: [],
      samples: [{ ts: 1.7e12, value: 1 }],
    }));
    const zero = concat([lengthDelimited(2, concat([Uint8Array.from([0x10]), varint(1.7e12)]))]);
    const dense = lengthDelimited(1, concat(Array.from({ length: 200_000 }, () => zero)));
    for (const m of [writeRequestBytes(tiny), dense, writeRequestBytes(usual(10)), writeRequestBytes(tiny)]) {
      const body = new Uint8Array(compress(m));
      equal(outcome(reader, body), outcome(plain, body));
    }
  });

  test("a body that is larger than the kernel takes is read without it", () => {
    const long = { labels: [["a", "x".repeat(MAX_KERNEL_BYTES)]], samples: [{ ts: 1.7e12 }] } as const;
    const body = new Uint8Array(compress(writeRequestBytes([long])));
    const { labels } = outcome(fast, body) as { labels: string[] };
    expect(labels[0]!.length).toBeGreaterThan(MAX_KERNEL_BYTES);
    agree(writeRequestBytes(usual(3)));
  });

  test("a body above the limit is refused by the size it claims", () => {
    const reader = makeWriteReader(freshKernel(), 1000);
    const body = new Uint8Array(compress(new Uint8Array(1001)));
    expect(() => reader.read(body, seeds)).toThrow(expect.objectContaining({ reason: "body_too_large" }));
  });

  test("a fault of the kernel is no fault of the request, and the kernel is not used again", () => {
    let calls = 0;
    const reader = makeWriteReader(
      {
        ...freshKernel(),
        scan: () => {
          calls++;
          throw new WebAssembly.RuntimeError("unreachable");
        },
      },
      LIMIT,
    );
    const body = new Uint8Array(compress(writeRequestBytes(usual(5))));
    expect(reader.accelerated()).toBe(true);
    for (let k = 0; k < 2; k++) equal(outcome(reader, body), outcome(plain, body));
    expect([reader.accelerated(), calls]).toEqual([false, 1]);
  });
});
