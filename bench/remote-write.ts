/**
 * Remote write 1.0 at full speed: 100,000 series, one sample a series, 2,000 series a request, all acknowledged and then
 * counted by a query; ten rounds go ahead of what is measured. CPU is that of the server's whole process tree (Tocsin's nats-server included), not of the sender.
 */

import { FLEET_INTERVAL_MS, FLEET_PER_REQUEST, fleetBodies, fleetCount, fleetLabels } from "./lib/fleet.ts";
import { postAll, settled, untilVisible } from "./lib/load.ts";
import { note, printTable } from "./lib/report.ts";
import { serversToMeasure, startServer } from "./lib/servers.ts";
import { microsecondsBy, stolenSince, usageOf } from "./lib/usage.ts";

const SERIES = 100_000;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 40);
/** Rounds before what is measured: the first makes the series, and what a runtime compiles at first is no cost a sample. */
const WARM_ROUNDS = 10;
const IN_FLIGHT = Number(process.env.BENCH_IN_FLIGHT ?? 8);

export async function benchRemoteWrite(): Promise<void> {
  const end = Math.floor(Date.now() / 1000) * 1000;
  const labels = Array.from({ length: SERIES }, (_, i) => fleetLabels(i));
  const warm = [...fleetBodies(labels, WARM_ROUNDS, end - ROUNDS * FLEET_INTERVAL_MS)];
  const bodies = [...fleetBodies(labels, ROUNDS, end)];
  const samples = SERIES * ROUNDS;
  const warmSamples = SERIES * WARM_ROUNDS;
  const rows: string[][] = [];
  let threads = "";
  for (const name of serversToMeasure()) {
    const server = await startServer(name);
    try {
      // What is measured is a running fleet.
      await postAll(server.url, warm, IN_FLIGHT);
      await untilVisible(server.url, fleetCount("2h"), end / 1000, warmSamples, 30_000);
      const before = usageOf(server.pid);
      const load = await postAll(server.url, bodies, IN_FLIGHT);
      await settled(server);
      const after = usageOf(server.pid);
      const seen = await untilVisible(server.url, fleetCount("2h"), end / 1000, samples + warmSamples, 60_000);
      const cpu = after.tree.cpuSeconds - before.tree.cpuSeconds;
      rows.push([
        `${name} ${server.version}`,
        Math.round(samples / load.seconds).toLocaleString("en-US"),
        Math.round(samples / cpu).toLocaleString("en-US"),
        (samples + warmSamples - seen).toLocaleString("en-US"),
        String(load.retried),
        `${Math.round(after.tree.rssBytes / 2 ** 20)} MiB`,
        microsecondsBy(before.tree.byName, after.tree.byName, samples),
        stolenSince(before.machine, after.machine),
      ]);
      if (name === "tocsin") threads = microsecondsBy(before.threads, after.threads, samples);
    } finally {
      await server.stop();
    }
  }
  printTable(
    `Remote write, ${SERIES.toLocaleString("en-US")} series, ${FLEET_PER_REQUEST} one-sample series a request, ${ROUNDS} rounds, ${IN_FLIGHT} in flight`,
    ["server", "samples/s", "samples/CPU-s", "lost", "retried", "RSS", "CPU us a sample by process", "stolen"],
    rows,
  );
  if (threads !== "") note(`\nCPU us a sample by Tocsin's threads: ${threads}`);
}
