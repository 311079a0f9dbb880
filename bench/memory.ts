/** Memory with a million active series of seven labels and six samples each: RSS of the whole process tree. */
import { fleetLabels, fleetRequest } from "./lib/fleet.ts";
import { postAll, settled, untilVisible } from "./lib/load.ts";
import { treeUsage } from "./lib/process-tree.ts";
import { snappy } from "./lib/remote-write-body.ts";
import { printTable } from "./lib/report.ts";
import { serversToMeasure, startServer } from "./lib/servers.ts";

const SERIES = Number(process.env.BENCH_SERIES ?? 1_000_000);
const PER_REQUEST = 2_000;
const ROUNDS = 6;
const INTERVAL_MS = 15_000;
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
      for (let round = 0; round < ROUNDS; round++) {
        const time = end - (ROUNDS - 1 - round) * INTERVAL_MS;
        for (let from = 0; from < SERIES; from += 50 * PER_REQUEST) {
          const bodies: Buffer[] = [];
          for (let at = from; at < Math.min(SERIES, from + 50 * PER_REQUEST); at += PER_REQUEST) {
            bodies.push(snappy(fleetRequest(labels, at, Math.min(PER_REQUEST, SERIES - at), round, time)));
          }
          await postAll(server.url, bodies, 8);
          peak = Math.max(peak, treeUsage(server.pid).rssBytes);
        }
      }
      await settled(server);
      const seen = await untilVisible(server.url, COUNT, end / 1000, SERIES * ROUNDS, 60_000);
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

const COUNT = "sum(count_over_time(bench_requests_total[1h]))";
