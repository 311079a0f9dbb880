import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeHistogram } from "../../../src/model/histogram.ts";
import { encodeHistogram, histogramSize } from "../../../src/model/histogram-code.ts";
import {
  columnMask,
  HISTOGRAM_ROLLUP_NUMBERS,
  HISTOGRAM_ROLLUP_REFS,
  makeRollupBuffer,
  makeRollupHistograms,
  ROLLUP_COLUMNS,
  type RollupBuffer,
} from "../../../src/model/rollup.ts";
import { openBlock } from "../../../src/storage/block/block.ts";
import { blockSource } from "../../../src/storage/block/block-source.ts";
import { makeBlockCache } from "../../../src/storage/block/cache.ts";
import { deleteFromBlock } from "../../../src/storage/block/deleted.ts";
import { mergeBlocks } from "../../../src/storage/block/merge-blocks.ts";
import { verifyBlock } from "../../../src/storage/block/verify.ts";
import { makeBlockWriter } from "../../../src/storage/block/writer.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";
import { hashOf } from "./model-block.ts";

/** A row is a start and a text of everything in it. */
interface Row {
  readonly start: number;
  readonly columns: readonly number[];
  readonly numbers: readonly number[];
  /** Counts of histograms, -1 none. */
  readonly refs: readonly number[];
}

const DAY = 86_400_000;
const number = fc.oneof(fc.constant(0), fc.constant(0), fc.nat(1000), fc.double());
const rowList = (withHistograms: boolean): fc.Arbitrary<Row[]> =>
  fc
    .uniqueArray(
      fc.record({
        start: fc.nat(1439).map((m) => m * 60_000),
        columns: fc.array(number, { minLength: ROLLUP_COLUMNS.length, maxLength: ROLLUP_COLUMNS.length }),
        numbers: withHistograms
          ? fc.array(fc.nat(5), { minLength: 6, maxLength: 6 })
          : fc.constant(HISTOGRAM_ROLLUP_NUMBERS.map(() => 0)),
        refs: withHistograms
          ? fc.array(fc.integer({ min: -1, max: 9 }), { minLength: 4, maxLength: 4 })
          : fc.constant(HISTOGRAM_ROLLUP_REFS.map(() => -1)),
      }),
      { selector: (r) => r.start, minLength: 1, maxLength: 30 },
    )
    .map((rows) => rows.sort((a, b) => a.start - b.start));
const series = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.boolean().chain(rowList), { maxKeys: 4 });

function bufferOf(rows: readonly Row[]): RollupBuffer {
  const out = makeRollupBuffer(Math.max(1, rows.length));
  out.length = rows.length;
  if (rows.some((r) => r.refs.some((c) => c >= 0) || r.numbers.some((n) => n > 0))) {
    out.histograms = makeRollupHistograms(rows.length);
  }
  rows.forEach((row, i) => {
    out.start[i] = row.start;
    ROLLUP_COLUMNS.forEach((name, c) => {
      out.columns[name][i] = row.columns[c] as number;
    });
    const { histograms } = out;
    if (histograms === undefined) return;
    HISTOGRAM_ROLLUP_NUMBERS.forEach((name, c) => {
      histograms.numbers[name][i] = row.numbers[c] as number;
    });
    HISTOGRAM_ROLLUP_REFS.forEach((name, c) => {
      const count = row.refs[c] as number;
      const h = makeHistogram();
      h.count = count;
      h.zeroCount = count;
      histograms.refs[name][i] = count < 0 ? -1 : encodeHistogram(h, histograms.bytes);
    });
  });
  return out;
}

function textsOf(out: RollupBuffer, from = 0): string[] {
  return Array.from({ length: out.length - from }, (_, k) => {
    const i = from + k;
    const columns = ROLLUP_COLUMNS.map((name) => (Object.is(out.columns[name][i], -0) ? "-0" : out.columns[name][i]));
    const h = out.histograms;
    const numbers = HISTOGRAM_ROLLUP_NUMBERS.map((name) => h?.numbers[name][i] ?? 0);
    const refs = HISTOGRAM_ROLLUP_REFS.map((name) => {
      const ref = h?.refs[name][i] ?? -1;
      return h === undefined || ref < 0
        ? "-"
        : Buffer.from(h.bytes.bytes.subarray(ref, ref + histogramSize(h.bytes.bytes, ref))).toString("hex");
    });
    return `${out.start[i]} ${columns} ${numbers} ${refs}`;
  });
}

