import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isStaleAt, writeStale } from "../../../src/model/sample.ts";
import { encodePage, openPage, type PageColumn, pageFloats, pageTimes } from "../../../src/storage/column/page.ts";

const page = readFileSync(new URL("../../../docs/format/column-page.md", import.meta.url), "utf8");
const hex = /```hex\n(.*)\n```/.exec(page)?.[1] ?? "";
const example = Uint8Array.from(hex.split(" "), (h) => Number.parseInt(h, 16));
const times = Array.from({ length: 6 }, (_, i) => 1700000000000 + 15_000 * i);
const values = [0.5, 0.75, 1.25, 1.25, 2];

describe("docs/format/column-page.md", () => {
  test("the example decodes to what the page says", () => {
    expect(page).toContain(`${times[0]}, ${times[1]}, ...`);
    expect(page).toContain(`floats ${values.join(", ")} and a staleness`);
    const opened = openPage(example);
    const ts = new Float64Array(6);
    expect(pageTimes(opened, 0, ts, 0)).toBe(6);
    expect([...ts]).toEqual(times);
    const floats = new Float64Array(6);
    const words = new Uint32Array(floats.buffer);
    expect(pageFloats(opened, 1, floats, 0)).toBe(6);
    expect([...floats.subarray(0, 5)]).toEqual(values);
    expect(isStaleAt(words, 5)).toBe(true);
    expect(pageFloats(opened, 2, floats, 1)).toBe(1);
    expect(floats[1]).toBe(0.5);
  });

  test("the encoder makes the example", () => {
    const words = new Uint32Array(Float64Array.of(...values, 0).buffer);
    writeStale(words, 5);
    const columns: PageColumn[] = [
      { kind: "time", ts: Float64Array.from(times), from: 0, to: 6 },
      { kind: "float", words, from: 0, to: 6 },
      { kind: "float", words, from: 0, to: 1 },
    ];
    expect(Buffer.from(encodePage(columns)).toString("hex")).toBe(hex.replaceAll(" ", ""));
  });

  test("the bytes are the ones that the page takes apart, in order", () => {
    const said = [...page.slice(page.indexOf("```hex")).matchAll(/^- `([0-9a-f ]+)`/gm)].map((m) => m[1]);
    expect(said.join(" ")).toBe(hex);
  });

  test("so are the bits of its body", () => {
    const body = [...example.subarray(7, 13)].map((b) => b.toString(2).padStart(8, "0").split("").reverse().join(""));
    const said = [...page.slice(page.indexOf("The body in bits")).matchAll(/`([01 ]+)`/g)].map((m) => m[1]).join(" ");
    expect(said.length).toBeGreaterThan(30);
    expect(body.join("").startsWith(said.replaceAll(" ", ""))).toBe(true);
  });

  test("a page of before is read for ever: its version is 1, and another one is refused", () => {
    const other = example.slice();
    other[0] = 2;
    expect(() => openPage(other)).toThrow("an unknown version");
  });
});
