/**
 * Bytes a sample on disk, index included: a recording of a node_exporter replayed through remote write as if it had been
 * scraped every 15 s, then a snapshot, whose size is divided by the samples. BENCH_RECORDING names another recording.
 *
 * A server gets a figure only when its queries answer as many samples as were sent and the parts of its snapshot hold as many.
 * Rollups, which only Tocsin makes, in the background as hours end, are counted beside it: how many there are depends on the moment.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { postAll, settled } from "./lib/load.ts";
import { readRecording } from "./lib/recording.ts";
import { encodeLabels, encodeRequest, snappy } from "./lib/remote-write-body.ts";
import { note, printTable } from "./lib/report.ts";
import { type Server, serversToMeasure, startServer } from "./lib/servers.ts";
import { takeSnapshot } from "./lib/snapshot-size.ts";

const RECORDING =
  process.env.BENCH_RECORDING ?? join(import.meta.dirname, "../../shared/data/node_exporter.capture.gz");
const INTERVAL_MS = 15_000;
const JOB = "node";
const DEADLINE_MS = 120_000;

export async function benchDiskSize(): Promise<void> {
  if (!existsSync(RECORDING)) {
    note(`${RECORDING} is not there: name a recording with BENCH_RECORDING. Not measured.`);
    return;
  }
  const { scrapes, series } = readRecording(RECORDING, { job: JOB, instance: "host-1:9100" });
  const start = Math.floor(Date.now() / INTERVAL_MS) * INTERVAL_MS - scrapes * INTERVAL_MS;
  const bodies: Buffer[] = [];
  let samples = 0;
  for (let scrape = 0; scrape < scrapes; scrape++) {
    const there = series.filter((s) => s.values[scrape] !== undefined);
    samples += there.length;
    const ts = [start + scrape * INTERVAL_MS];
    const labels = there.map((s) => encodeLabels(s.labels));
    bodies.push(snappy(encodeRequest(labels, (i) => ({ ts, values: [there[i]?.values[scrape] as number] }))));
  }
  const rows: string[][] = [];
  for (const name of serversToMeasure()) {
    const server = await startServer(name);
    try {
      // One at a time, in order: that is how a scraper sends.
      await postAll(server.url, bodies, 1);
      await settled(server);
      rows.push([`${name} ${server.version}`, ...(await figures(server, samples, start, scrapes))]);
    } finally {
      await server.stop();
    }
  }
  const sent = samples.toLocaleString("en-US");
  printTable(
    `${series.length} series, ${scrapes} scrapes, ${sent} samples`,
    ["server", "samples answered", "samples in the snapshot", "its bytes", "bytes a sample", "rollups besides"],
    rows,
  );
}

/** What the server answers and what its snapshot has; the size only where both are what was sent. */
async function figures(server: Server, sent: number, start: number, scrapes: number): Promise<string[]> {
  const answered = await untilAnswered(server, sent, start, scrapes);
  if (answered !== sent) return [`${answered}, not as many as were sent: not measured`, "", "", "", ""];
  try {
    const { bytes, rollupBytes, samples } = await takeSnapshot(server, sent, DEADLINE_MS);
    const cells = [answered, samples, bytes].map((n) => n.toLocaleString("en-US"));
    const rollups = rollupBytes === 0 ? "none" : (rollupBytes / samples).toFixed(3);
    return [...cells, (bytes / samples).toFixed(3), rollups];
  } catch (error) {
    return [answered.toLocaleString("en-US"), `${(error as Error).message}: not measured`, "", "", ""];
  }
}

/** Samples that the server answers when it is asked for all of them, once they are as many as were sent or the deadline has passed. */
async function untilAnswered(server: Server, sent: number, start: number, scrapes: number): Promise<number> {
  const seconds = (scrapes * INTERVAL_MS) / 1000;
  const time = String((start - INTERVAL_MS) / 1000 + seconds);
  const params = new URLSearchParams({ query: `{job="${JOB}"}[${seconds}s]`, time, nocache: "1" });
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const response = await fetch(`${server.url}/api/v1/query?${params}`);
    if (!response.ok) throw new Error(`${server.name}: ${response.status} ${await response.text()}`);
    const { data } = (await response.json()) as { data: { result: { values: unknown[] }[] } };
    const answered = data.result.reduce((sum, { values }) => sum + values.length, 0);
    if (answered === sent || performance.now() > end) return answered;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
