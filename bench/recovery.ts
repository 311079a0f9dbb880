/** Ready again after kill -9: a million active series with 30 samples each, killed right after the last acknowledgement. */
import { fleetBodies, fleetCount, fleetLabels } from "./lib/fleet.ts";
import { postAll, untilVisible } from "./lib/load.ts";
import { printTable } from "./lib/report.ts";
import { serversToMeasure, startServer } from "./lib/servers.ts";

const SERIES = Number(process.env.BENCH_SERIES ?? 1_000_000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 30);

export async function benchRecovery(): Promise<void> {
  const labels = Array.from({ length: SERIES }, (_, i) => fleetLabels(i));
  const rows: string[][] = [];
  for (const name of serversToMeasure()) {
    const server = await startServer(name);
    try {
      const end = Math.floor(Date.now() / 1000) * 1000;
      await postAll(server.url, fleetBodies(labels, ROUNDS, end), 8);
      const start = performance.now();
      await server.killAndRestart();
      const ready = performance.now() - start;
      const seen = await untilVisible(server.url, fleetCount("1h"), end / 1000, SERIES * ROUNDS, 60_000);
      const visible = performance.now() - start;
      rows.push([
        `${name} ${server.version}`,
        `${(ready / 1000).toFixed(1)} s`,
        `${(visible / 1000).toFixed(1)} s`,
        (SERIES * ROUNDS - seen).toLocaleString("en-US"),
      ]);
    } finally {
      await server.stop();
    }
  }
  printTable(
    `${SERIES.toLocaleString("en-US")} series, ${ROUNDS} samples each, kill -9 of the process tree, then a start`,
    ["server", "ready after", "all of it counted after", "acknowledged samples lost"],
    rows,
  );
}
