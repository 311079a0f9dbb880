/**
 * Blocks: writing from sample buffers, and selecting in a block of many series.
 *
 * Run: node_modules/.bin/node bench/storage/block.ts [series of the large block, 300000]
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realDisk } from "../../src/lib/disk.ts";
import { hash96 } from "../../src/lib/hash64.ts";
import { compareLabels, type Labels } from "../../src/model/labels.ts";
import type { Matcher } from "../../src/model/matcher.ts";
import { makeSampleBuffer } from "../../src/model/sample.ts";
import { closeBlock, openBlock, sectionsOf } from "../../src/storage/block/block.ts";
import { blockSource } from "../../src/storage/block/block-source.ts";
import { makeBlockCache } from "../../src/storage/block/cache.ts";
import type { SeriesHash } from "../../src/storage/block/identity.ts";
import { mergeBlocks } from "../../src/storage/block/merge-blocks.ts";
import { type BlockOptions, makeBlockWriter } from "../../src/storage/block/writer.ts";
import { encodePage, type PageColumn } from "../../src/storage/column/page.ts";
import { SERIES_SEED_A, SERIES_SEED_B, SERIES_SEED_C } from "../../src/streams/codec/series-hash.ts";

const START = 1_699_999_200_000;
const dir = mkdtempSync(join(tmpdir(), "block-"));
const options: BlockOptions = {
  tier: "raw",
  level: 1,
  sources: [],
  effort: "fast",
  rangeStart: START,
  rangeEnd: START + 7_200_000,
};

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const text = new Uint8Array(1024);
const view = new DataView(text.buffer);
const words = new Uint32Array(3);
const encoder = new TextEncoder();

function hashOf(tenant: string, labels: Labels): SeriesHash {
  let end = 0;
  for (const s of [tenant, ...labels]) {
    end += encoder.encodeInto(s, text.subarray(end)).written;
    text[end++] = 0xff;
  }
  hash96(view, 0, end, SERIES_SEED_A, SERIES_SEED_B, SERIES_SEED_C, words, 0);
  return { lo: words[0] as number, hi: words[1] as number, check: words[2] as number };
}

/** Node metrics of many hosts: 500 names, 7 labels. */
function fleet(count: number): { labels: Labels; hash: SeriesHash }[] {
  const all = Array.from({ length: count }, (_, i) => {
    const host = Math.floor(i / 500);
    const labels: Labels = [
      "__name__",
      `node_metric_number_${i % 500}_total`,
      "cluster",
      `c${host % 7}`,
      "env",
      host % 3 === 0 ? "staging" : "production",
      "instance",
      `host-${host}.example.net:9100`,
      "job",
      `node-${host % 50}`,
      "mode",
      `mode${i % 4}`,
      "rack",
      `r${host % 97}`,
    ];
    return { labels, hash: hashOf("default", labels) };
  });
  return all.sort((a, b) => compareLabels(a.labels, b.labels));
}

/** A counter or a gauge with two decimals, every 15 s. */
function fill(buffer: ReturnType<typeof makeSampleBuffer>, series: number, samples: number): void {
  let value = series;
  for (let k = 0; k < samples; k++) {
    buffer.ts[k] = START + k * 15_000;
    value += series & 1 ? ((k * 31 + series * 17) % 23) / 100 : (k * 7 + series) % 5;
    buffer.values[k] = Math.round(value * 100) / 100;
  }
  buffer.length = samples;
}

async function writing(): Promise<void> {
  const [series, samples] = [4000, 480];
  const all = fleet(series);
  const buffers = all.map((_, i) => {
    const b = makeSampleBuffer(samples);
    fill(b, i, samples);
    return b;
  });
  for (let round = 0; round < 3; round++) {
    let start = cpuMs();
    const columns: PageColumn[] = [];
    let page = 0;
    for (const b of buffers) {
      columns.push(
        { kind: "time", ts: b.ts, from: 0, to: samples },
        { kind: "float", words: b.words, from: 0, to: samples },
      );
      if (columns.length === 512) page += encodePage(columns.splice(0)).length;
    }
    page += encodePage(columns).length;
    const alone = cpuMs() - start;
    start = cpuMs();
    const writer = await makeBlockWriter(realDisk, dir, options);
    for (let i = 0; i < series; i++) {
      const { labels, hash } = all[i] as { labels: Labels; hash: SeriesHash };
      await writer.addRaw("default", labels, hash, buffers[i] as (typeof buffers)[number]);
    }
    const meta = await writer.finish();
    const whole = cpuMs() - start;
    const n = series * samples;
    console.log(
      `write ${n} samples: pages alone ${(n / alone / 1000).toFixed(1)} M/s (${(page / n).toFixed(2)} B), block ` +
        `${(n / whole / 1000).toFixed(1)} M/s (${((meta?.bytes ?? 0) / n).toFixed(2)} B), the rest ${(n / (whole - alone) / 1000).toFixed(1)} M/s`,
    );
  }
  const ids = (await realDisk.list(dir)).slice(0, 2);
  const opened = await Promise.all(ids.map((id) => openBlock(realDisk, join(dir, id), makeBlockCache(64 << 20))));
  const start = cpuMs();
  await mergeBlocks(realDisk, dir, opened, { ...options, level: 2 });
  console.log(
    `merge 2 x ${series * samples} samples: ${((2 * series * samples) / (cpuMs() - start) / 1000).toFixed(1)} M/s`,
  );
  for (const block of opened) await closeBlock(block);
}

