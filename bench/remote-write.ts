/**
 * Remote write 1.0 at full speed: 100,000 series, one sample a series, 2,000 series a request, all acknowledged and then
 * counted by a query. CPU is that of the server's whole process tree (Tocsin's nats-server included), not of the sender.
 */

import { fleetLabels, fleetRequest } from "./lib/fleet.ts";
import { postAll, settled, untilVisible } from "./lib/load.ts";
import { treeUsage } from "./lib/process-tree.ts";
import { snappy } from "./lib/remote-write-body.ts";
import { printTable } from "./lib/report.ts";
import { serversToMeasure, startServer } from "./lib/servers.ts";

const SERIES = 100_000;
const PER_REQUEST = 2_000;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 40);
const IN_FLIGHT = Number(process.env.BENCH_IN_FLIGHT ?? 8);
const INTERVAL_MS = 15_000;

export async function benchRemoteWrite(): Promise<void> {
  const end = Math.floor(Date.now() / 1000) * 1000;
  const warm = makeBodies(end - ROUNDS * INTERVAL_MS, 1);
  const bodies = makeBodies(end - (ROUNDS - 1) * INTERVAL_MS, ROUNDS);
  const samples = SERIES * ROUNDS;
  const rows: string[][] = [];
  for (const name of serversToMeasure()) {
    const server = await startServer(name);
    try {
      // The first round makes the series; what is measured is a running fleet.
      await postAll(server.url, warm, IN_FLIGHT);
      await untilVisible(server.url, COUNT, end / 1000, SERIES, 30_000);
      const before = treeUsage(server.pid);
      const load = await postAll(server.url, bodies, IN_FLIGHT);
      await settled(server);
      const after = treeUsage(server.pid);
      const seen = await untilVisible(server.url, COUNT, end / 1000, samples + SERIES, 60_000);
      const cpu = after.cpuSeconds - before.cpuSeconds;
      rows.push([
        `${name} ${server.version}`,
        Math.round(samples / load.seconds).toLocaleString("en-US"),
        Math.round(samples / cpu).toLocaleString("en-US"),
        (samples + SERIES - seen).toLocaleString("en-US"),
        String(load.retried),
        `${Math.round(after.rssBytes / 2 ** 20)} MiB`,
        [...after.byName].map(([n, c]) => `${n} ${(c - (before.byName.get(n) ?? 0)).toFixed(1)}`).join(", "),
      ]);
    } finally {
      await server.stop();
    }
  }
  printTable(
    `Remote write, ${SERIES.toLocaleString("en-US")} series, ${PER_REQUEST} one-sample series a request, ${ROUNDS} rounds, ${IN_FLIGHT} in flight`,
    ["server", "samples/s", "samples/CPU-s", "lost", "retried", "RSS", "CPU seconds by process"],
    rows,
  );
}

/** Each sample that can be queried; all lie within 2 h. */
const COUNT = "sum(count_over_time(bench_requests_total[2h]))";

function makeBodies(start: number, rounds: number): Buffer[] {
  const bodies: Buffer[] = [];
  const labels = Array.from({ length: SERIES }, (_, i) => fleetLabels(i));
  for (let round = 0; round < rounds; round++) {
    for (let from = 0; from < SERIES; from += PER_REQUEST) {
      bodies.push(snappy(fleetRequest(labels, from, PER_REQUEST, round, start + round * INTERVAL_MS)));
    }
  }
  return bodies;
}
