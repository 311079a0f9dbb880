/** Rows of both rollup tiers out of raw blocks, series by series in order, as two new blocks. */
import { join } from "node:path";
import type { Disk } from "../../lib/disk.ts";
import type { Block } from "../block/block.ts";
import { makeBlockId } from "../block/block-id.ts";
import { seriesInOrder } from "../block/series-in-order.ts";
import { makeBlockWriter } from "../block/writer.ts";
import { makeSeriesRows, rollUpSeries } from "./amend-series.ts";
import type { JobResult, RollupJob } from "./jobs.ts";

/** Rolls up the samples in (job.after, job.until]; `old` are the blocks of `job.rows`. `check` is called now and then and may throw. */
export async function rollUpBlocks(
  disk: Disk,
  job: RollupJob,
  blocks: readonly Block[],
  old: readonly Block[],
  check: () => void,
): Promise<JobResult["made"]> {
  const { after, until } = job;
  const options = { level: 1, sources: job.ids, effort: "small" as const, rangeStart: after, rangeEnd: until };
  const id = (): string => makeBlockId(job.madeAt, Math.random);
  const minutes = await makeBlockWriter(disk, join(job.blocksDir, "1m"), { ...options, tier: "1m", id: id() });
  const hours = await makeBlockWriter(disk, join(job.blocksDir, "1h"), { ...options, tier: "1h", id: id() });
  const rows = makeSeriesRows();
  try {
    for (const series of seriesInOrder([...blocks, ...old])) {
      check();
      rollUpSeries(job, series, rows);
      const { tenant, labels, hash } = series[0];
      if (rows.minutes.length > 0) await minutes.addRollup(tenant, labels, hash, rows.minutes);
      if (rows.hours.length > 0) await hours.addRollup(tenant, labels, hash, rows.hours);
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
