/** Memory with a million active series of seven labels and six samples each: RSS of the whole process tree. */
import { fleetBodies, fleetCount, fleetLabels } from "./lib/fleet.ts";
import { postAll, settled, untilVisible } from "./lib/load.ts";
import { treeUsage } from "./lib/process-tree.ts";
import { printTable } from "./lib/report.ts";
import { serversToMeasure, startServer } from "./lib/servers.ts";

const SERIES = Number(process.env.BENCH_SERIES ?? 1_000_000);
const ROUNDS = 6;
/** Memory is looked at for so long after the load; the least counts, since garbage and caches of the load are not held. */
const REST_SECONDS = 30;

export async function benchMemory(): Promise<void> {
  const labels = Array.from({ length: SERIES }, (_, i) => fleetLabels(i));
  const rows: string[][] = [];
  for (const name of serversToMeasure()) {
    const server = await startServer(name);
    try {
      const end = Math.floor(Date.now() / 1000) * 1000;
      let peak = 0;
      const looking = function* () {
        let sent = 0;
        for (const body of fleetBodies(labels, ROUNDS, end)) {
          if (sent++ % 50 === 0) peak = Math.max(peak, treeUsage(server.pid).rssBytes);
          yield body;
        }
      };
      await postAll(server.url, looking(), 8);
      await settled(server);
      const seen = await untilVisible(server.url, fleetCount("1h"), end / 1000, SERIES * ROUNDS, 60_000);
      let rest = Number.POSITIVE_INFINITY;
      for (let s = 0; s < REST_SECONDS; s++) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        rest = Math.min(rest, treeUsage(server.pid).rssBytes);
      }
      rows.push([
        `${name} ${server.version}`,
        `${Math.round(rest / 2 ** 20)} MiB`,
        `${Math.round(rest / SERIES)} B`,
        `${Math.round(peak / 2 ** 20)} MiB`,
        (SERIES * ROUNDS - seen).toLocaleString("en-US"),
      ]);
    } finally {
      await server.stop();
    }
  }
  printTable(
    `${SERIES.toLocaleString("en-US")} series of 7 labels, ${ROUNDS} samples each; RSS of the process tree`,
    ["server", "at rest", "a series", "peak under load", "samples missing"],
    rows,
  );
}
