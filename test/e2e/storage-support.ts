import { execFile } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { compress } from "snappyjs";
import { writeRequestBytes } from "../streams/support/write-request-bytes.ts";
import { WRITE_HEADERS } from "./prometheus-data.ts";
import type { Tocsin } from "./tocsin.ts";

/** What the tests of stored data share: samples by remote write, metrics to wait on, folders to look into. */

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** A full hour, so that windows align with the rollups. */
export const NOW = Math.floor(Date.now() / HOUR) * HOUR;
/** So old that its samples leave the head. */
export const OLD = NOW - 4 * DAY;
export const BACKFILL = { "X-Tocsin-Backfill": "1" };

/** What is to be done is found soon. */
export const UPKEEP = "upkeep_interval: 250ms";
/** A configuration with so long a retention of raw samples and of minutes. */
export const keeping = (raw: string, minutes: string): string =>
  `agent: { enabled: false }\nstorage: { ${UPKEEP}, retention: { raw: ${raw}, 1m: ${minutes}, 1h: 90d } }\n`;

export interface Line {
  readonly labels: Readonly<Record<string, string>>;
  /** Unix ms and value. */
  readonly samples: readonly (readonly [ts: number, value: number])[];
}

/** A line with a sample every `stepMs` in [from, to). */
export function line(
  labels: Record<string, string>,
  from: number,
  to: number,
  stepMs: number,
  value: (i: number) => number,
): Line {
  const samples: [number, number][] = [];
  for (let ts = from, i = 0; ts < to; ts += stepMs, i++) samples.push([ts, value(i)]);
  return { labels, samples };
}

/** Remote write 1.0. */
export async function write(
  url: string,
  lines: readonly Line[],
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string; position: string }> {
  const body = writeRequestBytes(
    lines.map(({ labels, samples }) => ({
      labels: Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)),
      samples: samples.map(([ts, value]) => ({ ts, value })),
    })),
  );
  const response = await fetch(`${url}/api/v1/write`, {
    method: "POST",
    body: new Uint8Array(compress(body)),
    headers: { ...WRITE_HEADERS, ...headers },
  });
  return {
    status: response.status,
    text: await response.text(),
    position: response.headers.get("x-tocsin-position") ?? "",
  };
}

/** The metric's lines of /metrics, without those of other labels. */
export async function metric(url: string, name: string, labels = ""): Promise<number[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text
    .split("\n")
    .filter((row) => row.startsWith(`${name}{`) && row.includes(labels))
    .map((row) => Number(row.slice(row.lastIndexOf(" "))));
}

/** The metric's sum over the shards. */
export async function total(url: string, name: string, labels = ""): Promise<number> {
  return (await metric(url, name, labels)).reduce((a, b) => a + b, 0);
}

/** An API call's status and JSON. */
export async function call(
  url: string,
  path: string,
  params: readonly (readonly [string, string | number])[] = [],
  method = "GET",
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  const search = new URLSearchParams(params.map(([name, value]): [string, string] => [name, String(value)]));
  const response = await fetch(`${url}${path}?${search}`, { method, headers });
  const text = await response.text();
  return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : text };
}

export interface File {
  readonly path: string;
  readonly bytes: number;
  readonly links: number;
}

/** All files below a folder. */
export function filesIn(dir: string): File[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { size, nlink } = statSync(path);
      return { path, bytes: size, links: nlink };
    });
}

export const bytesIn = (dir: string): number => filesIn(dir).reduce((sum, f) => sum + f.bytes, 0);

/** The blocks of a tier on disk, in all shards. */
export function blocksOf(tocsin: Pick<Tocsin, "dir">, tier: string, data = "data"): string[] {
  const shards = join(tocsin.dir, data, "shards");
  return readdirSync(shards).flatMap((shard) => {
    const folder = join(shards, shard, "blocks", tier);
    return readdirSync(folder)
      .filter((name) => !name.startsWith("."))
      .map((name) => join(folder, name));
  });
}

/** Runs `tocsin storage ...`; resolves whatever its exit code is. */
export function tool(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const bin = join(import.meta.dirname, "../../bin/tocsin");
  return new Promise((resolve) => {
    execFile(bin, ["storage", ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, out, err });
    });
  });
}
