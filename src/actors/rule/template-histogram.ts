import { isObject, type Value } from "../../lib/gotemplate/value.ts";
import type { Histogram } from "../../model/histogram.ts";
import { notateHistogram, showHistogram } from "../../query/histogram/show.ts";

/** The values that are histograms. */
const known = new WeakSet<object>();

/** A sample's value as templates see it: a native histogram prints itself in words, and has the fields that Go's has. */
export function sampleValue(value: number | Histogram): Value {
  return typeof value === "number" ? value : histogramValue(value);
}

export function isTemplateHistogram(v: Value): boolean {
  return isObject(v) && known.has(v);
}

function histogramValue(h: Histogram): Value {
  const value = {
    toText: () => showHistogram(h),
    String: () => showHistogram(h),
    TestExpression: () => notateHistogram(h),
    Schema: BigInt(h.schema),
    ZeroThreshold: h.zeroThreshold,
    ZeroCount: h.zeroCount,
    Count: h.count,
    Sum: h.sum,
    PositiveBuckets: h.positive,
    NegativeBuckets: h.negative,
    CustomValues: h.customBounds,
  };
  known.add(value);
  return value;
}
