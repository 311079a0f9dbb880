/** Snapshots of servers: how many bytes they have, and how many samples the descriptions of the parts in them say there are. */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Server } from "./servers.ts";

export interface SnapshotSize {
  /** Of all files but those of rollups. */
  readonly bytes: number;
  /** Of Tocsin's coarser tiers, as far as they have been made by now: the peers have nothing of the kind. */
  readonly rollupBytes: number;
  readonly samples: number;
}

/**
 * The size of a snapshot that has all `samples` and, of VictoriaMetrics, in which all is merged. Takes them until one is so; throws
 * when none was until the deadline.
 */
export async function takeSnapshot(server: Server, samples: number, deadlineMs: number): Promise<SnapshotSize> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const dir = await snapshotDir(server);
    const files = filesBelow(dir);
    const found = partsAmong(files.map(({ path }) => path));
    const held = found.reduce((sum, part) => sum + part.samples, 0);
    // The parts of a month, each in a folder of its own below the month's, are one when it is merged.
    const months = new Set(found.map((part) => dirname(part.dir))).size;
    const merged = server.name !== "victoria-metrics" || found.length === months;
    if (held === samples && merged) {
      const rollups = files.filter(({ path }) => isRollup(path));
      const rollupBytes = sumOfBytes(rollups);
      return { bytes: sumOfBytes(files) - rollupBytes, rollupBytes, samples: held };
    }
    rmSync(dir, { recursive: true });
    if (performance.now() > end) {
      throw new Error(`the snapshot of ${server.name} has ${held} of ${samples} samples in ${found.length} parts`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function snapshotDir(server: Server): Promise<string> {
  const snapshots = join(server.dir, "data/snapshots");
  if (server.name === "victoria-metrics") {
    await mergeAll(server.url);
    const { snapshot } = await answer<{ snapshot: string }>(`${server.url}/snapshot/create`, "POST");
    return join(snapshots, snapshot);
  }
  // Both write what is still in memory into the snapshot as a block.
  const { data } = await answer<{ data: { name: string } }>(`${server.url}/api/v1/admin/tsdb/snapshot`, "POST");
  return join(snapshots, data.name);
}

/** Has VictoriaMetrics write what it holds in memory and merge its parts; both are only begun by the request. */
export async function mergeAll(url: string): Promise<void> {
  await text(`${url}/internal/force_flush`);
  await untilMetrics(url, /^vm_pending_rows\{.*\} [1-9]/m);
  await text(`${url}/internal/force_merge`);
  await untilMetrics(url, /^vm_active_force_merges [1-9]|^vm_active_merges\{.*\} [1-9]/m);
}

/** Until nothing in the server's own metrics says that work is left; after a minute the snapshot will tell. */
async function untilMetrics(url: string, busy: RegExp): Promise<void> {
  for (let left = 600; left > 0; left--) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (!busy.test(await text(`${url}/metrics`))) return;
  }
}

/** Tocsin's blocks lie below a folder named after their tier. */
function isRollup(path: string): boolean {
  return /\/blocks\/(1m|1h)\//.test(path);
}

function sumOfBytes(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

interface Part {
  readonly dir: string;
  readonly samples: number;
}

/** The parts with samples (blocks) among a snapshot's files, by the description that each has in its folder. */
function partsAmong(paths: readonly string[]): Part[] {
  const parts: Part[] = [];
  for (const path of paths) {
    if (!["meta.json", "metadata.json"].includes(basename(path))) continue;
    const samples = samplesOf(JSON.parse(readFileSync(path, "utf8")) as Description);
    if (samples !== undefined) parts.push({ dir: dirname(path), samples });
  }
  return parts;
}

interface Description {
  /** VictoriaMetrics; parts of its index have none. */
  readonly RowsCount?: number;
  /** Prometheus. */
  readonly stats?: { readonly numSamples: number };
  /** Tocsin; rollups are another telling of the same samples. */
  readonly samples?: number;
  readonly tier?: string;
}

function samplesOf({ RowsCount, stats, samples, tier }: Description): number | undefined {
  return RowsCount ?? stats?.numSamples ?? (tier === "raw" ? samples : undefined);
}

/** All files below a folder, links followed (VictoriaMetrics's snapshots link to folders). */
function filesBelow(dir: string): { readonly path: string; readonly bytes: number }[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    const stat = statSync(path);
    return stat.isDirectory() ? filesBelow(path) : [{ path, bytes: stat.size }];
  });
}

async function answer<T>(url: string, method: string): Promise<T> {
  return JSON.parse(await text(url, method)) as T;
}

async function text(url: string, method = "GET"): Promise<string> {
  const response = await fetch(url, { method });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${body}`);
  return body;
}
