/**
 * Late samples into the head, as a backlog that drains behind fresh samples brings them (frames of one sample a series, oldest
 * first), and as backfill brings them (many samples of one series in a request). Samples/s of one core (CPU time), and what reading
 * all of it back costs.
 *
 * Run: node_modules/.bin/node bench/storage/head-late.ts [series] [backlog samples a series]
 */
import { makeSampleBuffer, type SampleColumns } from "../../src/model/sample.ts";
import { type AppendOptions, appendColumns } from "../../src/storage/head/append.ts";
import { beginFrame, createHead, defineSeries, type Head, headStats } from "../../src/storage/head/head.ts";
import { readSeries } from "../../src/storage/head/read.ts";
import { hashHi, hashLo } from "../lib/numbered-series.ts";

const FRAME = 4000;
const STEP = 15_000;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function makeHead(series: number): Head {
  const head = createHead({ outOfOrderWindowMs: 3600_000 });
  beginFrame(head);
  for (let i = 0; i < series; i++) {
    defineSeries(head, hashLo(i), hashHi(i), "default", ["__name__", "m", "i", String(i)]);
  }
  return head;
}

const unknown = new Uint32Array(FRAME);
const columns = (): SampleColumns => ({
  length: FRAME,
  hashLo: new Uint32Array(FRAME),
  hashHi: new Uint32Array(FRAME),
  ts: new Float64Array(FRAME),
  values: new Float64Array(FRAME),
});

/** One sample of every series at each of the given steps. Returns samples/s. */
function rounds(head: Head, series: number, steps: readonly number[], options: AppendOptions): number {
  const cols = columns();
  let ms = 0;
  let n = 0;
  for (const step of steps) {
    for (let from = 0; from < series; from += FRAME) {
      cols.length = Math.min(FRAME, series - from);
      for (let i = 0; i < cols.length; i++) {
        const s = from + i;
        cols.hashLo[i] = hashLo(s);
        cols.hashHi[i] = hashHi(s);
        cols.ts[i] = 1.7e12 + step * STEP + (s & 1023);
        cols.values[i] = step * ((s % 97) + 1);
      }
      const start = cpuMs();
      n += appendColumns(head, cols, unknown, options).accepted;
      ms += cpuMs() - start;
    }
  }
  return n / ms / 1000;
}

/** All steps of one series after the other, `FRAME` samples a frame. */
function runs(head: Head, series: number, steps: number, options: AppendOptions): number {
  const cols = columns();
  const start = cpuMs();
  let n = 0;
  let k = 0;
  for (let s = 0; s < series; s++) {
    for (let step = 0; step < steps; step++) {
      cols.hashLo[k] = hashLo(s);
      cols.hashHi[k] = hashHi(s);
      cols.ts[k] = 1.7e12 + step * STEP + (s & 1023);
      cols.values[k++] = step * ((s % 97) + 1);
      if (k < FRAME && !(s === series - 1 && step === steps - 1)) continue;
      cols.length = k;
      n += appendColumns(head, cols, unknown, options).accepted;
      k = 0;
    }
  }
  return n / (cpuMs() - start) / 1000;
}

function readAll(head: Head, series: number): string {
  const out = makeSampleBuffer(128);
  const start = cpuMs();
  let n = 0;
  for (let id = 0; id < series; id++) {
    readSeries(head, id, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, out);
    n += out.length;
  }
  return `read ${(n / (cpuMs() - start) / 1000).toFixed(1)} M/s, ${(headStats(head).bytes / n).toFixed(1)} B a sample held`;
}

const series = Number(process.argv[2] ?? 20_000);
const late = Number(process.argv[3] ?? 240);
const between = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const shuffled = (steps: number[]) =>
  steps
    .map((s) => [hashLo(s), s] as const)
    .sort(([a], [b]) => a - b)
    .map(([, s]) => s);

console.log(`${series} series, ${late} late samples each behind 40 fresh ones`);
for (const [name, before] of [
  ["series that began with the fresh samples", 0],
  ["series with samples before the gap, in one chunk", 20],
] as const) {
  for (const [order, of] of [
    ["oldest first", (s: number[]) => s],
    ["newest first", (s: number[]) => s.reverse()],
    ["in no order", shuffled],
  ] as const) {
    const head = makeHead(series);
    rounds(head, series, between(-before, 0), {});
    rounds(head, series, between(late, late + 40), {});
    const speed = rounds(head, series, of(between(0, late)), { anyAge: true, keepExisting: true });
    console.log(`backlog, ${name}, ${order}: append ${speed.toFixed(2)} M/s, ${readAll(head, series)}`);
  }
}
const head = makeHead(series);
rounds(head, series, between(late, late + 40), {});
console.log(
  `backfill, a series at a time: append ${runs(head, series, late, { anyAge: true }).toFixed(2)} M/s, ${readAll(head, series)}`,
);
