import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Labels, labelsKey, labelValue } from "../../../src/model/labels.ts";
import { compileMatcher, type Matcher } from "../../../src/model/matcher.ts";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { type Block, openBlock } from "../../../src/storage/block/block.ts";
import { blockSource } from "../../../src/storage/block/block-source.ts";
import { makeBlockCache } from "../../../src/storage/block/cache.ts";
import { deleteFromBlock } from "../../../src/storage/block/deleted.ts";
import { iterateBlock } from "../../../src/storage/block/iterate.ts";
import { mergeBlocks } from "../../../src/storage/block/merge-blocks.ts";
import { verifyBlock } from "../../../src/storage/block/verify.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";
import {
  baseOptions,
  blocks,
  bufferOf,
  compareSeries,
  type ModelSample,
  type ModelSeries,
  names,
  textsOf,
  values,
  writeModel,
} from "./model-block.ts";

const MAX_T = 7_199_999;
const cache = makeBlockCache(4 << 20);

interface Deletion {
  readonly tenant: string;
  readonly matchers: readonly Matcher[];
  readonly minT: number;
  readonly maxT: number;
}

const deletion: fc.Arbitrary<Deletion> = fc
  .record({
    tenant: fc.constantFrom("default", "other"),
    matchers: fc.array(
      fc.record({
        name: fc.constantFrom(...names),
        op: fc.constantFrom("=" as const, "!=" as const, "=~" as const, "!~" as const),
        value: fc.constantFrom(...values.slice(0, 4), "x|y", ".+"),
      }),
      { maxLength: 2 },
    ),
    a: fc.oneof(fc.integer({ min: 0, max: MAX_T }), fc.constant(Number.NEGATIVE_INFINITY)),
    b: fc.oneof(fc.integer({ min: 0, max: MAX_T }), fc.constant(Number.POSITIVE_INFINITY)),
  })
  .map(({ tenant, matchers, a, b }) => ({ tenant, matchers, minT: Math.min(a, b), maxT: Math.max(a, b) }));

const applies = (d: Deletion, s: ModelSeries): boolean =>
  s.tenant === d.tenant && d.matchers.every((m) => compileMatcher(m)(labelValue(s.labels, m.name)));

/** The model with what is deleted taken out; series without samples are gone. */
function without(all: readonly ModelSeries[], deletions: readonly Deletion[]): ModelSeries[] {
  return all
    .map((s) => ({
      ...s,
      samples: s.samples.filter((x) => !deletions.some((d) => applies(d, s) && x.t >= d.minT && x.t <= d.maxT)),
    }))
    .filter((s) => s.samples.length > 0);
}

function mergeModels(models: readonly (readonly ModelSeries[])[]): ModelSeries[] {
  const byKey = new Map<string, { tenant: string; labels: Labels; samples: Map<number, ModelSample> }>();
  for (const model of models) {
    for (const s of model) {
      const key = `${s.tenant}/${labelsKey(s.labels)}`;
      const known = byKey.get(key) ?? { tenant: s.tenant, labels: s.labels, samples: new Map() };
      byKey.set(key, known);
      for (const x of s.samples) known.samples.set(x.t, x);
    }
  }
  return [...byKey.values()]
    .map((s) => ({ ...s, samples: [...s.samples.values()].sort((a, b) => a.t - b.t) }))
    .sort(compareSeries);
}

const plain = (all: readonly ModelSeries[]) =>
  all.map((s) => ({ tenant: s.tenant, labels: s.labels, samples: textsOf(bufferOf(s.samples)) }));

/** Series with samples, in order, as they are read. */
function contents(block: Block) {
  const out = makeSampleBuffer(1);
  return [...iterateBlock(block)]
    .map((s) => {
      s.readSamples(out);
      return { tenant: s.tenant, labels: s.labels, samples: textsOf(out) };
    })
    .filter((s) => s.samples.length > 0);
}

async function openAll(disk: SimDisk, models: readonly (readonly ModelSeries[])[]): Promise<Block[]> {
  const opened: Block[] = [];
  for (const model of models) {
    const meta = await writeModel(disk, "/t", model, { intervalMs: 500 });
    if (meta !== undefined) opened.push(await openBlock(disk, `/t/${meta.id}`, cache));
  }
  return opened;
}

