import { goQuote } from "../../lib/go-quote.ts";
import {
  MIXED_BUCKETS,
  NOT_A_COUNTER,
  NOT_A_GAUGE,
  RECONCILED_IN_ADDITION,
  RECONCILED_IN_SUBTRACTION,
} from "../histogram/rate.ts";
import { mixedSchemas } from "./histogram-aggregate-notes.ts";
import type { Notebook } from "./notebook.ts";
import type { Windows } from "./windows.ts";

/** What range functions say of native histograms, in Prometheus's words. */

/** A window has floats and histograms, and the function has no result for that. */
export function sayMixedSamples(book: Notebook): void {
  book.say("warning", `encountered a mix of histograms and floats for metric name ${goQuote(book.metric())}`);
}

/** The function has worked on the floats of a window that has histograms as well. */
export function sayIgnored(book: Notebook): void {
  const text = "ignored histograms in a range containing both floats and histograms for metric name";
  book.say("info", `${text} ${goQuote(book.metric())}`);
}

/** The same of buckets: of those that have histograms the ends are known. Only windows with a result have floats. */
export function noteIgnored(
  ends: readonly number[],
  { start, end, steps }: Windows,
  present: Uint8Array,
  base: number,
  book: Notebook,
): void {
  for (let s = 0, i = 0; s < steps && i < ends.length; s++) {
    while (i < ends.length && (ends[i] as number) <= (start[s] as number)) i++;
    if (present[base + s] === 0 || i === ends.length || (ends[i] as number) > (end[s] as number)) continue;
    sayIgnored(book);
    return;
  }
}

export function sayMixedSchemas(book: Notebook): void {
  book.say("warning", mixedSchemas(book.metric()));
}

/** The notes of a `HistogramDifference`. */
export function sayDifference(book: Notebook, notes: number): void {
  if (notes === 0) return;
  if ((notes & MIXED_BUCKETS) !== 0) sayMixedSchemas(book);
  if ((notes & NOT_A_COUNTER) !== 0) {
    book.say("warning", `this native histogram metric is not a counter: ${goQuote(book.metric())}`);
  }
  if ((notes & NOT_A_GAUGE) !== 0) {
    book.say("warning", `this native histogram metric is not a gauge: ${goQuote(book.metric())}`);
  }
  const reconciled = "mismatched custom buckets were reconciled during";
  if ((notes & RECONCILED_IN_SUBTRACTION) !== 0) book.say("info", `${reconciled} subtraction`);
  if ((notes & RECONCILED_IN_ADDITION) !== 0) book.say("info", `${reconciled} addition`);
}
