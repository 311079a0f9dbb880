import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { xorChunk } from "../../../src/api/remote-read/xor-chunk.ts";

/** A reader of Prometheus's XOR chunks, from the description of the format: bit by bit, with BigInt. */
function readChunk(bytes: Uint8Array): { ts: bigint; bits: bigint }[] {
  let at = 16;
  const read = (n: number) => {
    let value = 0n;
    for (let i = 0; i < n; i++, at++)
      value = (value << 1n) | BigInt(((bytes[at >> 3] as number) >> (7 - (at & 7))) & 1);
    return value;
  };
  const uvarint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = read(8);
      value |= (byte & 127n) << shift;
      if (byte < 128n) return value;
    }
  };
  const count = ((bytes[0] as number) << 8) | (bytes[1] as number);
  const out: { ts: bigint; bits: bigint }[] = [];
  let [ts, bits, delta, leading, trailing] = [0n, 0n, 0n, 0, 0];
  for (let i = 0; i < count; i++) {
    if (i === 0) {
      const zigzag = uvarint();
      ts = zigzag & 1n ? -(zigzag >> 1n) - 1n : zigzag >> 1n;
      bits = read(64);
      out.push({ ts, bits });
      continue;
    }
    if (i === 1) delta = uvarint();
    else {
      let ones = 0;
      while (ones < 4 && read(1) === 1n) ones++;
      const n = [0, 14, 17, 20, 64][ones] as number;
      const raw = read(n);
      delta += n > 0 && raw > 1n << BigInt(n - 1) ? raw - (1n << BigInt(n)) : raw;
    }
    ts += delta;
    if (read(1) === 1n) {
      if (read(1) === 1n) {
        leading = Number(read(5));
        trailing = 64 - leading - (Number(read(6)) || 64);
      }
      bits ^= read(64 - leading - trailing) << BigInt(trailing);
    }
    out.push({ ts, bits });
  }
  expect(Math.ceil(at / 8)).toBe(bytes.length);
  return out;
}

const step = fc.oneof(
  fc.constant(15_000),
  fc.integer({ min: 1, max: 20_000 }),
  fc.integer({ min: 1, max: 2 ** 21 }),
  fc.integer({ min: 1, max: 2 ** 40 }),
);
const word = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.constantFrom(1, 0x80000000, 0xffffffff),
);

describe("xorChunk", () => {
  it("is read back as it was, bit by bit", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
        fc.array(fc.tuple(step, word, word), { minLength: 1, maxLength: 150 }),
        fc.nat(3),
        (start, samples, skip) => {
          const ts = new Float64Array(samples.length + skip);
          const words = new Uint32Array(2 * ts.length);
          let t = start;
          samples.forEach(([by, lo, hi], i) => {
            t += by;
            ts[i + skip] = t;
            words.set([lo, hi], 2 * (i + skip));
          });
          const got = readChunk(xorChunk(ts, words, skip, ts.length));
          const want = samples.map(([, lo, hi], i) => ({
            ts: BigInt(ts[i + skip] as number),
            bits: (BigInt(hi) << 32n) | BigInt(lo),
          }));
          expect(got).toEqual(want);
        },
      ),
    );
  });

  it("writes a steady counter in little more than a byte a sample", () => {
    const ts = Float64Array.from({ length: 120 }, (_, i) => 1_700_000_000_000 + i * 15_000);
    const words = new Uint32Array(new Float64Array(120).fill(42).buffer);
    expect(xorChunk(ts, words, 0, 120).length).toBeLessThan(50);
  });
});