describe("tombstones", () => {
  test("take away what the matchers select, at once and after opening again", async () => {
    await fc.assert(
      fc.asyncProperty(blocks(MAX_T), fc.array(deletion, { maxLength: 3 }), async (all, deletions) => {
        const disk = makeSimDisk();
        const [block] = await openAll(disk, [all]);
        if (block === undefined) return;
        for (const d of deletions) {
          const hit = all.filter((s) => applies(d, s)).length;
          const count = await deleteFromBlock(block, d.tenant, d.matchers, d.minT, d.maxT);
          if (count !== 0) expect(count).toBe(hit);
        }
        const expected = plain(without(all, deletions));
        const again = await openBlock(disk, block.dir, cache);
        for (const b of [block, again]) {
          expect(contents(b)).toEqual(expected);
          const source = blockSource(b);
          const found = ["default", "other"].flatMap((tenant) =>
            [...source.select(tenant, [], 0, MAX_T)].map((id) => ({ tenant, labels: source.labels(id) })),
          );
          for (const s of expected) expect(found).toContainEqual({ tenant: s.tenant, labels: s.labels });
        }
        expect(await verifyBlock(disk, block.dir)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test("that cover a series hide it, and a flipped byte of theirs is noticed", async () => {
    const disk = makeSimDisk();
    const one = (name: string): ModelSeries => ({
      tenant: "default",
      labels: ["__name__", name],
      samples: [{ t: 5, v: [1, 0], start: 0 }],
    });
    const [block] = (await openAll(disk, [[one("a"), one("b")]])) as [Block];
    const matchers: Matcher[] = [{ name: "__name__", op: "=", value: "a" }];
    expect(await deleteFromBlock(block, "default", matchers, 0, 4)).toBe(0);
    expect(await disk.list(block.dir)).toEqual(["data", "meta.json"]);
    expect(await deleteFromBlock(block, "default", matchers, Number.NEGATIVE_INFINITY, 5)).toBe(1);
    const source = blockSource(block);
    expect(source.labelValues("default", "__name__", [], 0, 10)).toEqual(["b"]);
    await expect(deleteFromBlock(block, "default", [{ name: "a", op: "=~", value: "(" }], 0, 10)).rejects.toMatchObject(
      { name: "RegexError" },
    );
    const { length } = disk.file(`${block.dir}/tombstones`);
    for (let at = 0; at < length; at++) {
      const damaged = disk.snapshot();
      const bytes = damaged.file(`${block.dir}/tombstones`);
      bytes[at] = (bytes[at] as number) ^ 16;
      await expect(openBlock(damaged, block.dir, cache)).rejects.toMatchObject({ name: "BlockError" });
    }
  });
});

describe("merging blocks", () => {
  test("is what merging maps gives: later blocks win, deleted and old samples are gone", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(blocks(MAX_T), { minLength: 1, maxLength: 4 }),
        fc.array(deletion, { maxLength: 2 }),
        fc.integer({ min: 0, max: MAX_T }),
        fc.constantFrom(1, 4096),
        async (models, deletions, keepFrom, smallBlock) => {
          const disk = makeSimDisk();
          const sources = await openAll(disk, models);
          // Deleted in the first block only: what later ones have is written after the deletion.
          const first = models.findIndex((m) => m.length > 0);
          for (const d of deletions) {
            if (sources[0] !== undefined) await deleteFromBlock(sources[0], d.tenant, d.matchers, d.minT, d.maxT);
          }
          const expected = mergeModels(models.map((m, i) => (i === first ? without(m, deletions) : m)))
            .map((s) => (s.tenant === "other" ? { ...s, samples: s.samples.filter((x) => x.t >= keepFrom) } : s))
            .filter((s) => s.samples.length > 0);
          let pauses = 0;
          const meta = await mergeBlocks(
            disk,
            "/t",
            sources,
            {
              ...baseOptions,
              level: 2,
              effort: "small",
              sources: sources.map((b) => b.meta.id),
              smallBlock,
              pause: () => (pauses++ % 3 === 0 ? Promise.resolve() : undefined),
            },
            { keep: (tenant) => (tenant === "other" ? keepFrom : undefined) },
          );
          if (expected.length === 0) {
            expect(meta).toBeUndefined();
            return;
          }
          expect(meta).toMatchObject({
            series: expected.length,
            samples: expected.reduce((n, s) => n + s.samples.length, 0),
            sources: sources.map((b) => b.meta.id),
            level: 2,
          });
          expect(await verifyBlock(disk, `/t/${meta?.id}`)).toEqual([]);
          const merged = await openBlock(disk, `/t/${meta?.id}`, cache);
          expect(contents(merged)).toEqual(plain(expected));
        },
      ),
      { numRuns: 50 },
    );
  });

  test("of a damaged block rejects and leaves nothing", async () => {
    const disk = makeSimDisk();
    const all = Array.from(
      { length: 20 },
      (_, i): ModelSeries => ({
        tenant: "default",
        labels: ["a", `${10 + i}`],
        samples: Array.from({ length: 50 }, (_, k) => ({ t: k * 1000, v: [k * i, 7] as const, start: 0 })),
      }),
    );
    const [a, b] = (await openAll(disk, [all, all])) as [Block, Block];
    const bytes = disk.file(`${b.dir}/data`);
    const at = (b.pages.table.starts[0] as number) + 9;
    bytes[at] = (bytes[at] as number) ^ 1;
    await expect(mergeBlocks(disk, "/t", [a, b], { ...baseOptions, level: 2 })).rejects.toMatchObject({
      name: "BlockError",
      block: b.meta.id,
    });
    expect(await disk.list("/t")).toEqual([a.meta.id, b.meta.id].sort());
  });
});
