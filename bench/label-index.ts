/**
 * The label index with a million series, as a fleet has them (500 hosts of 2,000 series each, and 100,000 sessions): how long
 * selectors take, in the head and in a block that has the same series. Milliseconds of CPU of the process, which does nothing else.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realDisk } from "../src/lib/disk.ts";
import { compareLabels, type Labels } from "../src/model/labels.ts";
import { makeSampleBuffer } from "../src/model/sample.ts";
import type { SeriesSource } from "../src/model/series-source.ts";
import { closeBlock, openBlock } from "../src/storage/block/block.ts";
import { blockSource } from "../src/storage/block/block-source.ts";
import { makeBlockCache } from "../src/storage/block/cache.ts";
import { makeBlockWriter } from "../src/storage/block/writer.ts";
import { appendColumns } from "../src/storage/head/append.ts";
import { beginFrame, createHead, defineSeries } from "../src/storage/head/head.ts";
import { headSource } from "../src/storage/head/head-source.ts";
import { seriesHash } from "../src/streams/codec/series-hash.ts";
import { type FirstTimes, firstTimes } from "./lib/first-select.ts";
import { ask, fleet, SELECTS, type Select, START, TENANT, WINDOW_MS } from "./lib/label-fleet.ts";
import { note, printTable } from "./lib/report.ts";

/** Each selector is measured so often, with other values each time. */
const ROUNDS = 60;

export async function benchLabelIndex(): Promise<void> {
  const all = fleet();
  const dir = mkdtempSync(join(tmpdir(), "bench-index-"));
  try {
    const head = headOf(all);
    const inHead = SELECTS.map((s) => measure(head, s));
    all.sort(compareLabels);
    const id = await writeBlock(dir, all);
    const block = await openBlock(realDisk, join(dir, id), makeBlockCache(256 << 20));
    const source = blockSource(block);
    const inBlock = SELECTS.map((s) => measure(source, s));
    await closeBlock(block);
    const firsts = SELECTS.map((_, i) => firstTimes(join(dir, id), i));
    printTable(
      `Selectors over ${all.length.toLocaleString("en-US")} series, ${ROUNDS} of each, every one with other values`,
      ["selector", "series", "head: median, p90", "block: median, p90", "first of a block", "first of a process"],
      SELECTS.map(({ title }, i) => {
        const [h, b] = [inHead[i] as Measured, inBlock[i] as Measured];
        if (h.found !== b.found) throw new Error(`${title}: ${h.found} series in the head, ${b.found} in the block`);
        const found = h.found.toLocaleString("en-US");
        const { block, process } = firsts[i] as FirstTimes;
        return [
          ...[title, found, `${ms(h.median)}, ${ms(h.p90)}`, `${ms(b.median)}, ${ms(b.p90)}`],
          ...[ms(block), ms(process)],
        ];
      }),
    );
    note(
      "First of a block: nothing of it was read before; of a process: nor has the code run before. Medians of fresh processes.",
    );
    note("To hold: three matchers to 2,000 series under 2 ms, a regular expression over 100,000 values under 20 ms.");
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const ms = (value: number): string => `${value.toFixed(1)} ms`;

function headOf(all: readonly Labels[]): SeriesSource {
  const head = createHead({ outOfOrderWindowMs: 3_600_000 });
  beginFrame(head);
  const one = {
    length: 1,
    hashLo: new Uint32Array(1),
    hashHi: new Uint32Array(1),
    ts: new Float64Array([START]),
    values: new Float64Array(1),
  };
  const unknown = new Uint32Array(1);
  for (const labels of all) {
    const { lo, hi, check } = seriesHash(TENANT, labels);
    one.hashLo[0] = lo;
    one.hashHi[0] = hi;
    defineSeries(head, lo, hi, TENANT, labels, check);
    appendColumns(head, one, unknown);
  }
  return headSource(head);
}

async function writeBlock(dir: string, all: readonly Labels[]): Promise<string> {
  const writer = await makeBlockWriter(realDisk, dir, {
    tier: "raw",
    level: 1,
    sources: [],
    effort: "fast",
    rangeStart: START,
    rangeEnd: START + WINDOW_MS,
  });
  const buffer = makeSampleBuffer(1);
  buffer.ts[0] = START;
  buffer.values[0] = 1;
  buffer.length = 1;
  for (const labels of all) await writer.addRaw(TENANT, labels, seriesHash(TENANT, labels), buffer);
  const meta = await writer.finish();
  if (meta === undefined) throw new Error("the block is empty");
  return meta.id;
}

interface Measured {
  readonly found: number;
  readonly median: number;
  readonly p90: number;
}

function measure(source: SeriesSource, select: Select): Measured {
  const times: number[] = [];
  let found = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    found = ask(source, select, round);
    const { user, system } = process.cpuUsage(start);
    times.push((user + system) / 1000);
  }
  times.sort((a, b) => a - b);
  const at = (q: number): number => times[Math.floor(q * (times.length - 1))] as number;
  return { found, median: at(0.5), p90: at(0.9) };
}
