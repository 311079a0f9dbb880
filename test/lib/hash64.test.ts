import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hash96 } from "../../src/lib/hash64.ts";

// Properties are many runs, and machines are shared: time is no criterion here.

function hash(bytes: Uint8Array, a = 1, b = 2, c = 3): number[] {
  const out = new Uint32Array(3);
  hash96(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length, a, b, c, out, 0);
  return [...out];
}
const hex = (text: string) => hash(new TextEncoder().encode(text)).map((x) => x.toString(16).padStart(8, "0"));
const popcount = (x: number) => x.toString(2).replaceAll("0", "").length;

describe("hash96", () => {
  // Series hashes are stored for years: these vectors may be added to, never changed.
  test("keeps its values", () => {
    expect(["", "a", "abcdefg", "abcdefgh", "http_requests_total{}"].map(hex)).toEqual([
      ["3dda4a03", "32226a27", "a1bc252e"],
      ["826f687e", "9d06f553", "3ccd9e9c"],
      ["0a0fc8df", "352b23fe", "5f8b0de7"],
      ["eb138d1e", "17d9c2cc", "33d0881f"],
      ["6719ae93", "74505763", "b54e1631"],
    ]);
  });

  test("depends on nothing but the range's bytes and the seeds", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(9), fc.nat(9), (bytes, before, after) => {
        const larger = new Uint8Array(before + bytes.length + after).fill(0xaa);
        larger.set(bytes, before);
        const out = new Uint32Array(3);
        hash96(new DataView(larger.buffer), before, before + bytes.length, 1, 2, 3, out, 0);
        expect([...out]).toEqual(hash(bytes));
        expect(hash(bytes, 1, 2, 4).slice(0, 2)).not.toEqual(hash(bytes).slice(0, 2));
        expect(hash(bytes, 9).slice(0, 2)).not.toEqual(hash(bytes).slice(0, 2));
        expect(hash(bytes, 1, 9).slice(0, 2)).not.toEqual(hash(bytes).slice(0, 2));
      }),
    );
  });

  test("tells zero bytes and lengths apart", () => {
    const seen = new Set<string>();
    for (let n = 0; n < 64; n++) seen.add(hash(new Uint8Array(n)).join());
    expect(seen.size).toBe(64);
  });

  test("every input bit moves about half of the bits of every lane", () => {
    const length = 27;
    const flips = [0, 0, 0];
    let trials = 0;
    let worst = 32;
    for (let k = 0; k < 200; k++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (Math.imul(k + 1, 0x9e3779b1) >>> (i % 24)) & 0xff);
      const h = hash(bytes);
      for (let bit = 0; bit < 8 * length; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        const g = hash(bytes);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        for (let lane = 0; lane < 3; lane++) flips[lane]! += popcount((h[lane]! ^ g[lane]!) >>> 0);
        worst = Math.min(worst, popcount((h[0]! ^ g[0]!) >>> 0) + popcount((h[1]! ^ g[1]!) >>> 0));
        trials++;
      }
    }
    for (const f of flips) expect(Math.abs(f / trials - 16)).toBeLessThan(0.2);
    expect(worst).toBeGreaterThan(5);
  });

  test("hashes of similar series are spread like random numbers, in each lane and each half of its bits", () => {
    const n = 200_000;
    const lanes = [new Uint32Array(n), new Uint32Array(n), new Uint32Array(n)];
    const low = new Uint32Array(1 << 16);
    const high = new Uint32Array(1 << 16);
    const encoder = new TextEncoder();
    for (let i = 0; i < n; i++) {
      const h = hash(
        encoder.encode(`node_cpu_seconds_total\xffcpu\xff${i % 100}\xffinstance\xffhost-${Math.floor(i / 100)}:9100`),
      );
      for (let lane = 0; lane < 3; lane++) lanes[lane]![i] = h[lane]!;
      low[h[0]! & 0xffff]!++;
      high[h[1]! >>> 16]!++;
    }
    // Expected number of pairs that share 32 bits: n^2 / 2^33 = 4.7; 20 is out of reach for random numbers.
    for (const lane of lanes) expect(n - new Set(lane).size).toBeLessThan(20);
    for (const counts of [low, high]) {
      const expected = n / counts.length;
      const chi2 = counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
      // Mean 65535, standard deviation 362.
      expect(Math.abs(chi2 - 65535)).toBeLessThan(6 * 362);
    }
  });
});
