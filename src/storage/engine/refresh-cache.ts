import { type Head, headIdentity } from "../head/head.ts";
import { forgetPastChanges } from "../head/past-changes.ts";
import { forgetAll, forgetSeries, type SeriesCache, seriesNumber } from "./series-cache.ts";

const identity = new Uint32Array(3);

/**
 * Makes the cache one that may be answered from: without the series whose past has changed in the head, and empty where other
 * blocks than last time are read (a list of blocks is made anew with each change). Before each request.
 */
export function refreshCache(cache: SeriesCache, head: Head, blocks: readonly unknown[]): void {
  const { past } = head;
  if (past.all || cache.blocks !== blocks) {
    cache.blocks = blocks;
    forgetAll(cache);
  } else if (cache.known.count > 0) {
    for (let i = 0; i < past.count; i++) {
      headIdentity(head, past.ids[i] as number, identity, 0);
      forgetSeries(cache, seriesNumber(cache, identity));
    }
  }
  forgetPastChanges(past);
}
