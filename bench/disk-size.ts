/**
 * Bytes a sample on disk, index included: a recording of a node_exporter replayed through remote write as if it had been
 * scraped every 15 s, then a snapshot, whose size is divided by the samples. BENCH_RECORDING names another recording.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { postAll, settled } from "./lib/load.ts";
import { readRecording } from "./lib/recording.ts";
import { encodeLabels, encodeRequest, snappy } from "./lib/remote-write-body.ts";
import { note, printTable } from "./lib/report.ts";
import { type Server, serversToMeasure, startServer } from "./lib/servers.ts";

const RECORDING =
  process.env.BENCH_RECORDING ?? join(import.meta.dirname, "../../shared/data/node_exporter.capture.gz");
const INTERVAL_MS = 15_000;

export async function benchDiskSize(): Promise<void> {
  if (!existsSync(RECORDING)) {
    note(`${RECORDING} is not there: name a recording with BENCH_RECORDING. Not measured.`);
    return;
  }
  const { scrapes, series } = readRecording(RECORDING, { job: "node", instance: "host-1:9100" });
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
      const bytes = await snapshotBytes(server);
      rows.push([`${name} ${server.version}`, bytes.toLocaleString("en-US"), (bytes / samples).toFixed(3)]);
    } finally {
      await server.stop();
    }
  }
  printTable(
    `${series.length} series, ${scrapes} scrapes, ${samples.toLocaleString("en-US")} samples`,
    ["server", "bytes of the snapshot", "bytes a sample"],
    rows,
  );
}

async function snapshotBytes(server: Server): Promise<number> {
  switch (server.name) {
    case "tocsin": {
      const { data } = await postJson<{ data: { name: string } }>(`${server.url}/api/v1/admin/tsdb/snapshot`);
      return folderBytes(join(server.dir, "data/snapshots", data.name));
    }
    case "prometheus": {
      const { data } = await postJson<{ data: { name: string } }>(`${server.url}/api/v1/admin/tsdb/snapshot`);
      return folderBytes(join(server.dir, "data/snapshots", data.name));
    }
    default: {
      await fetch(`${server.url}/internal/force_flush`);
      await fetch(`${server.url}/internal/force_merge`);
      // Merging runs in the background and says when it is over by a metric.
      for (let left = 600; left > 0; left--) {
        const text = await (await fetch(`${server.url}/metrics`)).text();
        if (/^vm_active_force_merges 0$/m.test(text) && !/^vm_active_merges\{.*\} [1-9]/m.test(text)) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const { snapshot } = await postJson<{ snapshot: string }>(`${server.url}/snapshot/create`);
      return folderBytes(join(server.dir, "data/snapshots", snapshot));
    }
  }
}

async function postJson<T>(url: string): Promise<T> {
  const response = await fetch(url, { method: "POST" });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

/** Bytes of all files below a folder, links followed (VictoriaMetrics's snapshots link to folders). */
function folderBytes(dir: string): number {
  let sum = 0;
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    const stat = statSync(path);
    sum += stat.isDirectory() ? folderBytes(path) : stat.size;
  }
  return sum;
}
