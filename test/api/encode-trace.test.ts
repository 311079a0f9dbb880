import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeInstant, encodeRange } from "../../src/api/encode.ts";
import { encodeTrace, timed } from "../../src/api/encode-trace.ts";
import type { RangeResult, TraceSpan } from "../../src/model/query.ts";

const trace: TraceSpan = {
  name: "query",
  ms: 2.0005,
  children: [
    { name: "parse", ms: 0.25 },
    {
      name: "plans",
      ms: 1.5,
      parallel: true,
      children: [{ name: "plan", ms: 1.4999999, about: { selector: "up", steps: 1 } }],
    },
  ],
};

const textOf = (pieces: Iterable<Buffer>): string => Buffer.concat([...pieces]).toString();

describe("a trace", () => {
  const matrix = {
    ...{ start: 0, step: 1000, steps: 2, labels: [["a", "b"]], histograms: [] },
    values: Float64Array.of(1, 2),
    present: Uint8Array.of(1, 1),
  };
  const result: RangeResult = { type: "matrix", matrix, warnings: ["careful"], infos: [], partial: false };

  it("stands beside the data, which is as without it", () => {
    const plain = JSON.parse(textOf(encodeRange(result)));
    const { trace: told, ...rest } = JSON.parse(textOf(encodeRange({ ...result, trace })));
    expect(rest).toEqual(plain);
    expect(plain).not.toHaveProperty("trace");
    expect(told.children.map((c: TraceSpan) => c.name)).toEqual(["parse", "plans", "encode"]);
    expect(told.children[1]).toEqual({
      name: "plans",
      ms: 1.5,
      parallel: true,
      children: [{ name: "plan", ms: 1.499, about: { selector: "up", steps: 1 } }],
    });
    const scalar = textOf(encodeInstant({ ...result, type: "scalar", time: 0, value: 1, trace }));
    expect(JSON.parse(scalar)).toHaveProperty("trace.name", "query");
  });

  it("has parts that are together no more than the whole, whatever is cut off", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), { maxLength: 9 }), (parts) => {
        const whole = parts.reduce((sum, ms) => sum + ms, 0);
        const children = parts.map((ms) => ({ name: "part", ms }));
        const told = JSON.parse(encodeTrace({ name: "query", ms: whole, children }, 0.0019)) as TraceSpan;
        const sum = (told.children ?? []).reduce((n, c) => n + c.ms, 0);
        expect(sum).toBeLessThanOrEqual(told.ms + 1e-6);
      }),
    );
  });
});

describe("the time that pieces take", () => {
  it("is that of making them, not of what is done between", () => {
    let now = 0;
    function* body(): Generator<Buffer> {
      now += 3;
      yield Buffer.from("a");
      now += 4;
      yield Buffer.from("b");
      now += 5;
    }
    const { pieces, ms } = timed(body(), () => now);
    let text = "";
    for (const piece of pieces) {
      text += String(piece);
      now += 100;
    }
    expect(text).toBe("ab");
    expect(ms()).toBe(12);
  });
});
