/**
 * The label index with a million series, as a fleet has them (500 hosts of 2,000 series each, and 100,000 sessions): how long
 * selectors take, in the head and in a block that has the same series. Milliseconds of CPU of the process, which does nothing else.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realDisk } from "../src/lib/disk.ts";
import { compareLabels, type Labels } from "../src/model/labels.ts";
import type { Matcher, MatchOp } from "../src/model/matcher.ts";
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
import { note, printTable } from "./lib/report.ts";

const HOSTS = Number(process.env.BENCH_HOSTS ?? 500);
const METRICS = 10;
const ENDPOINTS = 40;
const STATUS = ["200", "301", "404", "500", "503"];
const SESSIONS = 100_000;
const TENANT = "default";
const WINDOW_MS = 7_200_000;
const START = 1_699_999_200_000;
/** Each selector is measured so often, with other values each time. */
const ROUNDS = 60;

interface Select {
  readonly title: string;
  readonly matchers: (round: number) => Matcher[];
}

const m = (name: string, op: MatchOp, value: string): Matcher => ({ name, op, value });
const metric = (r: number): string => `http_requests_${r % METRICS}_total`;
const endpoint = (r: number): string => `/api/v1/resource-${r % ENDPOINTS}`;

const SELECTS: readonly Select[] = [
  {
    title: "name=, endpoint=, status!=",
    matchers: (r) => [m("__name__", "=", metric(r)), m("endpoint", "=", endpoint(r)), m("status", "!=", "404")],
  },
  {
    title: 'name=, endpoint=, status=~"5..|2.."',
    matchers: (r) => [m("__name__", "=", metric(r)), m("endpoint", "=", endpoint(r)), m("status", "=~", "5..|2..")],
  },
  {
    title: 'name=, dc=, instance=~"host-1.*"',
    matchers: (r) => [
      m("__name__", "=", metric(r)),
      m("dc", "=", "dc1"),
      m("instance", "=~", `host-${1 + (r % 4)}${r}?.*`),
    ],
  },
  {
    title: "name=, status=, instance=",
    matchers: (r) => [
      m("__name__", "=", metric(r)),
      m("status", "=", "200"),
      m("instance", "=", `host-${r}.example.net:9100`),
    ],
  },
  { title: 'session=~"user-.*-99", 100,000 values', matchers: (r) => [m("session", "=~", `user-.*-${r + 100}`)] },
  { title: 'session=~"user-1[0-9]+-.*7"', matchers: (r) => [m("session", "=~", `user-${r}[0-9]+-.*7`)] },
  { title: 'session=~"(?i)USER-1.*"', matchers: (r) => [m("session", "=~", `(?i)USER-${r}.*`)] },
  { title: 'session=~".*7.*", the same again', matchers: () => [m("session", "=~", ".*7.*")] },
];

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
    printTable(
      `Selectors over ${all.length.toLocaleString("en-US")} series, ${ROUNDS} of each, every one with other values`,
      ["selector", "series", "head: median, p90", "block: first, median, p90"],
      SELECTS.map(({ title }, i) => {
        const [h, b] = [inHead[i] as Measured, inBlock[i] as Measured];
        if (h.found !== b.found) throw new Error(`${title}: ${h.found} series in the head, ${b.found} in the block`);
        const found = h.found.toLocaleString("en-US");
        return [title, found, `${ms(h.median)}, ${ms(h.p90)}`, `${ms(b.first)}, ${ms(b.median)}, ${ms(b.p90)}`];
      }),
    );
    note("To hold: three matchers to 2,000 series under 2 ms, a regular expression over 100,000 values under 20 ms.");
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const ms = (value: number): string => `${value.toFixed(1)} ms`;

function fleet(): Labels[] {
  const all: Labels[] = [];
  for (let h = 0; h < HOSTS; h++) {
    const instance = `host-${h}.example.net:9100`;
    for (let k = 0; k < METRICS * ENDPOINTS * STATUS.length; k++) {
      all.push([
        ...["__name__", metric(k), "dc", `dc${h % 5}`, "endpoint", endpoint(Math.floor(k / METRICS))],
        ...["instance", instance, "job", `service-${h % 25}`],
        ...["status", STATUS[Math.floor(k / METRICS / ENDPOINTS)] as string],
      ]);
    }
  }
  for (let s = 0; s < SESSIONS; s++) {
    const session = `user-${Math.imul(s, 0x9e3779b1) >>> 0}-${s}`;
    all.push(["__name__", "sessions", "instance", `host-${s % HOSTS}.example.net:9100`, "session", session]);
  }
  return all;
}

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
  readonly first: number;
  readonly median: number;
  readonly p90: number;
}

function measure(source: SeriesSource, select: Select): Measured {
  const times: number[] = [];
  let found = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const matchers = select.matchers(round);
    const start = process.cpuUsage();
    found = source.select(TENANT, matchers, START, START + WINDOW_MS).length;
    const { user, system } = process.cpuUsage(start);
    times.push((user + system) / 1000);
  }
  const first = times[0] as number;
  times.sort((a, b) => a - b);
  const at = (q: number): number => times[Math.floor(q * (times.length - 1))] as number;
  return { found, first, median: at(0.5), p90: at(0.9) };
}
