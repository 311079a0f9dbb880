/** Rows of both rollup tiers out of raw blocks, series by series in order, as two new blocks. */
import { join } from "node:path";
import type { Disk } from "../../lib/disk.ts";
import { makeRollupBuffer, TIER_MS } from "../../model/rollup.ts";
import { makeSampleBuffer } from "../../model/sample.ts";
import type { Block } from "../block/block.ts";
import { makeBlockId } from "../block/block-id.ts";
import { keepSamples } from "../block/row-span.ts";
import { readMergedSamples, seriesInOrder } from "../block/series-in-order.ts";
import { makeBlockWriter } from "../block/writer.ts";
import { rollUp } from "../rollup/roll-up.ts";
import { rollUpFurther } from "../rollup/roll-up-further.ts";
import type { JobResult, RollupJob } from "./jobs.ts";

/** Rolls up the samples in (job.after, job.until]. `check` is called now and then and may throw. */
export async function rollUpBlocks(
  disk: Disk,
  job: RollupJob,
  blocks: readonly Block[],
  check: () => void,
): Promise<JobResult["made"]> {
  const { after, until } = job;
  const options = { level: 1, sources: job.ids, effort: "small" as const, rangeStart: after, rangeEnd: until };
  const id = (): string => makeBlockId(job.madeAt, Math.random);
  const minutes = await makeBlockWriter(disk, join(job.blocksDir, "1m"), { ...options, tier: "1m", id: id() });
  const hours = await makeBlockWriter(disk, join(job.blocksDir, "1h"), { ...options, tier: "1h", id: id() });
  const samples = makeSampleBuffer(4096);
  const minuteRows = makeRollupBuffer(256);
  const hourRows = makeRollupBuffer(16);
  try {
    for (const series of seriesInOrder(blocks)) {
      check();
      readMergedSamples(series, samples);
      // A bucket is open to the left, and times are whole milliseconds.
      keepSamples(samples, after + 1, until);
      if (samples.length === 0) continue;
      rollUp(samples, TIER_MS["1m"], minuteRows);
      if (minuteRows.length === 0) continue;
      rollUpFurther(minuteRows, TIER_MS["1h"], hourRows);
      const { tenant, labels, hash } = series[0];
      await minutes.addRollup(tenant, labels, hash, minuteRows);
      await hours.addRollup(tenant, labels, hash, hourRows);
    }
    const fine = await minutes.finish();
    const coarse = await hours.finish();
    return [
      ...(fine === undefined ? [] : [{ tier: "1m" as const, id: fine.id }]),
      ...(coarse === undefined ? [] : [{ tier: "1h" as const, id: coarse.id }]),
    ];
  } catch (error) {
    for (const writer of [minutes, hours]) {
      await writer.abort().catch(() => undefined);
      // One may be there already when the other failed.
      await disk.removeDir(join(job.blocksDir, writer === minutes ? "1m" : "1h", writer.id)).catch(() => undefined);
    }
    throw error;
  }
}
