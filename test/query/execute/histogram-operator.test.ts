import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Histogram, RESET_GAUGE } from "../../../src/model/histogram.ts";
import { operateOnPair, type PairResult, withFloat } from "../../../src/query/execute/histogram-operator.ts";
import { compactHistogram } from "../../../src/query/histogram/compact.ts";
import { sameHistogram } from "../../../src/query/histogram/compare.ts";
import { cloneHistogram } from "../../../src/query/histogram/copy.ts";
import {
  anyHistogram,
  customHistogram,
  exponentialHistogram,
  histogramPair,
  withoutOverlap,
} from "../histogram/arbitrary-histogram.ts";

const OPERATORS = ["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", "<=", ">", ">=", "</", ">/"] as const;
const operator = fc.constantFrom(...OPERATORS);
const float = fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY));
const sample = fc.oneof(anyHistogram, float);

function histogramOf(result: PairResult): Histogram {
  if (result.kind !== "histogram") throw new Error(result.kind);
  return result.histogram;
}

/** Which pairs have results, as the table in Prometheus's documentation of operators has it. */
function hasResult(op: string, a: Histogram | number, b: Histogram | number): boolean {
  if (typeof a === "number") return typeof b !== "number" && op === "*";
  if (typeof b === "number") return ["*", "/", "</", ">/"].includes(op);
  return ["+", "-", "==", "!="].includes(op);
}

describe("operators on pairs of samples", () => {
  test("leave the samples as they are", () => {
    void fc.assert(
      fc.property(operator, sample, sample, (op, a, b) => {
        const before = structuredClone([a, b]);
        operateOnPair(op, a, b);
        expect([a, b]).toEqual(before);
      }),
    );
  });

  test("have a result or say why not", () => {
    void fc.assert(
      fc.property(operator, sample, sample, (op, a, b) => {
        fc.pre(typeof a !== "number" || typeof b !== "number" || op === "</" || op === ">/");
        const result = operateOnPair(op, a, b);
        if (result.kind === "none") {
          const types = [a, b].map((x) => (typeof x === "number" ? "float" : "histogram"));
          const text = `incompatible sample types encountered for binary operator "${op}": ${types.join(` ${op} `)}`;
          const { severity } = result.note;
          if (hasResult(op, a, b)) expect(severity).toBe("warning");
          else expect(result.note).toEqual({ severity: "info", text });
        } else expect(hasResult(op, a, b)).toBe(true);
      }),
    );
  });

  test("results are compact and share nothing with the samples", () => {
    const made = fc.constantFrom("+", "-", "*", "/", "</", ">/");
    void fc.assert(
      fc.property(made, histogramPair, float, (op, [a, b], c) => {
        const result = operateOnPair(op, a, op === "+" || op === "-" ? b : c);
        if (result.kind !== "histogram" || !Number.isFinite(c)) return;
        const h = cloneHistogram(result.histogram);
        if (op !== "</" && op !== ">/") expect(compactHistogram(cloneHistogram(h), 0)).toEqual(h);
        const before = structuredClone([a, b]);
        for (const part of [result.histogram.positive, result.histogram.customBounds]) part.fill(-1);
        expect([a, b]).toEqual(before);
      }),
    );
  });

  test("a difference is a gauge, a sum the same either way round", () => {
    void fc.assert(
      fc.property(histogramPair, (pair) => {
        const [a, b] = pair.map(withoutOverlap) as [Histogram, Histogram];
        const sum = operateOnPair("+", a, b);
        const other = operateOnPair("+", b, a);
        expect(sum.kind).toBe(other.kind);
        if (sum.kind !== "histogram") return;
        expect(sameHistogram(sum.histogram, histogramOf(other))).toBe(true);
        expect(sum.histogram.resetHint).toBe(histogramOf(other).resetHint);
        expect(histogramOf(operateOnPair("-", a, b)).resetHint).toBe(RESET_GAUGE);
      }),
    );
  });

  test("== and != are opposites, whatever the counter resets", () => {
    void fc.assert(
      fc.property(anyHistogram, anyHistogram, fc.nat(3), (a, b, resetHint) => {
        const equal = operateOnPair("==", a, b);
        const different = operateOnPair("!=", a, b);
        if (equal.kind !== "compared" || different.kind !== "compared") throw new Error("not compared");
        expect(equal.holds).toBe(!different.holds);
        expect(operateOnPair("==", a, { ...a, resetHint })).toEqual({ kind: "compared", holds: true });
      }),
    );
  });

  test("kinds of buckets that do not go together are warned of", () => {
    void fc.assert(
      fc.property(exponentialHistogram, customHistogram, fc.constantFrom("+", "-"), fc.boolean(), (a, b, op, turn) => {
        expect(turn ? operateOnPair(op, b, a) : operateOnPair(op, a, b)).toEqual({
          kind: "none",
          note: { severity: "warning", text: `incompatible bucket layout encountered for binary operator ${op}` },
        });
      }),
    );
  });

  test("a negative factor makes a gauge, on either side", () => {
    void fc.assert(
      fc.property(anyHistogram, fc.boolean(), (h, onLeft) => {
        expect(withFloat("*", h, -2, onLeft)?.resetHint).toBe(RESET_GAUGE);
        expect(withFloat("*", h, 2, onLeft)?.resetHint).toBe(h.resetHint);
      }),
    );
  });
});
