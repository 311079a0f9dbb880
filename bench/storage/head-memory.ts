/**
 * What many series cost: 7 labels each (one of them different in every series), 6 samples each.
 * Prints seconds and resident bytes a series; the process must be fresh, so nothing else runs in it.
 *
 * Run: node_modules/.bin/node --expose-gc bench/storage/head-memory.ts [series]
 */
import { appendColumns } from "../../src/storage/head/append.ts";
import { beginFrame, createHead, defineSeries, headStats } from "../../src/storage/head/head.ts";
import { headSource } from "../../src/storage/head/head-source.ts";
import { hashHi, hashLo, labelsOf } from "../lib/numbered-series.ts";

const count = Number(process.argv[2] ?? 1_000_000);
const FRAME = 2000;
const SAMPLES = 6;

const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);

collect();
const before = process.memoryUsage();
const head = createHead({ outOfOrderWindowMs: 3600_000 });
const cols = {
  length: FRAME,
  hashLo: new Uint32Array(FRAME),
  hashHi: new Uint32Array(FRAME),
  ts: new Float64Array(FRAME),
  values: new Float64Array(FRAME),
};
const unknown = new Uint32Array(FRAME);
const start = performance.now();
for (let r = 0; r < SAMPLES; r++) {
  for (let from = 0; from < count; from += FRAME) {
    beginFrame(head);
    cols.length = Math.min(FRAME, count - from);
    for (let i = 0; i < cols.length; i++) {
      const n = from + i;
      if (r === 0) {
        defineSeries(head, hashLo(n), hashHi(n), "default", labelsOf(n));
      }
      cols.hashLo[i] = hashLo(n);
      cols.hashHi[i] = hashHi(n);
      cols.ts[i] = 1.7e12 + r * 10_000;
      cols.values[i] = (n % 1000) * r;
    }
    appendColumns(head, cols, unknown);
  }
  if (r === 0) console.log(`${count} series defined, one sample each: ${seconds(start)} s`);
}
collect();
const after = process.memoryUsage();
const stats = headStats(head);
console.log(
  `${stats.series} series with ${SAMPLES} samples: resident ${((after.rss - before.rss) / count).toFixed(0)} B a series ` +
    `(JavaScript heap ${((after.heapUsed - before.heapUsed) / count).toFixed(0)}, allocated off-heap ${(stats.bytes / count).toFixed(0)})`,
);
const source = headSource(head);
for (const matchers of [
  [{ name: "pod", op: "=", value: "pod-4711-803" }],
  [
    { name: "__name__", op: "=", value: "metric_7" },
    { name: "status", op: "=~", value: "20[0-3]" },
  ],
  [{ name: "pod", op: "=~", value: "pod-.*-803" }],
  [],
] as const) {
  const since = performance.now();
  const ids = source.select("default", matchers, 0, 2e12);
  console.log(`select ${JSON.stringify(matchers)}: ${ids.length} series, ${(performance.now() - since).toFixed(1)} ms`);
}
