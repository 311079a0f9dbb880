import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonPieces, labelsJson, mergeSets, mergeTexts } from "../../src/api/merge-lists.ts";
import { compareLabels, type Labels, labelsKey, labelsToObject } from "../../src/model/labels.ts";
import { packSets, packTexts } from "../../src/model/packed-list.ts";
import type { Listed } from "../../src/model/shard.ts";
import type { Pace } from "../../src/query/execute/pace.ts";
import { gapMeter } from "../query/cpu-gap.ts";
import { idlePace } from "../query/idle-pace.ts";

const text = fc.string({ unit: "binary", maxLength: 6 }).map((t) => t.toWellFormed());
const set = fc.uniqueArray(fc.tuple(text, text), { selector: ([name]) => name, maxLength: 4 }).map((pairs): Labels => {
  return pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)).flat();
});
/** A list as a shard gives it: short as it is, or packed and in order. */
const listOf = <T>(entry: fc.Arbitrary<T>, pack: (entries: T[]) => Listed<T>) =>
  fc.tuple(fc.array(entry, { maxLength: 12 }), fc.boolean()).map(([values, packed]) => ({
    values,
    list: packed ? pack([...values]) : { values, problems: [] },
  }));

const texts = listOf(text, (values) => ({ values: [], packed: packTexts(values.sort()), problems: [] }));
const sets = listOf(set, (values) => ({ values: [], packed: packSets(values.sort(compareLabels)), problems: [] }));

describe("lists of several shards", () => {
  test("of texts: in order, each once", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(texts, { maxLength: 4 }), async (lists) => {
        const merged = await mergeTexts(
          idlePace(),
          lists.map((l) => l.list),
        );
        expect(merged).toEqual([...new Set(lists.flatMap((l) => l.values))].sort());
      }),
    );
  });

  test("of label sets: in order, each once, as JSON", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sets, { maxLength: 4 }), async (lists) => {
        const merged = await mergeSets(
          idlePace(),
          lists.map((l) => l.list),
        );
        const distinct = new Map(lists.flatMap((l) => l.values).map((s) => [labelsKey(s), s]));
        expect(merged).toEqual([...distinct.values()].sort(compareLabels));
        const pieces = await jsonPieces(idlePace(), merged, labelsJson(), ['{"data":', "}"]);
        expect(JSON.parse(Buffer.concat(pieces).toString())).toEqual({ data: merged.map(labelsToObject) });
      }),
    );
  });

  test("a client that goes ends the work", async () => {
    const gone = new AbortController();
    gone.abort();
    const pace = { ...idlePace(), signal: gone.signal };
    const packed = packTexts(Array.from({ length: 100_000 }, (_, i) => String(i)).sort());
    await expect(mergeTexts(pace, [{ values: [], packed, problems: [] }])).rejects.toMatchObject({ type: "canceled" });
  });
});

/** CPU time that the work may take before it looks whether others are to have the thread, ms. */
const MOST_MS = 50;

test("half a million series do not keep the thread", async () => {
  const lists = [0, 1].map((partition) => {
    const made = Array.from({ length: 250_000 }, (_, i): Labels => {
      const n = String(2 * i + partition).padStart(7, "0");
      return ["__name__", "requests_total", "endpoint", `/api/${i % 500}`, "n", n, "zone", `z${i % 10}`];
    });
    return { values: [], packed: packSets(made), problems: [] };
  });
  const meter = gapMeter();
  // Asked at each look at the clock, which is where the thread is handed back.
  const now = () => {
    meter.look();
    return 0;
  };
  const pace: Pace = { ...idlePace(), now };
  meter.start();
  const merged = await mergeSets(pace, lists);
  const pieces = await jsonPieces(pace, merged, labelsJson(), ["", ""]);
  const { longest, looks } = meter.end();
  expect(merged).toHaveLength(500_000);
  expect(pieces.length).toBeGreaterThan(500);
  expect(looks).toBeGreaterThan(1_000);
  expect(longest).toBeLessThan(MOST_MS);
});
