/**
 * What block pages take of a recorded exporter: bytes a sample, by the code of the columns and by series, and the speed of encoding
 * and decoding. The recording is replayed as if scraped every 15 s; series stand in label order, a chunk has `rows` rows, and pages
 * are filled as blocks fill them. Sizes are without an index.
 *
 * Run: node_modules/.bin/node bench/storage/column-size.ts FILE.gz [rows a chunk, 900] [series to list, 0]
 */
import { compareLabels, type Labels } from "../../src/model/labels.ts";
import { encodePage, openPage, type PageColumn, pageFloats, pageTimes } from "../../src/storage/column/page.ts";
import { CODE_BITS, CODE_CONSTANT, CODE_NUMBERS, KIND_FLOAT } from "../../src/storage/column/page-layout.ts";
import { readRecording } from "../lib/recording.ts";

const [file, rowsArg, listArg] = process.argv.slice(2);
if (file === undefined) throw new Error("which recording?");
const CHUNK = Number(rowsArg ?? 900);
const LIST = Number(listArg ?? 0);
const PAGE = 64 * 1024;
const STEP = 15_000;
const PREDICTIONS = ["none", "last", "line", "half"];

interface Series {
  readonly name: string;
  readonly labels: Labels;
  readonly ts: number[];
  readonly values: number[];
}

/** The series in label order; a scrape every STEP, whenever it was. */
function seriesOf(path: string): Series[] {
  const recording = readRecording(path);
  const start = Math.round(recording.start / STEP) * STEP;
  const all = recording.series.map(({ name, labels, values }): Series => {
    const there = [...values.keys()].filter((n) => values[n] !== undefined);
    return {
      name,
      labels: labels.flat(),
      ts: there.map((n) => start + n * STEP),
      values: there.map((n) => values[n] as number),
    };
  });
  return all.sort((a, b) => compareLabels(a.labels, b.labels));
}

interface Chunk {
  readonly series: string;
  readonly time: PageColumn;
  readonly floats: PageColumn;
}

function chunksOf(series: Series[]): Chunk[][] {
  const stripes: Chunk[][] = [];
  for (const s of series) {
    const ts = Float64Array.from(s.ts);
    const words = new Uint32Array(Float64Array.from(s.values).buffer);
    for (let from = 0, k = 0; from < ts.length; from += CHUNK, k++) {
      const to = Math.min(ts.length, from + CHUNK);
      stripes[k] ??= [];
      stripes[k]?.push({
        series: s.name,
        time: { kind: "time", ts, from, to },
        floats: { kind: "float", words, from, to },
      });
    }
  }
  return stripes;
}

type Effort = "fast" | "small";