const options = { tier: "1m" as const, level: 1, sources: [], effort: "fast" as const, rangeStart: 0, rangeEnd: DAY };

async function write(disk: SimDisk, all: Readonly<Record<string, Row[]>>, intervalMs: number) {
  const writer = await makeBlockWriter(disk, "/t", { ...options, intervalMs });
  for (const name of Object.keys(all).sort()) {
    await writer.addRollup("default", ["n", name], hashOf("default", ["n", name]), bufferOf(all[name] as Row[]));
  }
  const meta = await writer.finish();
  return meta === undefined ? undefined : openBlock(disk, `/t/${meta.id}`, makeBlockCache(1 << 20));
}

describe("a block of rollups", () => {
  test("gives back its rows, only the columns that are needed", async () => {
    await fc.assert(
      fc.asyncProperty(series, fc.constantFrom(100, 60_000), fc.nat(DAY), fc.nat(DAY), async (all, interval, i, j) => {
        const disk = makeSimDisk();
        const block = await write(disk, all, interval);
        if (block === undefined) return;
        expect(await verifyBlock(disk, block.dir)).toEqual([]);
        const source = blockSource(block);
        const [minT, maxT] = [Math.min(i, j), Math.max(i, j)];
        const out = makeRollupBuffer(1);
        Object.keys(all)
          .sort()
          .forEach((name, id) => {
            const rows = all[name] as Row[];
            for (const [from, to] of [
              [0, DAY],
              [minT, maxT],
            ] as const) {
              const expected = textsOf(bufferOf(rows.filter((r) => r.start >= from && r.start <= to)));
              const before = out.length;
              source.readRollup(id, from, to, out);
              expect(textsOf(out, before)).toEqual(expected);
              const some = makeRollupBuffer(1);
              source.readRollup(id, from, to, some, columnMask(["max", "lastT"]));
              expect(Array.from(some.columns.max.subarray(0, some.length))).toEqual(
                Array.from(out.columns.max.subarray(before, out.length)),
              );
              expect(some.columns.lastT.subarray(0, some.length)).toEqual(
                out.columns.lastT.subarray(before, out.length),
              );
            }
          });
      }),
      { numRuns: 60 },
    );
  });

  test("is merged bucket by bucket, the later block winning", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(series, { minLength: 1, maxLength: 3 }), fc.nat(DAY), async (models, deleted) => {
        const disk = makeSimDisk();
        const opened = [];
        for (const model of models) opened.push((await write(disk, model, 60_000)) ?? []);
        const sources = opened.flat();
        const [firstBlock] = sources;
        const first = opened.findIndex((b) => !Array.isArray(b));
        if (firstBlock !== undefined) await deleteFromBlock(firstBlock, "default", [], 0, deleted);
        const expected = new Map<string, Map<number, Row>>();
        models.forEach((model, m) => {
          for (const [name, rows] of Object.entries(model)) {
            const known = expected.get(name) ?? new Map<number, Row>();
            for (const row of rows) if (m !== first || row.start > deleted) known.set(row.start, row);
            if (known.size > 0) expected.set(name, known);
          }
        });
        const meta = await mergeBlocks(disk, "/t", sources, { ...options, level: 2 });
        if (meta === undefined) {
          expect(expected.size).toBe(0);
          return;
        }
        expect(await verifyBlock(disk, `/t/${meta.id}`)).toEqual([]);
        const source = blockSource(await openBlock(disk, `/t/${meta.id}`, makeBlockCache(1 << 20)));
        const out = makeRollupBuffer(1);
        [...expected.keys()].sort().forEach((name, id) => {
          expect(source.labels(id)).toEqual(["n", name]);
          out.length = 0;
          source.readRollup(id, 0, DAY, out);
          const rows = [...(expected.get(name) ?? new Map<number, Row>()).values()].sort((a, b) => a.start - b.start);
          expect(textsOf(out)).toEqual(textsOf(bufferOf(rows)));
        });
      }),
      { numRuns: 50 },
    );
  });
});
