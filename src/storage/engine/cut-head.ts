/**
 * What the head holds from before a cutoff, written to blocks: one for each 2 h window that has any of it. Frames go on being
 * applied meanwhile; what of them is older than the cutoff stays in the head for the next cut.
 */
import { join } from "node:path";
import type { Disk } from "../../lib/disk.ts";
import { firstAt } from "../../lib/search.ts";
import { makeSampleBuffer, type SampleBuffer } from "../../model/sample.ts";
import { makeBlockId } from "../block/block-id.ts";
import { type BlockWriter, makeBlockWriter } from "../block/writer.ts";
import type { Head } from "../head/head.ts";
import { headIdentity, seriesLabels, seriesTenant } from "../head/head.ts";
import { readSeries } from "../head/read.ts";
import type { Pause } from "../head/sliced-sort.ts";

/** Unix ms, end excluded. */
export interface TimeWindow {
  readonly start: number;
  readonly end: number;
}

/** Windows that are written side by side: each has a writer with open pages, so that memory bounds them. */
const SIDE_BY_SIDE = 12;

/**
 * Writes the samples of the windows to blocks of their own, durable when it resolves to their ids. `order` are the head's series
 * in order of their labels; `pause` is asked after each, and work goes on when it resolves. Nothing stays on disk when it rejects
 * (DiskError).
 */
export async function writeWindows(
  disk: Disk,
  tierDir: string,
  head: Head,
  order: Uint32Array,
  windows: readonly TimeWindow[],
  nowMs: number,
  pause: Pause,
): Promise<string[]> {
  const made: string[] = [];
  for (let at = 0; at < windows.length; at += SIDE_BY_SIDE) {
    const some = windows.slice(at, at + SIDE_BY_SIDE);
    made.push(...(await writeSome(disk, tierDir, head, order, some, nowMs, "fast", pause)));
  }
  return made;
}

async function writeSome(
  disk: Disk,
  tierDir: string,
  head: Head,
  order: Uint32Array,
  windows: readonly TimeWindow[],
  nowMs: number,
  effort: "fast" | "small",
  pause: Pause,
): Promise<string[]> {
  const writers: BlockWriter[] = [];
  try {
    for (const { start, end } of windows) {
      const id = makeBlockId(nowMs, Math.random);
      const options = {
        id,
        tier: "raw" as const,
        level: 1,
        sources: [],
        effort,
        rangeStart: start,
        rangeEnd: end,
        pause,
      };
      writers.push(await makeBlockWriter(disk, tierDir, options));
    }
    const all = makeSampleBuffer(4096);
    const words = new Uint32Array(3);
    const from = Math.min(...windows.map((w) => w.start));
    const to = Math.max(...windows.map((w) => w.end)) - 1;
    for (const id of order) {
      readSeries(head, id, from, to, all);
      if (all.length > 0) {
        headIdentity(head, id, words, 0);
        const hash = { lo: words[0] as number, hi: words[1] as number, check: words[2] as number };
        const tenant = seriesTenant(head, id);
        const labels = seriesLabels(head, id);
        for (let w = 0; w < windows.length; w++) {
          const { start, end } = windows[w] as TimeWindow;
          const samples = windows.length === 1 ? all : sliced(all, start, end - 1);
          if (samples.length > 0) await (writers[w] as BlockWriter).addRaw(tenant, labels, hash, samples);
        }
      }
      await pause();
    }
    const made: string[] = [];
    for (const writer of writers) {
      const meta = await writer.finish();
      if (meta !== undefined) made.push(meta.id);
    }
    return made;
  } catch (error) {
    for (const writer of writers) {
      await writer.abort().catch(() => undefined);
      // Those that were finished before the failure.
      await disk.removeDir(join(tierDir, writer.id)).catch(() => undefined);
    }
    throw error;
  }
}

/** The samples of a buffer in [minT, maxT], over the same memory. */
function sliced(all: SampleBuffer, minT: number, maxT: number): SampleBuffer {
  const first = firstAt(all.ts, 0, all.length, minT);
  const end = firstAt(all.ts, first, all.length, maxT + 1);
  return {
    ts: all.ts.subarray(first, end),
    values: all.values.subarray(first, end),
    words: all.words.subarray(2 * first, 2 * end),
    length: end - first,
    ...(all.startTs === undefined ? {} : { startTs: all.startTs.subarray(first, end) }),
    ...(all.histograms === undefined ? {} : { histograms: all.histograms }),
  };
}

/** All samples of the head up to `maxT` as one block, for a copy. Resolves to its id, undefined for an empty head. */
export async function writeWholeHead(
  disk: Disk,
  tierDir: string,
  head: Head,
  order: Uint32Array,
  window: TimeWindow,
  nowMs: number,
  pause: Pause,
): Promise<string | undefined> {
  const [id] = await writeSome(disk, tierDir, head, order, [window], nowMs, "small", pause);
  return id;
}
