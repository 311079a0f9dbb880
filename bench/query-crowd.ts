/**
 * The queries of `query` once more while a million other series (BENCH_SERIES) are there: the cost should grow with what is
 * selected, not with what is stored. The others have names and values of labels in common with those that are asked for.
 */
import { fleetBodies, fleetLabels } from "./lib/fleet.ts";
import { postAll, settled } from "./lib/load.ts";
import { geometricMean } from "./lib/range-queries.ts";
import { printTable } from "./lib/report.ts";
import { serversToMeasure, startServer } from "./lib/servers.ts";
import { loadRecent, measureRecent, RECENT_QUERIES, STEP_MS } from "./query-recent.ts";

const OTHERS = Number(process.env.BENCH_SERIES ?? 1_000_000);
const ROUNDS = 2;

export async function benchQueryCrowd(): Promise<void> {
  const end = Math.floor(Date.now() / STEP_MS) * STEP_MS;
  const heads: string[] = [];
  const cells: string[][] = RECENT_QUERIES.map(({ query }) => [query]);
  cells.push(["geometric mean"]);
  for (const name of serversToMeasure()) {
    const server = await startServer(name);
    try {
      await loadRecent(server, end);
      // Once for nothing, so that what is warm by then is not taken for what the others cost.
      await measureRecent(server, end);
      const alone = await measureRecent(server, end);
      const labels = Array.from({ length: OTHERS }, (_, i) => fleetLabels(i));
      await postAll(server.url, fleetBodies(labels, ROUNDS, end), 4);
      await settled(server);
      const among = await measureRecent(server, end);
      heads.push(`${name} ${server.version}`, "among the others", "ratio");
      const a = [...alone, geometricMean(alone)];
      const b = [...among, geometricMean(among)];
      for (const [i, row] of cells.entries()) {
        row.push(a[i]?.toFixed(1) ?? "failed", b[i]?.toFixed(1) ?? "failed", ratio(b[i], a[i]));
      }
    } finally {
      await server.stop();
    }
  }
  const others = OTHERS.toLocaleString("en-US");
  printTable(`Milliseconds (median) alone and with ${others} other series`, ["query", ...heads], cells);
}

function ratio(a: number | undefined, b: number | undefined): string {
  return a === undefined || b === undefined ? "" : (a / b).toFixed(2);
}
