import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import { addDefinition, addSample, encodeFrame, makeFrameBuilder } from "../../../src/streams/codec/frame-encode.ts";
import * as layout from "../../../src/streams/codec/frame-layout.ts";
import * as series from "../../../src/streams/codec/series-hash.ts";

const page = readFileSync(new URL("../../../docs/format/frame.md", import.meta.url), "utf8");

/** The bytes of the page's hex block, whose lines are offset, up to 16 bytes, remark. */
function example(): Uint8Array {
  const lines = /```hex\n([\s\S]*?)```/.exec(page)![1]!.trimEnd().split("\n");
  return Uint8Array.from(
    lines.flatMap((line, i) => {
      expect(Number.parseInt(line.slice(0, 4), 16)).toBe(16 * i);
      const bytes = line.slice(6, 53).trim().split(" ");
      return bytes.map((b) => Number.parseInt(b, 16));
    }),
  );
}

describe("docs/format/frame.md", () => {
  const labels = ["__name__", "up", "job", "node"];
  const hash = series.seriesHash("default", labels);

  test("the example decodes to what the page says", () => {
    const { definitions, columns, bound } = decodeFrame(example());
    expect(definitions).toEqual([{ hashLo: hash.lo, hashHi: hash.hi, tenant: "default", labels }]);
    expect([...columns.hashLo]).toEqual([hash.lo, 0x11223344]);
    expect([...columns.hashHi]).toEqual([hash.hi, 0x55667788]);
    expect([...columns.ts]).toEqual([1780000000000, 1780000000500]);
    expect([...columns.values]).toEqual([1, -0.5]);
    expect(bound.rows).toHaveLength(0);
  });

  test("the encoder makes the example", () => {
    const b = makeFrameBuilder(1);
    addDefinition(b, hash, "default", labels);
    addSample(b, hash, 1780000000000, 1);
    addSample(b, { lo: 0x11223344, hi: 0x55667788 }, 1780000000500, -0.5);
    expect(new Uint8Array(encodeFrame(b))).toEqual(example());
  });

  test("the page's hash is the code's", () => {
    const seeds = /A = (0x[0-9a-f]+), B = (0x[0-9a-f]+), C = (0x[0-9a-f]+)/.exec(page)!.slice(1).map(Number);
    expect(seeds).toEqual([series.SERIES_SEED_A, series.SERIES_SEED_B, series.SERIES_SEED_C]);
    const [p1, p2, p3] = /P1 = (0x\w+), P2 = (0x\w+), P3 = (0x\w+)/.exec(page)!.slice(1).map(Number) as [
      number,
      number,
      number,
    ];
    const { imul } = Math;
    const rotl = (x: number, n: number) => (x << n) | (x >>> (32 - n));
    const mix = (x: number) => {
      let h = imul(x ^ (x >>> 16), p2);
      h = imul(h ^ (h >>> 13), p3);
      return h ^ (h >>> 16);
    };
    // Written from the page, not from the code.
    const ofPage = (text: Buffer) => {
      let [a, b, c] = seeds as [number, number, number];
      a ^= imul(text.length, p2);
      b = (b + imul(text.length, p1)) | 0;
      const step = (block: Buffer) => {
        a = (rotl(imul(a ^ block.readInt32LE(0), p1), 15) + b) | 0;
        b = (rotl(imul(b ^ block.readInt32LE(4), p2), 13) + c) | 0;
        c = (rotl(imul(c ^ block.readInt32LE(8), p3), 17) + a) | 0;
      };
      for (let i = 0; i + 12 <= text.length; i += 12) step(text.subarray(i, i + 12));
      step(text.length < 12 ? Buffer.concat([text], 12) : text.subarray(text.length - 12));
      a = mix(a ^ c);
      b = mix((b + a) | 0);
      c = mix(c ^ b);
      return { lo: (a + c) >>> 0, hi: (b + c) >>> 0 };
    };
    const separator = Buffer.from([0xff]);
    for (const set of [labels, [], ["a", "b"], ["__name__", "später", "ort", "Wien"]]) {
      const text = Buffer.concat(["t", ...set].flatMap((s) => [Buffer.from(s), separator]));
      expect(series.seriesHash("t", set)).toMatchObject(ofPage(text));
    }
  });

  test("the page names every section with its number", () => {
    const sections: readonly (readonly [number, string])[] = [
      [layout.SECTION_DEFINITIONS, "definitions"],
      [layout.SECTION_HASH_LO, "low hashes"],
      [layout.SECTION_HASH_HI, "high hashes"],
      [layout.SECTION_TIME_DELTA, "time deltas"],
      [layout.SECTION_TIME, "times"],
      [layout.SECTION_VALUES, "values"],
      [layout.SECTION_BOUND_ROWS, "bound rows"],
      [layout.SECTION_HISTOGRAMS, "histograms"],
      [layout.SECTION_START_TIMES, "start times"],
      [layout.SECTION_EXEMPLARS, "exemplars"],
      [layout.SECTION_METADATA, "metadata"],
    ];
    for (const [type, name] of sections) expect(page).toContain(`| ${type} | ${name} |`);
    expect(page).toContain(`header, ${layout.FRAME_HEADER_BYTES} bytes`);
  });
});
