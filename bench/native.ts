/**
 * The native path: an agent's process publishes frames straight to the partitions' streams. Measured from the first sample
 * until the last one is seen by a query. CPU is that of all three: agent, nats-server, Tocsin.
 */
import { startAgent } from "./lib/agent.ts";
import { fleetCount } from "./lib/fleet.ts";
import { settled, untilVisible } from "./lib/load.ts";
import { printTable } from "./lib/report.ts";
import { startServer } from "./lib/servers.ts";
import { microsecondsBy, stolenSince, usageOf } from "./lib/usage.ts";

const SERIES = Number(process.env.BENCH_SERIES ?? 100_000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 100);
const INTERVAL_MS = 15_000;
const PARTITIONS = Number(process.env.BENCH_PARTITIONS ?? 2);

interface AgentReport {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly bytesStored: number;
  readonly framesStored: number;
}

export async function benchNative(): Promise<void> {
  const end = Math.floor(Date.now() / 1000) * 1000;
  const server = await startServer("tocsin", { config: `storage: { partitions: ${PARTITIONS} }\n` });
  const { process: agent, said } = startAgent(server, SERIES, ROUNDS, end, INTERVAL_MS);
  try {
    await said();
    await untilVisible(server.url, fleetCount("6h"), end / 1000, SERIES, 60_000);
    const before = usageOf(server.pid);
    const start = performance.now();
    const done = said();
    agent.send("go");
    const report = (await done) as AgentReport;
    await settled(server);
    const samples = SERIES * ROUNDS;
    const seen = await untilVisible(server.url, fleetCount("6h"), end / 1000, samples + SERIES, 60_000);
    const seconds = (performance.now() - start) / 1000;
    const after = usageOf(server.pid);
    const cpu = after.tree.cpuSeconds - before.tree.cpuSeconds + report.cpuSeconds;
    const format = (n: number) => Math.round(n).toLocaleString("en-US");
    printTable(
      `Frames from an agent, ${format(SERIES)} series, ${ROUNDS} rounds, ${PARTITIONS} partitions`,
      ["what", "figure"],
      [
        ["samples/s stored (fsynced)", format(samples / report.seconds)],
        ["samples/s until all are seen by a query", format(samples / seconds)],
        ["samples/CPU-s, all processes", format(samples / cpu)],
        ["lost", format(samples + SERIES - seen)],
        ["bytes a sample on the bus", (report.bytesStored / (samples + SERIES)).toFixed(1)],
        ["KiB a frame", (report.bytesStored / report.framesStored / 1024).toFixed(0)],
        ["CPU us a sample: agent", ((report.cpuSeconds / samples) * 1e6).toFixed(2)],
        ["CPU us a sample: by process", microsecondsBy(before.tree.byName, after.tree.byName, samples)],
        ["CPU us a sample: Tocsin's threads", microsecondsBy(before.threads, after.threads, samples)],
        ["RSS of Tocsin and nats-server", `${format(after.tree.rssBytes / 2 ** 20)} MiB`],
        ["stolen from the machine meanwhile", stolenSince(before.machine, after.machine)],
      ],
    );
    agent.send("end");
  } finally {
    agent.kill();
    await server.stop();
  }
}
