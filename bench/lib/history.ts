/** History of months in a server, until it lies in blocks and all the work on them is done; and queries of it, cold and warm. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { postAll, settled } from "./load.ts";
import { medianTime, type RangeQuery, timeQuery } from "./range-queries.ts";
import { makeRequestSeries, requestBodies } from "./request-series.ts";
import type { Server } from "./servers.ts";
import { mergeAll } from "./snapshot-size.ts";

/** For the work that is left when all is sent: so long, a minute more for every five million samples, and four seconds a day of blocks. */
const DEADLINE_MS = 300_000;
const SAMPLES_A_MS = 5_000_000 / 60_000;
const A_DAY_MS = 4_000;
/** The rest may be late samples, which wait for two hours. */
const NEARLY_ALL = 0.999;
/** Nothing was merged or rolled up for so long: it is over. */
const QUIET_MS = 6_000;

export interface History {
  readonly hosts: number;
  readonly endpoints: number;
  /** Unix ms; at least a few hours ago, so that all of it leaves memory. */
  readonly end: number;
  readonly spanMs: number;
  readonly intervalMs: number;
}

export function samplesOf({ hosts, endpoints, spanMs, intervalMs }: History): number {
  return 2 * hosts * endpoints * (spanMs / intervalMs);
}

/** Sends the history in order of time and waits until it is on disk and merged; resolves to the seconds that both took. */
export async function loadHistory(server: Server, history: History): Promise<{ load: number; rest: number }> {
  const { hosts, endpoints, end, spanMs, intervalMs } = history;
  const series = makeRequestSeries(hosts, endpoints);
  const rounds = Math.max(1, Math.round(3_600_000 / intervalMs));
  const { seconds } = await postAll(server.url, requestBodies(series, end - spanMs, end, intervalMs, rounds), 1);
  const start = performance.now();
  await settled(server);
  if (server.name === "victoria-metrics") await mergeAll(server.url);
  if (server.name === "tocsin") await untilQuiet(server, samplesOf(history), end, history.spanMs / 86_400_000);
  return { load: seconds, rest: (performance.now() - start) / 1000 };
}

const WORK = /^tocsin_storage_(blocks|blocks_samples|cuts_total|compactions_total|rollups_total)\{.*$/gm;

/** Until all samples are in blocks and rolled up, and the counters of work on them stand still. */
async function untilQuiet(server: Server, samples: number, end: number, days: number): Promise<void> {
  const patience = DEADLINE_MS + samples / SAMPLES_A_MS + A_DAY_MS * days;
  const deadline = performance.now() + patience;
  let last = "";
  let since = performance.now();
  for (;;) {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const held = valuesOf(text, /^tocsin_storage_blocks_samples\{.*tier="raw".* (\S+)$/gm).reduce((a, b) => a + b, 0);
    const rolledUpTo = Math.min(...valuesOf(text, /^tocsin_storage_rolled_up_to_seconds\{.* (\S+)$/gm));
    const work = (text.match(WORK) ?? []).join("\n");
    if (work !== last) {
      last = work;
      since = performance.now();
    }
    if (held >= NEARLY_ALL * samples && 1000 * rolledUpTo >= end && performance.now() - since > QUIET_MS) return;
    if (performance.now() > deadline) {
      throw new Error(
        `${held} of ${samples} samples are in blocks after ${(patience / 1000).toFixed(0)} s, or work goes on`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function valuesOf(metrics: string, line: RegExp): number[] {
  return [...metrics.matchAll(line)].map((m) => Number(m[1]));
}

/** Makes the operating system forget what it has of the files below a folder (dd's `nocache` is posix_fadvise(2), DONTNEED). */
export function forgetFiles(dir: string): void {
  execFileSync("sync");
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    execFileSync("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
  }
}

export interface ColdAndWarm {
  readonly cold: number | undefined;
  readonly warm: number | undefined;
}

/**
 * The first run of a query in a server that was started anew, with none of its files in memory, and the median of the next ones. Ends
 * move backwards by `move` seconds.
 */
export async function coldAndWarm(
  server: Server,
  query: RangeQuery,
  end: number,
  runs: number,
  move: number,
): Promise<ColdAndWarm> {
  await server.restart(() => forgetFiles(join(server.dir, "data")));
  const cold = await timeQuery(server.url, query, end);
  const warm = await medianTime(server.url, query, end - move, runs, move);
  return { cold, warm };
}
