import { CUSTOM_BUCKETS_SCHEMA, type Histogram, RESET_UNKNOWN } from "../../model/histogram.ts";
import { cloneHistogram } from "./copy.ts";
import { coarserSide, readSide, spansOf } from "./side.ts";

/** Merges buckets in place into those of a coarser exponential schema. `lost`: the compensation, which has the same layout. */
export function reduceResolution(h: Histogram, schema: number, lost?: Histogram): void {
  if (h.schema === schema) return;
  if (h.schema === CUSTOM_BUCKETS_SCHEMA || schema === CUSTOM_BUCKETS_SCHEMA || schema > h.schema) {
    throw new Error(`a histogram of schema ${h.schema} cannot get schema ${schema}`);
  }
  const steps = h.schema - schema;
  const positive = coarserSide(readSide(h.positiveSpans, h.positive, lost?.positive), steps);
  const negative = coarserSide(readSide(h.negativeSpans, h.negative, lost?.negative), steps);
  h.schema = schema;
  h.positiveSpans = spansOf(positive.index);
  h.positive = positive.count;
  h.negativeSpans = spansOf(negative.index);
  h.negative = negative.count;
  if (lost === undefined) return;
  lost.schema = schema;
  lost.positiveSpans = h.positiveSpans.slice();
  lost.positive = positive.lost as number[];
  lost.negativeSpans = h.negativeSpans.slice();
  lost.negative = negative.lost as number[];
}

/** A copy in a schema that is not finer; what is known of counter resets is lost with another schema. */
export function copyToSchema(h: Histogram, schema: number): Histogram {
  const copy = cloneHistogram(h);
  if (schema === h.schema) return copy;
  reduceResolution(copy, schema);
  copy.resetHint = RESET_UNKNOWN;
  return copy;
}
