/**
 * Ten million active series on one machine: frames from an agent's process, 30 samples each. Memory is the RSS of Tocsin's whole
 * process tree, looked at all the time; a one-host query is asked again and again meanwhile.
 */
import { startAgent } from "./lib/agent.ts";
import { FLEET_METRIC, instanceName, SERIES_A_HOST } from "./lib/fleet.ts";
import { settled, untilVisible } from "./lib/load.ts";
import { treeUsage } from "./lib/process-tree.ts";
import { note, printTable } from "./lib/report.ts";
import { startServer } from "./lib/servers.ts";
import { machineTicks, stolenSince } from "./lib/usage.ts";

const SERIES = Number(process.env.BENCH_SERIES ?? 10_000_000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 30);
const INTERVAL_MS = 15_000;
const GIB = 2 ** 30;

export async function benchTenMillion(): Promise<void> {
  const end = Math.floor(Date.now() / 1000) * 1000;
  const server = await startServer("tocsin", { config: "storage: { partitions: 2 }\n" });
  const { process: agent, said } = startAgent(server, SERIES, ROUNDS, end, INTERVAL_MS);
  const watch = watchServer(server.url, server.pid, end / 1000);
  try {
    const defining = performance.now();
    const machine = machineTicks();
    await said();
    await settled(server);
    const defined = (performance.now() - defining) / 1000;
    const afterFirst = treeUsage(server.pid).rssBytes;
    watch.latencies.length = 0;
    const start = performance.now();
    const done = said();
    agent.send("go");
    await done;
    await settled(server);
    const samples = SERIES * ROUNDS;
    const seconds = (performance.now() - start) / 1000;
    const latencies = [...watch.latencies].sort((a, b) => a - b);
    const rss = treeUsage(server.pid).rssBytes;
    const seen = await countAll(server.url, end / 1000);
    const at = (q: number) => `${Math.round(latencies[Math.floor(q * (latencies.length - 1))] ?? 0)} ms`;
    const count = (n: number) => Math.round(n).toLocaleString("en-US");
    printTable(
      `${count(SERIES)} series, ${ROUNDS} rounds of samples after the first`,
      ["what", "figure"],
      [
        ["series made known, a second", count(SERIES / defined)],
        ["samples/s until all were taken by the shards", count(samples / seconds)],
        ["lost", count(samples + SERIES - seen)],
        [
          "RSS after the first sample of each",
          `${(afterFirst / GIB).toFixed(1)} GiB, ${count(afterFirst / SERIES)} B a series`,
        ],
        ["peak RSS", `${(watch.peak() / GIB).toFixed(1)} GiB`],
        ["growth a further sample", `${((rss - afterFirst) / samples).toFixed(2)} B`],
        [
          "one host's query meanwhile, median, p90, longest",
          `${at(0.5)}, ${at(0.9)}, ${at(1)} (${latencies.length} queries)`,
        ],
        ["stolen from the machine meanwhile", stolenSince(machine)],
      ],
    );
    note(`A window of 2 h at this interval has ${(2 * 3600_000) / INTERVAL_MS} samples a series.`);
    agent.send("end");
  } finally {
    watch.stop();
    agent.kill();
    await server.stop();
  }
}

/** Samples that queries see: by endpoint, since a query may select no more than a million series of a shard. */
async function countAll(url: string, time: number): Promise<number> {
  let seen = 0;
  for (let endpoint = 0; endpoint < SERIES_A_HOST; endpoint++) {
    const query = `sum(count_over_time(${FLEET_METRIC}{endpoint="/api/v1/resource-${endpoint}"}[1h]))`;
    // What the shards' figures say may be a moment old: a query is asked again until it sees all.
    seen += await untilVisible(url, query, time, (SERIES / SERIES_A_HOST) * (ROUNDS + 1), 60_000);
  }
  return seen;
}

/** Looks at memory and asks for one host's rates, several times a second, until it is stopped. */
function watchServer(url: string, pid: number, time: number) {
  const latencies: number[] = [];
  let peak = 0;
  let stopped = false;
  const look = async () => {
    for (let host = 1; !stopped; host = (host + 7919) % 400_000) {
      peak = Math.max(peak, treeUsage(pid).rssBytes);
      const query = `sum(rate(${FLEET_METRIC}{instance="${instanceName(host)}"}[5m]))`;
      const start = performance.now();
      await fetch(`${url}/api/v1/query?${new URLSearchParams({ query, time: String(time) })}`)
        .then((response) => response.text())
        .catch(() => undefined);
      latencies.push(performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  };
  void look();
  return {
    latencies,
    peak: () => peak,
    stop: () => {
      stopped = true;
    },
  };
}
