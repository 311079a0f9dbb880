import { contentBytes, type FrameBuilder, reserveRows } from "../codec/frame-encode.ts";
import type { SampleBatch } from "../codec/sample-batch.ts";
import type { AppendCore, Run } from "./append-rows.ts";
import { joinOpenFrame, type PartitionQueue } from "./partition-queue.ts";
import { ALIAS, ANNOUNCED, HIGH, LOW, PLACE, STATE, USED } from "./series-cache.ts";
import { PAGE_BITS, PAGE_MASK, STRIDE } from "./series-index.ts";

/** Up to which row the open frame of each partition takes rows without a further look at it. */
let limits = new Int32Array(16);

/**
 * Appends the samples of a batch in which every series has one, as a running fleet sends them: those of series that are known,
 * announced and speak for themselves (`found` has their entries), at usual times, in one loop. `other` is called for each series
 * that is anything else, in its place.
 *
 * The batch must have as many samples as series, no histograms and no start times.
 */
export function appendKnown(
  core: AppendCore,
  run: Run,
  batch: SampleBatch,
  found: Int32Array,
  other: (series: number) => void,
): void {
  const { queues, idleSeconds, maxFrameBytes } = core;
  const pages = core.cache.words;
  const { nowSeconds, minTime, maxTime, ts, words: values } = run;
  if (limits.length < queues.length) limits = new Int32Array(2 * queues.length);
  limits.fill(0);
  const n = batch.series;
  let accepted = 0;
  for (let s = 0; s < n; s++) {
    const entry = found[s] as number;
    if (entry >= 0) {
      const words = pages[entry >>> PAGE_BITS] as Uint32Array;
      const w = (entry & PAGE_MASK) * STRIDE;
      const place = words[w + PLACE] as number;
      const t = ts[s] as number;
      if (place < ALIAS && t <= maxTime && t >= minTime && nowSeconds - (words[w + USED] as number) < idleSeconds) {
        const q = queues[place] as PartitionQueue;
        const state = words[w + STATE] as number;
        const open = q.open;
        const i = open.samples;
        if (
          (state === ANNOUNCED || state === q.serial) &&
          (i < (limits[place] as number) || prepare(q, open, run, maxFrameBytes) > 0)
        ) {
          words[w + USED] = nowSeconds;
          open.hashLo[i] = words[w + LOW] as number;
          open.hashHi[i] = words[w + HIGH] as number;
          open.ts[i] = t;
          open.words[2 * i] = values[2 * s] as number;
          open.words[2 * i + 1] = values[2 * s + 1] as number;
          open.samples = i + 1;
          accepted++;
          continue;
        }
      }
    }
    other(s);
    // It may have sealed frames.
    limits.fill(0);
  }
  run.accepted += accepted;
}

/** Makes the request wait for the open frame and the frame ready for rows; 0 when it is full. */
function prepare(q: PartitionQueue, open: FrameBuilder, run: Run, maxFrameBytes: number): number {
  const room = Math.floor((maxFrameBytes - contentBytes(open)) / (open.hasStart ? 32 : 24));
  if (room <= 0) return 0;
  joinOpenFrame(q, run.ticket);
  if (open.samples === open.ts.length) reserveRows(open, 1);
  limits[q.partition] = Math.min(open.samples + room, open.ts.length);
  return room;
}
