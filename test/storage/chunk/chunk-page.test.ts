import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isStaleAt, makeSampleBuffer, writeStale } from "../../../src/model/sample.ts";
import { decodeChunk } from "../../../src/storage/chunk/decode.ts";
import { writeChunk } from "../../../src/storage/chunk/write.ts";

const page = readFileSync(new URL("../../../docs/format/head-chunk.md", import.meta.url), "utf8");
const example = (/```words\n(.*)\n```/.exec(page)?.[1] ?? "").split(" ").map((w) => Number.parseInt(w, 16));
const times = [1700000000000, 1700000010000, 1700000020000, 1700000030004, 1700000040000];

describe("docs/format/head-chunk.md", () => {
  test("the example decodes to what the page says", () => {
    for (const t of times) expect(page).toContain(`(${t}, `);
    const out = makeSampleBuffer(5);
    decodeChunk(Int32Array.from([...example, -1]), 0, 5, out);
    expect([...out.ts.subarray(0, 5)]).toEqual(times);
    expect([...out.values.subarray(0, 4)]).toEqual([1, 1, 2, 2.5]);
    expect(isStaleAt(out.words, 4)).toBe(true);
  });

  test("the encoder makes the example", () => {
    const values = Float64Array.of(1, 1, 2, 2.5, 0);
    const bits = new Uint32Array(values.buffer);
    writeStale(bits, 4);
    const words = new Int32Array(64);
    const used = writeChunk(Float64Array.from(times), bits, 0, 5, words, 0);
    expect([...words.subarray(0, used)].map((w) => w >>> 0)).toEqual(example);
  });

  test("the example's bits are the ones that the page takes apart", () => {
    const bits = example
      .slice(4)
      .map((w) => w.toString(2).padStart(32, "0"))
      .join("");
    const said = page
      .slice(page.indexOf("- `1110 0000"))
      .split("\n")
      .flatMap((line) => [...line.matchAll(/`([01 ]+)`/g)].map((m) => (m[1] as string).replaceAll(" ", "")))
      .join("");
    expect(said.length).toBeGreaterThan(80);
    expect(bits.startsWith(said)).toBe(true);
  });
});
