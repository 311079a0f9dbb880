/** The series of several blocks in order, each once, with every block that has it. */
import { compareLabels } from "../../model/labels.ts";
import type { RollupBuffer } from "../../model/rollup.ts";
import { makeRollupBuffer } from "../../model/rollup.ts";
import { makeSampleBuffer, type SampleBuffer } from "../../model/sample.ts";
import { mergeRollups } from "../merge/merge-rollups.ts";
import { mergeSamples } from "../merge/merge-samples.ts";
import type { Block } from "./block.ts";
import { type BlockSeries, iterateBlock } from "./iterate.ts";

/**
 * Yields one series after the other as the blocks have it, in the order of `blocks`; to be read before the next is asked for.
 * Throws `BlockError`.
 */
export function* seriesInOrder(blocks: readonly Block[]): Generator<readonly [BlockSeries, ...BlockSeries[]]> {
  const sources = blocks.map((block) => iterateBlock(block));
  const current = sources.map((s) => s.next().value as BlockSeries | undefined);
  for (;;) {
    let least: BlockSeries | undefined;
    for (const c of current) if (c !== undefined && (least === undefined || compareSeries(c, least) < 0)) least = c;
    if (least === undefined) return;
    const same: number[] = [];
    for (const [i, c] of current.entries()) if (c !== undefined && compareSeries(c, least) === 0) same.push(i);
    yield same.map((i) => current[i]) as unknown as [BlockSeries, ...BlockSeries[]];
    for (const i of same) current[i] = sources[i]?.next().value as BlockSeries | undefined;
  }
}

function compareSeries(a: BlockSeries, b: BlockSeries): number {
  if (a.tenant !== b.tenant) return a.tenant < b.tenant ? -1 : 1;
  return compareLabels(a.labels, b.labels);
}

const moreSamples = makeSampleBuffer(1024);
const moreRows = makeRollupBuffer(64);

/** Replaces the content of `out` by the samples of a series in all its blocks; the last one wins at equal times. */
export function readMergedSamples([first, ...rest]: readonly [BlockSeries, ...BlockSeries[]], out: SampleBuffer): void {
  first.readSamples(out);
  for (const series of rest) {
    series.readSamples(moreSamples);
    mergeSamples(out, moreSamples);
  }
}

/** The same for rollups. */
export function readMergedRows([first, ...rest]: readonly [BlockSeries, ...BlockSeries[]], out: RollupBuffer): void {
  first.readRows(out);
  for (const series of rest) {
    series.readRows(moreRows);
    mergeRollups(out, 0, moreRows);
  }
}
