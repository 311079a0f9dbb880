import { formatSampleValue } from "../lib/float-format.ts";
import type { Histogram } from "../model/histogram.ts";
import { apiBuckets } from "../query/histogram/show.ts";

/** A native histogram as Prometheus's JSON has it; `buckets` only where there are any. */
export function encodeHistogramJson(h: Histogram): string {
  const buckets = apiBuckets(h).map(
    ([inclusive, lower, upper, count]) =>
      `[${inclusive},"${formatSampleValue(lower)}","${formatSampleValue(upper)}","${formatSampleValue(count)}"]`,
  );
  const tail = buckets.length === 0 ? "" : `,"buckets":[${buckets.join(",")}]`;
  return `{"count":"${formatSampleValue(h.count)}","sum":"${formatSampleValue(h.sum)}"${tail}}`;
}
