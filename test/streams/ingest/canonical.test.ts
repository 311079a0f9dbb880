import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Labels, labelsFromEntries } from "../../../src/model/labels.ts";
import { makeArena } from "../../../src/streams/codec/byte-arena.ts";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import { encodeFrame, makeFrameBuilder } from "../../../src/streams/codec/frame-encode.ts";
import { writeLabel } from "../../../src/streams/codec/label-text.ts";
import { seriesHash } from "../../../src/streams/codec/series-hash.ts";
import {
  canonicalize,
  definitionBytes,
  makeCanonical,
  writeDefinition,
} from "../../../src/streams/ingest/canonical.ts";
import { concat, labelBytes, lengthDelimited } from "../support/write-request-bytes.ts";

const LIMITS = { maxLabelNamesPerSeries: 50, maxLabelNameBytes: 1000, maxLabelValueBytes: 60_000 };
const canonical = makeCanonical();
// Characters around the places where byte order and UTF-16 order part.
const odd = fc.constantFrom(
  "a",
  "_",
  "\u007f",
  "\u0080",
  "é",
  "\ud7ff",
  "\ue000",
  "\uffff",
  "\u{10000}",
  "\u{10ffff}",
  "\u0000",
);
const text = fc.oneof(
  fc.array(odd, { minLength: 1, maxLength: 4 }).map((c) => c.join("")),
  fc.string({ minLength: 1, maxLength: 9 }),
);
const labels = fc.uniqueArray(fc.tuple(text, fc.oneof(text, fc.constant(""))), { selector: ([n]) => n, maxLength: 12 });

describe("canonicalize", () => {
  test("gives the label set, hash and definition that the strings give, whatever the order", () => {
    fc.assert(
      fc.property(labels, fc.string({ minLength: 1, maxLength: 5 }), (pairs, metric) => {
        const all = [...pairs.filter(([n]) => n !== "__name__"), ["__name__", metric] as [string, string]];
        const expected = labelsFromEntries(all);
        const bytes = concat(all.map(([n, v]) => lengthDelimited(1, labelBytes(n, v))));
        const tenant = new TextEncoder().encode("t-1");
        expect(canonicalize(canonical, tenant, bytes, 0, bytes.length, LIMITS)).toBe(true);
        const { lo, hi, check } = seriesHash("t-1", expected);
        expect([...canonical.hash]).toEqual([lo, hi, check]);

        const b = makeFrameBuilder(1);
        expect(writeDefinition(b, canonical, tenant)).toBe(0);
        expect(b.definitionBytes).toBe(definitionBytes(canonical, tenant));
        expect(decodeFrame(encodeFrame(b)).definitions).toEqual([
          { hashLo: lo, hashHi: hi, tenant: "t-1", labels: expected },
        ]);
      }),
      { numRuns: 1000 },
    );
  }, 60_000);

  test("reads what writeLabel writes, of any length", () => {
    const arena = makeArena(1);
    for (const length of [1, 41, 42, 43, 126, 127, 128, 5460, 5461, 16383, 16384, 50_000]) {
      for (const c of ["x", "ü"]) {
        const value = c.repeat(Math.ceil(length / (c === "ü" ? 2 : 1)));
        const set: Labels = ["__name__", value];
        let end = writeLabel(arena, 0, "__name__", value);
        end = writeLabel(arena, end, "zero", "");
        expect(arena.bytes.subarray(0, end)).toEqual(
          concat([lengthDelimited(1, labelBytes("__name__", value)), lengthDelimited(1, labelBytes("zero", ""))]),
        );
        expect(canonicalize(canonical, new Uint8Array([116]), arena.bytes, 0, end, LIMITS)).toBe(true);
        expect([...canonical.hash]).toEqual(Object.values(seriesHash("t", set)));
      }
    }
  });

  test("broken label bytes are a problem of their series, not an exception", () => {
    const good = concat([lengthDelimited(1, labelBytes("__name__", "m")), lengthDelimited(1, labelBytes("a", "b"))]);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (edits) => {
        const bytes = Uint8Array.from(good);
        for (const [i, b] of edits) bytes[i] = b;
        const ok = canonicalize(canonical, new Uint8Array([116]), bytes, 0, bytes.length, LIMITS);
        expect(canonical.problem === undefined).toBe(ok);
      }),
      { numRuns: 2000 },
    );
  }, 60_000);

  test("labels without end and labels of great length are refused without being read whole", () => {
    const endless = new Uint8Array(2_000_000).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
    expect(canonicalize(canonical, new Uint8Array([116]), endless, 0, endless.length, LIMITS)).toBe(false);
    expect(canonical.problem?.reason).toBe("too_many_labels");
    expect(canonical.spans.length).toBeLessThanOrEqual(200);
    const long = concat(
      Array.from({ length: 20 }, (_, i) =>
        lengthDelimited(1, labelBytes(i === 0 ? "__name__" : `l${i}`, "x".repeat(59_000))),
      ),
    );
    expect(canonicalize(canonical, new Uint8Array([116]), long, 0, long.length, LIMITS)).toBe(false);
    expect(canonical.problem?.reason).toBe("labels_too_long");
  });
});
