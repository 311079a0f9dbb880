import { expect } from "vitest";
import type { Histogram } from "../../../src/model/histogram.ts";
import { compactHistogram } from "../../../src/query/histogram/compact.ts";
import { cloneHistogram } from "../../../src/query/histogram/copy.ts";
import { readHistogram } from "./notation.ts";

function close(a: number, b: number): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (Math.abs(a - b) < 1e-300) return true;
  return Math.abs(a - b) <= 1e-6 * Math.max(Math.abs(a), Math.abs(b));
}

/** Expects a histogram to be the one of the notation, counts to one millionth, layouts compact; hints where one is given. */
export function expectHistogram(actual: Histogram | undefined, notation: string): void {
  if (actual === undefined) throw new Error(`no histogram, expected ${notation}`);
  const a = compactHistogram(cloneHistogram(actual), 0);
  const b = compactHistogram(readHistogram(notation), 0);
  const numbers = (h: Histogram) => [h.count, h.sum, h.zeroCount, ...h.positive, ...h.negative];
  const layout = (h: Histogram) => [h.schema, h.zeroThreshold, h.positiveSpans, h.negativeSpans, h.customBounds];
  expect(layout(a)).toEqual(layout(b));
  const x = numbers(a);
  const y = numbers(b);
  expect(
    x.filter((n, i) => !close(n, y[i] as number)),
    `${x} is not ${y}`,
  ).toEqual([]);
  if (notation.includes("counter_reset_hint")) expect(a.resetHint).toBe(b.resetHint);
}
