/**
 * Appending to the head, as a shard does it: rounds of one sample a series, in frames of 2,000 rows.
 * Prints samples/s of one core (CPU time) for several kinds of values, with frames in the order in which the series were
 * defined and in another one, and what a series costs.
 *
 * Run: node_modules/.bin/node bench/storage/head-append.ts [series] [rounds]
 */
import type { SampleColumns } from "../../src/model/sample.ts";
import { appendColumns } from "../../src/storage/head/append.ts";
import { beginFrame, createHead, defineSeries, type Head, headStats } from "../../src/storage/head/head.ts";
import { hashHi, hashLo } from "../lib/numbered-series.ts";

const FRAME = 2000;

/** CPU time of this process: wall time would measure the machine's other work as well. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Frames over all series; with a stride, each frame jumps through them. */
function makeFrames(count: number, stride: number): { cols: SampleColumns; series: Int32Array }[] {
  const frames = [];
  for (let from = 0; from < count; from += FRAME) {
    const length = Math.min(FRAME, count - from);
    const series = Int32Array.from({ length }, (_, i) => ((from + i) * stride) % count);
    const cols = {
      length,
      hashLo: Uint32Array.from(series, hashLo),
      hashHi: Uint32Array.from(series, hashHi),
      ts: new Float64Array(length),
      values: new Float64Array(length),
    };
    frames.push({ cols, series });
  }
  return frames;
}

function define(head: Head, count: number): void {
  beginFrame(head);
  for (let i = 0; i < count; i++) {
    defineSeries(head, hashLo(i), hashHi(i), "default", [
      ...["__name__", `metric_${i % 50}`, "cluster", "eu", "instance", `10.0.${(i >> 8) & 255}.${i & 255}:9100`],
      ...["job", "node", "path", `/api/v1/${i % 211}`, "pod", `pod-${i}`, "status", String(200 + (i % 7))],
    ]);
  }
}

type Fill = (series: number, round: number) => number;
const kinds: Record<string, Fill> = {
  constant: () => 1,
  counter: (s, r) => r * ((s % 97) + 1),
  "gauge, 2 decimals": (s, r) => Math.round(5000 + 1000 * Math.sin(s + r / 10)) / 100,
  "random double": (s, r) => hashLo(s * 1000 + r) / 1e9 + hashLo(r * 31 + s) * 1e-12,
};

function run(kind: string, count: number, rounds: number, stride: number): string {
  const fill = kinds[kind] as Fill;
  const head = createHead({ outOfOrderWindowMs: 3600_000 });
  const frames = makeFrames(count, stride);
  const unknown = new Uint32Array(FRAME);
  const rss = process.memoryUsage().rss;
  let start = cpuMs();
  define(head, count);
  const defined = cpuMs() - start;
  let appendMs = 0;
  let accepted = 0;
  for (let r = 0; r < rounds; r++) {
    for (const { cols, series } of frames) {
      for (let i = 0; i < cols.length; i++) {
        const s = series[i] as number;
        cols.ts[i] = 1.7e12 + r * 10_000 + ((s * 7 + r) & 3);
        cols.values[i] = fill(s, r);
      }
    }
    start = cpuMs();
    for (const { cols } of frames) accepted += appendColumns(head, cols, unknown).accepted;
    appendMs += cpuMs() - start;
  }
  const stats = headStats(head);
  const grown = process.memoryUsage().rss - rss;
  return (
    `append ${(accepted / appendMs / 1000).toFixed(1).padStart(5)} M/s  define ${(count / defined).toFixed(0)} k/s  ` +
    `head ${(stats.bytes / count).toFixed(0)} B a series, resident ${(grown / count).toFixed(0)}`
  );
}

const count = Number(process.argv[2] ?? 100_000);
const rounds = Number(process.argv[3] ?? 100);
for (const kind of Object.keys(kinds)) run(kind, 1000, 1500, 1);
console.log(`${count} series, ${rounds} rounds`);
for (const kind of Object.keys(kinds)) {
  console.log(`${kind.padEnd(18)} in order  ${run(kind, count, rounds, 1)}`);
  console.log(`${kind.padEnd(18)} shuffled  ${run(kind, count, rounds, 7919)}`);
}