async function selecting(count: number): Promise<void> {
  const all = fleet(count);
  const buffer = makeSampleBuffer(2);
  const before = process.memoryUsage();
  let start = cpuMs();
  const writer = await makeBlockWriter(realDisk, dir, options);
  let i = 0;
  for (const { labels, hash } of all) {
    fill(buffer, i++, 2);
    const wait = writer.addRaw("default", labels, hash, buffer);
    if (wait !== undefined) await wait;
  }
  const added = cpuMs() - start;
  const after = process.memoryUsage();
  const meta = await writer.finish();
  const buffers = (m: NodeJS.MemoryUsage): number => m.arrayBuffers + m.heapUsed;
  console.log(
    `${count} series: added in ${added.toFixed(0)} ms, finished in ${(cpuMs() - start - added).toFixed(0)} ms more; ` +
      `${((buffers(after) - buffers(before)) / count).toFixed(0)} B of memory a series`,
  );
  const path = join(dir, meta?.id ?? "");
  const cache = makeBlockCache(256 << 20);
  const block = await openBlock(realDisk, path, cache);
  const sizes = sectionsOf(block).map((s) => {
    const bytes = s.table.lengths.reduce((sum, n) => sum + n, 0);
    return `${s.name} ${(bytes / count).toFixed(1)}`;
  });
  console.log(`bytes a series: ${sizes.join(", ")}; file ${statSync(join(path, "data")).size}`);
  const source = blockSource(block);
  const queries: [string, Matcher[]][] = [
    [
      "3 matchers",
      [
        { name: "__name__", op: "=", value: "node_metric_number_42_total" },
        { name: "env", op: "=", value: "production" },
        { name: "job", op: "=~", value: "node-.*" },
      ],
    ],
    ["one host", [{ name: "instance", op: "=", value: "host-77.example.net:9100" }]],
    [
      "a rack of one metric",
      [
        { name: "rack", op: "=", value: "r5" },
        { name: "__name__", op: "=~", value: "node_metric_number_4.*" },
        { name: "env", op: "!=", value: "staging" },
      ],
    ],
    ["regex over instances", [{ name: "instance", op: "=~", value: "host-.*7.example.net:9100" }]],
  ];
  for (const [name, matchers] of queries) {
    let cold = 0;
    let best = Number.POSITIVE_INFINITY;
    let found = 0;
    for (let round = 0; round < 20; round++) {
      start = performance.now();
      const cpu = cpuMs();
      found = source.select("default", matchers, START, START + 7_200_000).length;
      const took = performance.now() - start;
      if (round === 0) cold = cpuMs() - cpu;
      best = Math.min(best, took);
    }
    console.log(`select ${name}: ${found} series, cold ${cold.toFixed(1)} ms of CPU, warm ${best.toFixed(2)} ms`);
  }
  start = cpuMs();
  const ids = source.select("default", queries[1]?.[1] ?? [], START, START + 7_200_000);
  const out = makeSampleBuffer(16);
  for (const id of ids) {
    source.labels(id);
    source.identity(id, words, 0);
    source.read(id, START, START + 7_200_000, out);
  }
  console.log(
    `labels, identity and samples of one host's ${ids.length} series: cold ${(cpuMs() - start).toFixed(1)} ms of CPU`,
  );
  console.log(`cache: ${cache.bytes >> 20} MiB, ${cache.hits} hits, ${cache.misses} misses`);
  await closeBlock(block);
}

/** A label of 100,000 values, each of some series. */
async function manyValues(): Promise<void> {
  const writer = await makeBlockWriter(realDisk, dir, options);
  const buffer = makeSampleBuffer(1);
  fill(buffer, 1, 1);
  for (let i = 0; i < 100_000; i++) {
    const labels = ["__name__", "up", "pod", `service-${i % 100}-${String(i).padStart(6, "0")}-x7f9c`];
    labels[3] = `pod-${String(i).padStart(6, "0")}-service-${i % 100}`;
    const wait = writer.addRaw("default", labels, hashOf("default", labels), buffer);
    if (wait !== undefined) await wait;
  }
  const meta = await writer.finish();
  const block = await openBlock(realDisk, join(dir, meta?.id ?? ""), makeBlockCache(256 << 20));
  const source = blockSource(block);
  for (const value of [".*service-7", "pod-0.*[13]", "pod-01.*"]) {
    const times = Array.from({ length: 8 }, () => {
      const start = performance.now();
      source.select("default", [{ name: "pod", op: "=~", value }], START, START + 7_200_000);
      return performance.now() - start;
    });
    console.log(
      `regex ${value} over 100,000 values: cold ${times[0]?.toFixed(1)} ms, warm ${Math.min(...times).toFixed(1)} ms`,
    );
  }
  await closeBlock(block);
}

try {
  await writing();
  await manyValues();
  await selecting(Number(process.argv[2] ?? 300_000));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
