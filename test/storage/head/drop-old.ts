import type { Head } from "../../../src/storage/head/head.ts";
import { dropOldHistograms } from "../../../src/storage/head/histogram-arena.ts";
import { dropSeriesSamples, updateMinT } from "../../../src/storage/head/retention.ts";

/** Drops samples older than `before` (Unix ms) of all series, see `dropSeriesSamples`. Returns whether any went. */
export function dropOldSamples(head: Head, before: number): boolean {
  let dropped = false;
  for (let id = 0; id < head.series.count; id++) dropped = dropSeriesSamples(head, id, before) || dropped;
  dropOldHistograms(head.histograms, before);
  updateMinT(head);
  return dropped;
}
