import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isStaleAt, makeSampleBuffer, STALE_NAN_HI, STALE_NAN_LO } from "../../../src/model/sample.ts";
import { chunkStart, decodeChunk, decodeChunkRange } from "../../../src/storage/chunk/decode.ts";
import { chunkWordsBound, writeChunk } from "../../../src/storage/chunk/write.ts";

interface Sample {
  readonly t: number;
  readonly lo: number;
  readonly hi: number;
}

const floatBits = (v: number): { lo: number; hi: number } => {
  const words = new Uint32Array(new Float64Array([v]).buffer);
  return { lo: words[0] as number, hi: words[1] as number };
};

const word = fc.oneof(
  fc.constantFrom(0, 1, 0x8000_0000, 0xffff_ffff, 0x7ff0_0000, 0x7ff8_0000, 2),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);
const bits = fc.oneof(
  fc.record({ lo: word, hi: word }),
  fc.double().map(floatBits),
  fc.integer({ min: 0, max: 5 }).map(floatBits),
  fc.constant({ lo: STALE_NAN_LO, hi: STALE_NAN_HI }),
);
const delta = fc.oneof(
  fc.constantFrom(1, 1000, 10_000, 10_001),
  fc.integer({ min: 1, max: 200 }),
  fc.integer({ min: 1, max: 8_000_000 }),
);
const start = fc.oneof(fc.constant(0), fc.integer({ min: -1e12, max: 2e12 }), fc.constant(-5));
const chunk = fc.tuple(start, fc.array(fc.tuple(delta, bits), { minLength: 1, maxLength: 130 })).map(([t0, steps]) => {
  let t = t0;
  return steps.map(([d, b], i): Sample => {
    if (i > 0) t += d;
    return { t, ...b };
  });
});

function encode(samples: readonly Sample[], at: number): { words: Int32Array; used: number } {
  const ts = Float64Array.from(samples.map((s) => s.t));
  const values = Uint32Array.from(samples.flatMap((s) => [s.lo, s.hi]));
  // Filled with ones: the coder may rely on nothing about what is there.
  const words = new Int32Array(at + chunkWordsBound(samples.length) + 1).fill(-1);
  return { words, used: writeChunk(ts, values, 0, samples.length, words, at) };
}

function decode(words: Int32Array, at: number, count: number): Sample[] {
  const out = makeSampleBuffer(1);
  decodeChunk(words, at, count, out);
  return contents(out);
}

const contents = (out: ReturnType<typeof makeSampleBuffer>): Sample[] =>
  Array.from({ length: out.length }, (_, i) => ({
    t: out.ts[i] as number,
    lo: out.words[2 * i] as number,
    hi: out.words[2 * i + 1] as number,
  }));

describe("chunk code", () => {
  test("gives back every time and every bit of every value", () => {
    void fc.assert(
      fc.property(chunk, fc.integer({ min: 0, max: 9 }), (samples, at) => {
        const { words, used } = encode(samples, at);
        expect(used).toBeLessThanOrEqual(chunkWordsBound(samples.length));
        expect(chunkStart(words, at)).toBe(samples[0]?.t);
        // What comes after the chunk must not matter.
        words[at + used] = 0x5555_5555;
        expect(decode(words, at, samples.length)).toEqual(samples);
      }),
      { numRuns: 1000 },
    );
  });

  test("a range gives the samples inside it, both ends included, behind what the buffer had", () => {
    void fc.assert(
      fc.property(chunk, fc.nat(129), fc.nat(129), fc.integer({ min: -1, max: 1 }), (samples, i, j, shift) => {
        const minT = (samples[i % samples.length] as Sample).t + shift;
        const maxT = (samples[j % samples.length] as Sample).t + shift;
        const { words } = encode(samples, 0);
        const out = makeSampleBuffer(0);
        out.length = 0;
        decodeChunk(words, 0, 1, out);
        decodeChunkRange(words, 0, samples.length, minT, maxT, out);
        const inside = samples.filter((s) => s.t >= minT && s.t <= maxT);
        expect(contents(out)).toEqual([samples[0], ...inside]);
      }),
      { numRuns: 500 },
    );
  });

  test("a staleness marker stays one between equal floats and other NaNs", () => {
    const samples: Sample[] = [
      { t: 1000, ...floatBits(1) },
      { t: 2000, lo: STALE_NAN_LO, hi: STALE_NAN_HI },
      { t: 3000, lo: 1, hi: 0x7ff8_0000 },
      { t: 4000, ...floatBits(Number.NaN) },
    ];
    const { words } = encode(samples, 0);
    const out = makeSampleBuffer(4);
    decodeChunk(words, 0, 4, out);
    expect([0, 1, 2, 3].map((i) => isStaleAt(out.words, i))).toEqual([false, true, false, false]);
    expect(contents(out)).toEqual(samples);
  });

  test("an unchanged value at a steady pace costs two bits, a steady counter little", () => {
    const steady = Array.from({ length: 120 }, (_, i): Sample => ({ t: 1e12 + i * 10_000, ...floatBits(42) }));
    // 4 words of head, 9 + 15 bits for the first delta at most, then 2 bits a sample.
    expect(encode(steady, 0).used).toBeLessThanOrEqual(4 + Math.ceil((24 + 2 * 119) / 32));
    const counter = Array.from({ length: 120 }, (_, i): Sample => ({ t: 1e12 + i * 10_000, ...floatBits(i * 100) }));
    expect((encode(counter, 0).used * 4) / 120).toBeLessThan(4);
  });
});
