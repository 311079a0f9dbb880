import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Labels, labelsFromEntries } from "../../../src/model/labels.ts";
import { STALE_NAN_HI, STALE_NAN_LO } from "../../../src/model/sample.ts";
import { decodeFrame, makeFrameScratch } from "../../../src/streams/codec/frame-decode.ts";
import {
  addDefinition,
  addSample,
  appendRow,
  clearFrame,
  encodeFrame,
  type FrameBuilder,
  frameBytes,
  makeFrameBuilder,
  reserveRows,
} from "../../../src/streams/codec/frame-encode.ts";
import { FrameError, MAX_TIME_MS } from "../../../src/streams/codec/frame-layout.ts";
import { partitionOf, seriesHash } from "../../../src/streams/codec/series-hash.ts";

// Properties are many runs, and machines are shared: time is no criterion here.

interface Content {
  readonly definitions: readonly { lo: number; hi: number; tenant: string; labels: Labels }[];
  readonly rows: readonly { lo: number; hi: number; ts: number; low: number; high: number; bound?: number }[];
}

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const text = fc.string({ unit: "binary", minLength: 1, maxLength: 12 }).filter((s) => s.isWellFormed());
const labels = fc.array(fc.tuple(text, text), { maxLength: 6 }).map(labelsFromEntries);
const definition = fc.record({ lo: u32, hi: u32, tenant: text, labels });
const time = fc.oneof(
  fc.integer({ min: 1.7e12, max: 1.7e12 + 1000 }),
  fc.integer({ min: -MAX_TIME_MS, max: MAX_TIME_MS }),
);
const content: fc.Arbitrary<Content> = fc
  .record({
    definitions: fc.array(definition, { maxLength: 5 }),
    rows: fc.array(
      fc.record({
        lo: u32,
        hi: u32,
        ts: time,
        low: u32,
        high: u32,
        bound: fc.option(fc.nat(9), { nil: undefined as never }),
      }),
      { maxLength: 40 },
    ),
    oneTime: fc.boolean(),
  })
  .map(({ definitions, rows, oneTime }) => ({
    definitions,
    rows: rows.map(({ bound, ...row }) => ({
      ...row,
      ts: oneTime ? rows[0]!.ts : row.ts,
      ...(bound !== undefined && bound < definitions.length && { bound }),
    })),
  }));

function build(c: Content, into: FrameBuilder = makeFrameBuilder(1)): FrameBuilder {
  for (const d of c.definitions) addDefinition(into, d, d.tenant, d.labels);
  reserveRows(into, c.rows.length);
  for (const r of c.rows) {
    if (r.bound !== undefined) into.boundRows.push(into.samples, r.bound);
    appendRow(into, r.lo, r.hi, r.ts, r.low, r.high);
  }
  return into;
}

function read(frame: Uint8Array, scratch = makeFrameScratch(0)): Content {
  const { definitions, columns, bound } = decodeFrame(frame, scratch);
  const words = new Uint32Array(columns.values.buffer);
  return {
    definitions: definitions.map((d) => ({ lo: d.hashLo, hi: d.hashHi, tenant: d.tenant, labels: d.labels })),
    rows: Array.from({ length: columns.length }, (_, i) => {
      const k = bound.rows.indexOf(i);
      return {
        lo: columns.hashLo[i]!,
        hi: columns.hashHi[i]!,
        ts: columns.ts[i]!,
        low: words[2 * i]!,
        high: words[2 * i + 1]!,
        ...(k >= 0 && { bound: bound.definition[k]! }),
      };
    }),
  };
}

