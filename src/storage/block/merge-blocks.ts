/** One block out of several: series in order, samples of the same series merged by time, what is deleted or too old left out. */
import type { Disk } from "../../lib/disk.ts";
import type { Labels } from "../../model/labels.ts";
import { makeRollupBuffer, TIER_MS } from "../../model/rollup.ts";
import { makeSampleBuffer } from "../../model/sample.ts";
import type { Block } from "./block.ts";
import type { SeriesHash } from "./identity.ts";
import type { BlockMeta } from "./meta.ts";
import { keepRows, keepSamples } from "./row-span.ts";
import { readMergedRows, readMergedSamples, seriesInOrder } from "./series-in-order.ts";
import { type BlockOptions, makeBlockWriter } from "./writer.ts";

export interface MergeHooks {
  /** The first time (Unix ms; of rollups: bucket start) of a series that is kept; nothing is dropped where it is undefined. */
  readonly keep?: (tenant: string, labels: Labels) => number | undefined;
}

/**
 * Merges blocks of one tier into a new one; where several have a sample at one time, the block that comes last in `blocks` wins.
 * `options.pause` is asked after each series. Resolves to undefined when nothing is left. Rejects with `BlockError` when a source is
 * damaged and with `DiskError`; the sources are never changed, and nothing of the new block stays then.
 */
export async function mergeBlocks(
  disk: Disk,
  tierDir: string,
  blocks: readonly Block[],
  options: BlockOptions,
  hooks: MergeHooks = {},
): Promise<BlockMeta | undefined> {
  const writer = await makeBlockWriter(disk, tierDir, { intervalMs: usualInterval(blocks, options), ...options });
  const samples = makeSampleBuffer(1024);
  const rows = makeRollupBuffer(64);
  const add = (tenant: string, labels: Labels, hash: SeriesHash, minT: number): Promise<void> | void => {
    if (options.tier === "raw") {
      keepSamples(samples, minT, Number.POSITIVE_INFINITY);
      return samples.length > 0 ? writer.addRaw(tenant, labels, hash, samples) : undefined;
    }
    keepRows(rows, 0, minT, Number.POSITIVE_INFINITY);
    return rows.length > 0 ? writer.addRollup(tenant, labels, hash, rows) : undefined;
  };
  try {
    for (const series of seriesInOrder(blocks)) {
      const { tenant, labels, hash } = series[0];
      if (options.tier === "raw") readMergedSamples(series, samples);
      else readMergedRows(series, rows);
      const wait = add(tenant, labels, hash, hooks.keep?.(tenant, labels) ?? Number.NEGATIVE_INFINITY);
      if (wait !== undefined) await wait;
      const pause = options.pause?.();
      if (pause !== undefined) await pause;
    }
    return await writer.finish();
  } catch (error) {
    await writer.abort().catch(() => undefined);
    throw error;
  }
}

/** About how far apart samples are, from what the blocks say. */
function usualInterval(blocks: readonly Block[], options: BlockOptions): number {
  if (options.tier !== "raw") return TIER_MS[options.tier];
  let time = 0;
  let samples = 0;
  for (const { meta } of blocks) {
    time += meta.series * (meta.maxT - meta.minT);
    samples += meta.samples - meta.series;
  }
  return samples > 0 && time > 0 ? Math.min(Math.max(time / samples, 1000), 3_600_000) : 15_000;
}
