/**
 * The native path: an agent's process publishes frames straight to the partitions' streams. Measured from the first sample
 * until the last one is seen by a query. CPU is that of all three: agent, nats-server, Tocsin.
 */
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { settled, untilVisible } from "./lib/load.ts";
import { threadSeconds, treeUsage } from "./lib/process-tree.ts";
import { printTable } from "./lib/report.ts";
import { startServer } from "./lib/servers.ts";

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
  const bus = /answers on (nats:\/\/[\d.:]+)/.exec(readFileSync(join(server.dir, "log"), "utf8"))?.[1];
  if (bus === undefined) throw new Error(`no address of the bus in ${server.dir}/log`);
  const args = [bus, SERIES, ROUNDS, end, INTERVAL_MS].map(String);
  const agent = fork(join(import.meta.dirname, "native-agent.ts"), args);
  const said = () =>
    new Promise<unknown>((resolve, reject) => {
      agent.once("message", resolve);
      agent.once("exit", (code) => reject(new Error(`the agent ended with ${code}`)));
    });
  try {
    await said();
    await untilVisible(server.url, COUNT, end / 1000, SERIES, 60_000);
    const before = { tree: treeUsage(server.pid), threads: threadSeconds(server.pid) };
    const start = performance.now();
    const done = said();
    agent.send("go");
    const report = (await done) as AgentReport;
    await settled(server);
    const samples = SERIES * ROUNDS;
    const seen = await untilVisible(server.url, COUNT, end / 1000, samples + SERIES, 60_000);
    const seconds = (performance.now() - start) / 1000;
    const after = { tree: treeUsage(server.pid), threads: threadSeconds(server.pid) };
    const cpu = after.tree.cpuSeconds - before.tree.cpuSeconds + report.cpuSeconds;
    const byName = [...after.tree.byName].map(([n, c]) => [n, c - (before.tree.byName.get(n) ?? 0)] as const);
    const threads = [...after.threads].map(([n, c]) => [n, c - (before.threads.get(n) ?? 0)] as const);
    const shown = (list: readonly (readonly [string, number])[]) =>
      list
        .filter(([, c]) => c > 0.1)
        .map(([n, c]) => `${n} ${((c / samples) * 1e6).toFixed(2)}`)
        .join(", ");
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
        ["CPU us a sample: by process", shown(byName)],
        ["CPU us a sample: Tocsin's threads", shown(threads)],
        ["RSS of Tocsin and nats-server", `${format(after.tree.rssBytes / 2 ** 20)} MiB`],
      ],
    );
    agent.send("end");
  } finally {
    agent.kill();
    await server.stop();
  }
}

/** Each sample that can be queried. */
const COUNT = "sum(count_over_time(bench_requests_total[6h]))";
