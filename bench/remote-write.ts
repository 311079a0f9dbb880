/**
 * Remote write 1.0 at full speed: 100,000 series, one sample a series, 2,000 series a request, all acknowledged and then
 * counted by a query. CPU is that of the server's whole process tree (Tocsin's nats-server included), not of the sender.
 */

import { postAll, printTable, untilVisible } from "./lib/load.ts";
import { treeUsage } from "./lib/process-tree.ts";
import { encodeLabels, encodeRequest, snappy } from "./lib/remote-write-body.ts";
import { type Server, serversToMeasure, startServer } from "./lib/servers.ts";

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

/**
 * Until what was acknowledged has been worked in, so that its cost counts: Tocsin's streams are consumed; the peers, who
 * do not tell, get the two seconds in which they write their first parts.
 */
async function settled(server: Server): Promise<void> {
  if (server.name !== "tocsin") {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return;
  }
  for (;;) {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const lags = [...text.matchAll(/^tocsin_stream_lag_messages\{.*\} (\d+)$/gm)];
    if (lags.length > 0 && lags.every((m) => m[1] === "0")) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function makeBodies(start: number, rounds: number): Buffer[] {
  const bodies: Buffer[] = [];
  const labels: Buffer[] = [];
  for (let i = 0; i < SERIES; i++) {
    labels.push(
      encodeLabels([
        ["__name__", "bench_requests_total"],
        ["cluster", "production-eu-1"],
        ["endpoint", `/api/v1/resource-${i % 20}`],
        ["instance", `host-${String(Math.floor(i / 20)).padStart(5, "0")}.example.net:9100`],
        ["job", "application"],
        ["region", "eu-west-1"],
        ["service", `service-${Math.floor(i / 20) % 50}`],
      ]),
    );
  }
  for (let round = 0; round < rounds; round++) {
    const ts = [start + round * INTERVAL_MS];
    for (let from = 0; from < SERIES; from += PER_REQUEST) {
      const value = (i: number) => ({ ts, values: [(round + 1) * ((from + i) % 97) + from + i] });
      bodies.push(snappy(encodeRequest(labels.slice(from, from + PER_REQUEST), value)));
    }
  }
  return bodies;
}
