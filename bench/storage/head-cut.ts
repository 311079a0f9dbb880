/**
 * A cut and a collection with many series: 7 labels each (one of them different in every series), 6 samples before the cutoff;
 * half of the series go on after it, the others leave.
 * Prints seconds of CPU of each step, the longest time between two pauses, and the pause of the collection.
 *
 * Run: node_modules/.bin/node --expose-gc bench/storage/head-cut.ts [series]
 */
import { makeSampleBuffer } from "../../src/model/sample.ts";
import { appendColumns } from "../../src/storage/head/append.ts";
import { collectSeries } from "../../src/storage/head/collect.ts";
import { beginCut, finishCut, windowsBefore } from "../../src/storage/head/cut.ts";
import { beginFrame, createHead, defineSeries, headStats } from "../../src/storage/head/head.ts";
import { seriesInLabelOrder } from "../../src/storage/head/label-order.ts";
import { CHUNK_RANGE } from "../../src/storage/head/open-chunk.ts";
import { readSeries } from "../../src/storage/head/read.ts";
import { hashHi, hashLo, labelsOf } from "../lib/numbered-series.ts";

const count = Number(process.argv[2] ?? 1_000_000);
const FRAME = 2000;
const start = CHUNK_RANGE * 236_111;

const collectGarbage = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
const rss = (): string => `${(process.memoryUsage().rss / 1e6).toFixed(0)} MB resident`;

const head = createHead({ outOfOrderWindowMs: 3600_000 });
const cols = {
  length: FRAME,
  hashLo: new Uint32Array(FRAME),
  hashHi: new Uint32Array(FRAME),
  ts: new Float64Array(FRAME),
  values: new Float64Array(FRAME),
};
const unknown = new Uint32Array(FRAME);

let longestFrame = 0;
/** A sample of each of the series from, from + step, ... */
function round(from: number, step: number, end: number, t: number, define: boolean): void {
  for (let n = from; n < end; ) {
    const since = performance.now();
    beginFrame(head);
    let i = 0;
    for (; i < FRAME && n < end; i++, n += step) {
      if (define) defineSeries(head, hashLo(n), hashHi(n), "default", labelsOf(n), n);
      cols.hashLo[i] = hashLo(n);
      cols.hashHi[i] = hashHi(n);
      cols.ts[i] = t;
      cols.values[i] = n % 1000;
    }
    cols.length = i;
    appendColumns(head, cols, unknown);
    longestFrame = Math.max(longestFrame, performance.now() - since);
  }
}

let last = 0;
let longest = 0;
const pause = (): Promise<void> => {
  longest = Math.max(longest, performance.now() - last);
  return new Promise((resolve) => {
    setImmediate(() => {
      last = performance.now();
      resolve();
    });
  });
};
async function step<T>(name: string, run: () => T | Promise<T>): Promise<T> {
  longest = 0;
  last = performance.now();
  const since = process.cpuUsage();
  const result = await run();
  longest = Math.max(longest, performance.now() - last);
  const { user, system } = process.cpuUsage(since);
  console.log(
    `${name.padEnd(34)} ${((user + system) / 1e6).toFixed(2)} s of CPU, longest piece ${longest.toFixed(0)} ms, ${rss()}`,
  );
  return result;
}

round(0, 1, count, start, true);
console.log(`${count} series defined; the slowest frame of ${FRAME} definitions took ${longestFrame.toFixed(0)} ms`);
for (let r = 1; r < 6; r++) round(0, 1, count, start + r * 10_000, false);
round(0, 2, count, start + CHUNK_RANGE + 5_000, false);
collectGarbage();
console.log(rss());

const cutoff = start + CHUNK_RANGE;
beginCut(head, cutoff);
const order = await step("order of labels", () => seriesInLabelOrder(head, pause));
const windows = await step("windows", () => windowsBefore(head, cutoff, pause));
await step("reading", async () => {
  const out = makeSampleBuffer(128);
  let samples = 0;
  for (const window of windows) {
    for (let i = 0; i < order.length; i++) {
      readSeries(head, order[i] as number, window, Math.min(window + CHUNK_RANGE, cutoff) - 1, out);
      samples += out.length;
      if (i % 1000 === 999) await pause();
    }
  }
  if (samples !== 6 * count) throw new Error(`${samples} samples`);
});
await step("end of the cut", () => finishCut(head, pause));
const gone = await step("collection", () => collectSeries(head, cutoff));
collectGarbage();
const stats = headStats(head);
console.log(`${gone} series left; ${stats.series} stay, ${(stats.bytes / stats.series).toFixed(0)} B each, ${rss()}`);
for (let churn = 1; churn <= 3; churn++) {
  longestFrame = 0;
  const t = start + (churn + 1) * CHUNK_RANGE;
  const half = count / 2;
  round(count + churn * half, 1, count + (churn + 1) * half, t, true);
  beginCut(head, t);
  await finishCut(head, pause);
  await step(`collection after churn ${churn}`, () => collectSeries(head, t));
  collectGarbage();
  console.log(`${headStats(head).series} series, ${rss()}, slowest frame ${longestFrame.toFixed(0)} ms`);
}