/** Fills pages of about 64 KiB. */
function pagesOf(stripes: Chunk[][], effort: Effort): { pages: Uint8Array[]; groups: PageColumn[][] } {
  const pages: Uint8Array[] = [];
  const groups: PageColumn[][] = [];
  for (const chunks of stripes) {
    let at = 0;
    let guess = 64;
    while (at < chunks.length) {
      const columns = chunks.slice(at, at + guess).flatMap((c) => [c.time, c.floats]);
      const page = encodePage(columns, effort);
      if (page.length < PAGE * 0.8 && at + guess < chunks.length) {
        guess = Math.max(guess + 8, Math.floor((guess * PAGE) / page.length));
        continue;
      }
      pages.push(page);
      groups.push(columns);
      at += guess;
    }
  }
  return { pages, groups };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function rate(samples: number, work: () => void): number {
  let best = 0;
  for (let round = 0; round < 5; round++) {
    const start = cpuMs();
    let runs = 0;
    do {
      work();
      runs++;
    } while (cpuMs() - start < 150);
    best = Math.max(best, (runs * samples) / (cpuMs() - start) / 1000);
  }
  return best;
}

const series = seriesOf(file);
const samples = series.reduce((sum, s) => sum + s.values.length, 0);
const stripes = chunksOf(series);
console.log(`${series.length} series, ${samples} samples, ${CHUNK} rows a chunk`);
for (const effort of ["fast", "small"] as const) {
  const { pages, groups } = pagesOf(stripes, effort);
  const bytes = pages.reduce((sum, p) => sum + p.length, 0);
  const ts = new Float64Array(CHUNK);
  const values = new Float64Array(CHUNK);
  for (const [i, columns] of groups.entries()) checkPage(openPage(pages[i] as Uint8Array), columns);
  const encode = rate(samples, () => {
    for (const columns of groups) encodePage(columns, effort);
  });
  const decode = rate(samples, () => {
    for (const [i, columns] of groups.entries()) {
      const page = openPage(pages[i] as Uint8Array);
      for (let c = 0; c < columns.length; c += 2) {
        pageTimes(page, c, ts, 0);
        pageFloats(page, c + 1, values, 0);
      }
    }
  });
  console.log(
    `${effort.padEnd(5)} ${pages.length} pages, ${bytes} bytes, ${(bytes / samples).toFixed(4)} bytes a sample, ` +
      `encode ${encode.toFixed(1)} M/s, decode ${decode.toFixed(1)} M/s of CPU time`,
  );
  byCode(pages);
}

/** How the float columns are stored: columns, rows, bytes of bodies a row. */
function byCode(pages: readonly Uint8Array[]): void {
  const sums = new Map<string, { columns: number; rows: number; bytes: number }>();
  let bodies = 0;
  for (const bytes of pages) {
    for (const { kind, rows, source } of openPage(bytes).columns) {
      if (kind !== KIND_FLOAT) continue;
      let name = "other";
      let size = 0;
      if (source.code === CODE_CONSTANT) name = "constant";
      else if (source.code === CODE_BITS) {
        name = "bits";
        size = source.bits.to - source.bits.numbers.from;
      } else if (source.code === CODE_NUMBERS) {
        const derived = source.terms.length > 0 ? "derived" : source.ticks !== undefined ? "ticks" : "numbers";
        name = `${derived}, ${PREDICTIONS[source.numbers.predictor]}${source.contexts === undefined ? "" : ", contexts"}`;
        size = source.to - source.numbers.from;
      }
      const sum = sums.get(name) ?? { columns: 0, rows: 0, bytes: 0 };
      sums.set(name, { columns: sum.columns + 1, rows: sum.rows + rows, bytes: sum.bytes + size });
      bodies += size;
    }
  }
  for (const [name, { columns, rows, bytes }] of [...sums].sort((a, b) => b[1].bytes - a[1].bytes)) {
    const share = ((100 * bytes) / bodies).toFixed(1).padStart(5);
    console.log(`      ${share} %  ${name.padEnd(24)} ${columns} columns, ${(bytes / rows).toFixed(3)} bytes a sample`);
  }
}

function checkPage(page: ReturnType<typeof openPage>, columns: readonly PageColumn[]): void {
  for (const [c, column] of columns.entries()) {
    const n = column.to - column.from;
    const words = new Uint32Array(2 * n);
    if (column.kind === "time") pageTimes(page, c, new Float64Array(words.buffer), 0);
    else if (column.kind === "float") pageFloats(page, c, new Float64Array(words.buffer), 0);
    else continue;
    const all = column.kind === "time" ? new Uint32Array(column.ts.buffer) : column.words;
    for (let i = 0; i < 2 * n; i++) {
      if (words[i] !== all[2 * column.from + i]) throw new Error(`column ${c} does not come back at row ${i >> 1}`);
    }
  }
}

if (LIST > 0) {
  const alone = stripes.flatMap((chunks) =>
    chunks.map((c) => ({ name: c.series, bytes: encodePage([c.floats], "small").length })),
  );
  const sizes = new Map<string, number>();
  for (const a of alone) sizes.set(a.name, (sizes.get(a.name) ?? 0) + a.bytes);
  const ranked = [...sizes].sort((a, b) => b[1] - a[1]).slice(0, LIST);
  for (const [name, bytes] of ranked) console.log(`${String(bytes).padStart(7)} ${name}`);
}