describe("frame", () => {
  test("comes back bit by bit, whatever it holds and wherever it lies in memory", () => {
    const builder = makeFrameBuilder(1);
    const scratch = makeFrameScratch(0);
    fc.assert(
      fc.property(content, fc.nat(9), (c, shift) => {
        clearFrame(builder);
        const frame = encodeFrame(build(c, builder));
        expect(frame.length).toBeLessThanOrEqual(frameBytes(builder));
        expect(frame.length % 8).toBe(0);
        const moved = new Uint8Array(shift + frame.length);
        moved.set(frame, shift);
        expect(read(moved.subarray(shift), scratch)).toEqual(c);
      }),
      { numRuns: 500 },
    );
  });

  test("keeps staleness markers and costs 16 bytes a sample at one time, 20 at near times, 24 at far ones", () => {
    const b = makeFrameBuilder(10);
    const size = (times: readonly number[]) => {
      clearFrame(b);
      for (const t of times) {
        reserveRows(b, 1);
        appendRow(b, 1, 2, t, STALE_NAN_LO, STALE_NAN_HI);
      }
      const frame = encodeFrame(b);
      const { columns } = decodeFrame(frame);
      expect([...columns.ts]).toEqual(times);
      expect(new Uint32Array(columns.values.buffer)[1]).toBe(STALE_NAN_HI);
      return frame.length;
    };
    const at = (step: number) => Array.from({ length: 1000 }, (_, i) => 1.7e12 + i * step);
    const fixed = (sections: number) => 32 + 16 * sections;
    expect(size(at(0))).toBe(fixed(3) + 16_000);
    expect(size(at(5))).toBe(fixed(4) + 20_000);
    expect(size(at(-2_147_483))).toBe(fixed(4) + 20_000);
    expect(size(at(2_150_000))).toBe(fixed(4) + 24_000);
  });

  test("an empty frame is a frame", () => {
    expect(read(encodeFrame(makeFrameBuilder(1)))).toEqual({ definitions: [], rows: [] });
  });

  test("a truncated frame is refused at every length", () => {
    const frame = encodeFrame(build(sample));
    for (let n = 0; n < frame.length; n++) expect(() => decodeFrame(frame.subarray(0, n))).toThrow(FrameError);
  });

  test("changed bytes give a FrameError or another valid frame, never another error", () => {
    const frame = encodeFrame(build(sample));
    let refused = 0;
    for (let i = 0; i < frame.length; i++) {
      for (const x of [0x01, 0x80, 0xff, 0x55]) {
        const bad = Uint8Array.from(frame);
        bad[i]! ^= x;
        try {
          for (const d of decodeFrame(bad).definitions) expect(d.labels.every((s) => s.isWellFormed())).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(500);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(frame.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (edits) => {
          const bad = Uint8Array.from(frame);
          for (const [i, byte] of edits) bad[i] = byte;
          try {
            decodeFrame(bad);
          } catch (error) {
            expect(error).toBeInstanceOf(FrameError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  const patched = (patch: (view: DataView, frame: Uint8Array) => void) => {
    const frame = Uint8Array.from(encodeFrame(build(sample)));
    patch(new DataView(frame.buffer), frame);
    return () => decodeFrame(frame);
  };
  const entry = (s: number) => 32 + 16 * s;

  test.each<[string, string, (view: DataView, frame: Uint8Array) => void]>([
    ["magic", "TSF1", (v) => v.setUint8(0, 0x58)],
    ["version", "version 2", (v) => v.setUint16(4, 2, true)],
    ["truncated", "the header says", (v) => v.setUint32(8, 4_000_000_000, true)],
    ["definition", "4294967295 definitions", (v) => v.setUint32(12, 0xffffffff, true)],
    ["section", "for 4294967295 samples", (v) => v.setUint32(16, 0xffffffff, true)],
    ["section", "65535 sections", (v) => v.setUint16(20, 0xffff, true)],
    ["flags", "flags 65534", (v) => v.setUint16(22, 0xfffe, true)],
    ["time", "base time NaN", (v) => v.setFloat64(24, Number.NaN, true)],
    ["time", "base time 0.5", (v) => v.setFloat64(24, 0.5, true)],
    ["section", "section 1 at 4294967288", (v) => v.setUint32(entry(0) + 4, 0xfffffff8, true)],
    ["section", "section 2 stands twice", (v) => v.setUint16(entry(2), 2, true)],
    ["section", "section 99 is needed", (v) => v.setUint16(entry(0), 99, true)],
    ["definition", "labels of definition 0", (_, f) => f.set([0x4a], f.indexOf(0x6a, entry(5) + 16))],
    ["utf8", "definition 0", (_, f) => f.set([0xff], f.indexOf(0x61, entry(5) + 16))],
  ])("a wrong %s is told: %s", (code, message, patch) => {
    expect(patched(patch)).toThrow(message);
    expect(patched(patch)).toThrow(expect.objectContaining({ name: "FrameError", code }));
  });

  test("an unknown section that is not critical is skipped", () => {
    const frame = Uint8Array.from(
      encodeFrame(
        build({ definitions: [], rows: sample.rows.map((r) => ({ ...r, ts: 5, bound: undefined as never })) }),
      ),
    );
    const view = new DataView(frame.buffer);
    const larger = new Uint8Array(frame.length + 16);
    const sections = view.getUint32(20, true);
    larger.set(frame.subarray(0, entry(sections)));
    larger.set(frame.subarray(entry(sections)), entry(sections + 1));
    const v = new DataView(larger.buffer);
    for (let s = 0; s < sections; s++) v.setUint32(entry(s) + 4, v.getUint32(entry(s) + 4, true) + 16, true);
    v.setUint16(6, entry(sections + 1), true);
    v.setUint32(8, larger.length, true);
    v.setUint32(20, sections + 1, true);
    v.setUint16(entry(sections), 200, true);
    v.setUint32(entry(sections) + 4, entry(sections + 1), true);
    expect(decodeFrame(larger).columns.length).toBe(sample.rows.length);
  });
});

const sample: Content = {
  definitions: [
    { lo: 1, hi: 2, tenant: "default", labels: ["__name__", "up", "job", "node"] },
    { lo: 3, hi: 4, tenant: "t2", labels: ["__name__", "ü", "e", "é"] },
  ],
  rows: [
    { lo: 1, hi: 2, ts: 1.7e12, low: 0, high: 0x3ff00000 },
    { lo: 3, hi: 4, ts: 1.7e12 + 1, low: 0, high: 0x3ff00000, bound: 1 },
    { lo: 5, hi: 6, ts: 1.7e12 - 1, low: 0, high: 0x3ff00000 },
  ],
};

describe("seriesHash", () => {
  // Stored in streams and logs: these vectors may be added to, never changed.
  test("keeps its values", () => {
    const h = (tenant: string, l: Labels) => {
      const { lo, hi } = seriesHash(tenant, l);
      return `${hi.toString(16).padStart(8, "0")}${lo.toString(16).padStart(8, "0")} of 16: ${partitionOf(hi, 16)}`;
    };
    expect([
      h("default", ["__name__", "up"]),
      h("default", ["__name__", "up", "instance", "127.0.0.1:9100", "job", "node"]),
      h("other", ["__name__", "up"]),
      h("default", ["__name__", "später", "ort", "Österreich 🚆"]),
    ]).toEqual([
      "5b4fb0c0a813afda of 16: 0",
      "3b578652644aa4bc of 16: 2",
      "1ab6f43ba63c94bc of 16: 11",
      "0966448216176e4a of 16: 2",
    ]);
  });

  test("moving a character from one string to its neighbour changes it", () => {
    const hashes = [
      ["ab", "c", "d", "e"],
      ["a", "bc", "d", "e"],
      ["a", "b", "cd", "e"],
      ["abcd", "e"],
    ].map((l) => JSON.stringify(seriesHash("t", l)));
    expect(new Set(hashes).size).toBe(4);
    expect(seriesHash("ta", ["b", "c"])).not.toEqual(seriesHash("t", ["ab", "c"]));
  });

  test("addSample takes a plain number", () => {
    const b = makeFrameBuilder(1);
    addSample(b, { lo: 7, hi: 8 }, 1000, 1.5);
    expect([...decodeFrame(encodeFrame(b)).columns.values]).toEqual([1.5]);
  });
});
