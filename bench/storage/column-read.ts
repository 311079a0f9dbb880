/**
 * What decoding pages costs, cold: nanoseconds a sample, the best of many runs, of raw pages (times and values) and a value of pages of rollups
 * (the columns that a function needs). 64 series every 15 s, chunks as long as blocks have them, written as a merge writes them.
 *
 * Run: node_modules/.bin/node bench/storage/column-read.ts [part of a row's name]
 */
import { makeRollupBuffer, ROLLUP_COLUMNS, type RollupColumn, TIER_MS } from "../../src/model/rollup.ts";
import { makeSampleBuffer, type SampleBuffer } from "../../src/model/sample.ts";
import { encodePage, openPage, type PageColumn, pageFloats, pageTimes } from "../../src/storage/column/page.ts";
import { rollUp } from "../../src/storage/rollup/roll-up.ts";

const START = 1_699_999_200_000;
const STEP = 15_000;
const SERIES = 64;
const ROWS = 1920;
const RUNS = 200;

let seed = 1;
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
}

/** Values of one series, by what kind of metric it is. */
const KINDS: Readonly<Record<string, (n: number) => Float64Array>> = {
  counter: (n) => {
    let v = Math.floor(random() * 1e6);
    return new Float64Array(n).map(() => {
      v += 50 + Math.floor(random() * 64);
      return v;
    });
  },
  "rare counter": (n) => {
    let v = 0;
    return new Float64Array(n).map(() => {
      if (random() < 0.05) v++;
      return v;
    });
  },
  "gauge, 2 decimals": (n) => {
    let v = 50;
    return new Float64Array(n).map(() => {
      v = Math.max(0, v + Math.round((random() - 0.5) * 40) / 10);
      return Math.round(v * 100) / 100;
    });
  },
  bytes: (n) => {
    let v = 1e9;
    return new Float64Array(n).map(() => {
      v += 4096 * Math.round((random() - 0.5) * 200);
      return v;
    });
  },
  "any float": (n) => new Float64Array(n).map(() => random()),
};

function samples(kind: string, n: number): SampleBuffer {
  const b = makeSampleBuffer(n);
  const values = (KINDS[kind] as (n: number) => Float64Array)(n);
  for (let i = 0; i < n; i++) b.ts[i] = START + (i + 1) * STEP - 4_000;
  b.values.set(values);
  b.length = n;
  return b;
}

const ts = new Float64Array(ROWS);
const values = new Float64Array(ROWS);

/** The least time of a run in ns (other work on the machine only adds to it), and what it returned. */
function measure(run: () => number): { ns: number; count: number } {
  let ns = Number.POSITIVE_INFINITY;
  let count = 0;
  for (let i = 0; i < RUNS; i++) {
    const before = performance.now();
    count = run();
    ns = Math.min(ns, (performance.now() - before) * 1e6);
  }
  return { ns, count };
}

function show(name: string, bytes: number, run: () => number): void {
  const { ns, count } = measure(run);
  const size = (bytes / count).toFixed(2);
  console.log(`${name.padEnd(46)} ${(ns / count).toFixed(1).padStart(6)} ns each, ${size} B`);
}

function raw(kind: string, effort: "fast" | "small", rows: number): void {
  const columns: PageColumn[] = [];
  for (let s = 0; s < SERIES; s++) {
    const b = samples(kind, rows);
    columns.push({ kind: "time", ts: b.ts, from: 0, to: rows }, { kind: "float", words: b.words, from: 0, to: rows });
  }
  const bytes = encodePage(columns, effort);
  show(`raw ${kind}, ${effort}, ${rows} rows`, bytes.length, () => {
    const page = openPage(bytes);
    for (let s = 0; s < SERIES; s++) {
      pageTimes(page, 2 * s, ts, 0);
      pageFloats(page, 2 * s + 1, values, 0);
    }
    return SERIES * rows;
  });
}

const NEEDS: Readonly<Record<string, readonly RollupColumn[]>> = {
  rate: ["count", "first", "last", "firstT", "lastT", "resets"],
  max: ["count", "max"],
  avg: ["count", "sum"],
};

function rolled(kind: string, tier: "1m" | "1h", rows: number): void {
  const columns: PageColumn[] = [];
  const at: Map<RollupColumn, number>[] = [];
  for (let s = 0; s < 16; s++) {
    const out = makeRollupBuffer(0);
    rollUp(samples(kind, (rows * TIER_MS[tier]) / STEP), TIER_MS[tier], out);
    columns.push({ kind: "time", ts: out.start, from: 0, to: out.length });
    const places = new Map<RollupColumn, number>();
    for (const name of ROLLUP_COLUMNS) {
      const column = out.columns[name];
      if (column.subarray(0, out.length).every((v) => v === 0)) continue;
      places.set(name, columns.length);
      columns.push({ kind: "float", words: new Uint32Array(column.buffer), from: 0, to: out.length });
    }
    at.push(places);
  }
  const bytes = encodePage(columns, "small");
  const starts = columns.flatMap((c, i) => (c.kind === "time" ? [i] : []));
  for (const [name, need] of Object.entries(NEEDS)) {
    let read = 0;
    const run = (): number => {
      const page = openPage(bytes);
      read = 0;
      for (let s = 0; s < 16; s++) {
        read += pageTimes(page, starts[s] as number, ts, 0);
        for (const column of need) {
          const place = at[s]?.get(column);
          if (place !== undefined) read += pageFloats(page, place, values, 0);
        }
      }
      return read;
    };
    show(`${tier} ${kind}, ${rows} rows, ${name}`, bytes.length, run);
  }
}

const only = process.argv[2] ?? "";
const jobs: [string, () => void][] = [];
for (const kind of Object.keys(KINDS)) {
  for (const effort of ["fast", "small"] as const) {
    jobs.push([`raw ${kind} ${effort}`, () => raw(kind, effort, effort === "fast" ? 480 : ROWS)]);
  }
}
for (const kind of ["counter", "gauge, 2 decimals"]) {
  jobs.push([`1h ${kind}`, () => rolled(kind, "1h", 720)]);
  jobs.push([`1m ${kind}`, () => rolled(kind, "1m", 1440)]);
}
for (const [name, run] of jobs) if (name.includes(only)) run();
