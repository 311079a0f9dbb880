/** Ready again after kill -9: a million active series with 30 samples each, killed right after the last acknowledgement. */
import { fleetLabels, fleetRequest } from "./lib/fleet.ts";
import { postAll, untilVisible } from "./lib/load.ts";
import { snappy } from "./lib/remote-write-body.ts";
import { printTable } from "./lib/report.ts";
import { serversToMeasure, startServer } from "./lib/servers.ts";

const SERIES = Number(process.env.BENCH_SERIES ?? 1_000_000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 30);
const PER_REQUEST = 2_000;
const INTERVAL_MS = 15_000;

export async function benchRecovery(): Promise<void> {
  const labels = Array.from({ length: SERIES }, (_, i) => fleetLabels(i));
  const rows: string[][] = [];
  for (const name of serversToMeasure()) {
    const server = await startServer(name);
    try {
      const end = Math.floor(Date.now() / 1000) * 1000;
      for (let round = 0; round < ROUNDS; round++) {
        for (let from = 0; from < SERIES; from += 50 * PER_REQUEST) {
          const bodies: Buffer[] = [];
          for (let at = from; at < Math.min(SERIES, from + 50 * PER_REQUEST); at += PER_REQUEST) {
            const count = Math.min(PER_REQUEST, SERIES - at);
            bodies.push(snappy(fleetRequest(labels, at, count, round, end - (ROUNDS - 1 - round) * INTERVAL_MS)));
          }
          await postAll(server.url, bodies, 8);
        }
      }
      const start = performance.now();
      await server.killAndRestart();
      const ready = performance.now() - start;
      const seen = await untilVisible(server.url, COUNT, end / 1000, SERIES * ROUNDS, 60_000);
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

const COUNT = "sum(count_over_time(bench_requests_total[1h]))";
