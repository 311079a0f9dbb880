/** Rows of both rollup tiers out of raw blocks, series by series in order, as two new blocks. */
import { join } from "node:path";
import type { Disk } from "../../lib/disk.ts";
import { compareLabels } from "../../model/labels.ts";
import { makeRollupBuffer, TIER_MS } from "../../model/rollup.ts";
import { makeSampleBuffer, type SampleBuffer } from "../../model/sample.ts";
import type { Block } from "../block/block.ts";
import { type BlockSeries, iterateBlock } from "../block/iterate.ts";
import { keepSamples } from "../block/row-span.ts";
import { makeBlockWriter } from "../block/writer.ts";
import { rollUp } from "../rollup/roll-up.ts";
import { rollUpFurther } from "../rollup/roll-up-further.ts";
import type { JobResult, RollupJob } from "./jobs.ts";
import { mergeSamples } from "./merge-samples.ts";

/** Rolls up the samples in (job.after, job.until]. `check` is called now and then and may throw. */
export async function rollUpBlocks(
  disk: Disk,
  job: RollupJob,
  blocks: readonly Block[],
  check: () => void,
): Promise<JobResult["made"]> {
  const { after, until } = job;
  const options = { level: 1, sources: job.ids, effort: "small" as const, rangeStart: after, rangeEnd: until };
  const minutes = await makeBlockWriter(disk, join(job.blocksDir, "1m"), { ...options, tier: "1m" });
  const hours = await makeBlockWriter(disk, join(job.blocksDir, "1h"), { ...options, tier: "1h" });
  const samples = makeSampleBuffer(4096);
  const minuteRows = makeRollupBuffer(256);
  const hourRows = makeRollupBuffer(16);
  try {
    for (const series of seriesInOrder(blocks, samples)) {
      check();
      // A bucket is open to the left, and times are whole milliseconds.
      keepSamples(samples, after + 1, until);
      if (samples.length === 0) continue;
      rollUp(samples, TIER_MS["1m"], minuteRows);
      if (minuteRows.length === 0) continue;
      rollUpFurther(minuteRows, TIER_MS["1h"], hourRows);
      await minutes.addRollup(series.tenant, series.labels, series.hash, minuteRows);
      await hours.addRollup(series.tenant, series.labels, series.hash, hourRows);
    }
    const fine = await minutes.finish();
    const coarse = await hours.finish();
    return [
      ...(fine === undefined ? [] : [{ tier: "1m" as const, id: fine.id }]),
      ...(coarse === undefined ? [] : [{ tier: "1h" as const, id: coarse.id }]),
    ];
  } catch (error) {
    await minutes.abort();
    await hours.abort();
    throw error;
  }
}

/** Each series of the blocks once, with its samples of all of them in `samples`. */
function* seriesInOrder(blocks: readonly Block[], samples: SampleBuffer): Generator<BlockSeries> {
  const more = makeSampleBuffer(1024);
  const sources = blocks.map((block) => iterateBlock(block));
  const current = sources.map((s) => next(s));
  for (;;) {
    let least: BlockSeries | undefined;
    for (const c of current) if (c !== undefined && (least === undefined || compareSeries(c, least) < 0)) least = c;
    if (least === undefined) return;
    samples.length = 0;
    if (samples.histograms !== undefined) samples.histograms.length = 0;
    for (const [i, c] of current.entries()) {
      if (c === undefined || compareSeries(c, least) !== 0) continue;
      c.readSamples(more);
      mergeSamples(samples, more);
      current[i] = next(sources[i] as Generator<BlockSeries>);
    }
    yield least;
  }
}

function next(series: Generator<BlockSeries>): BlockSeries | undefined {
  const { value, done } = series.next();
  return done === true ? undefined : value;
}

function compareSeries(a: BlockSeries, b: BlockSeries): number {
  if (a.tenant !== b.tenant) return a.tenant < b.tenant ? -1 : 1;
  return compareLabels(a.labels, b.labels);
}
