import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareLabels, type Labels, labelsFromObject } from "../../../src/model/labels.ts";
import { createHead, defineSeries, seriesLabels, seriesTenant } from "../../../src/storage/head/head.ts";
import { seriesInLabelOrder } from "../../../src/storage/head/label-order.ts";
import { sortInSlices } from "../../../src/storage/head/sliced-sort.ts";
import { obtainCompanion } from "../../../src/storage/head/start-times.ts";
import { hashOf } from "./reference-head.ts";

const text = fc.oneof(
  fc.constantFrom("a", "ab", "abc", "abd", "abcdef", "abcdeg", "b", "", "A", "_"),
  fc.constantFrom("\ue000", "\uffff", "𝄞", "𝄟", "é", "￿x", "x𝄞", "x\uffee"),
  fc.string({ maxLength: 8 }),
);
const set = fc
  .dictionary(fc.oneof(fc.constantFrom("a", "b", "__name__", "λ"), text), text, { maxKeys: 4 })
  .map((o) => labelsFromObject(o));
const noPause = (): Promise<void> => Promise.resolve();

describe("series in the order of a block", () => {
  test("is by tenant, then by labels", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom("default", "other", "a"), set), { maxLength: 80 }),
        fc.constantFrom(0, undefined),
        async (all, limit) => {
          const unique = new Map(all.map(([tenant, labels]) => [JSON.stringify([tenant, labels]), { tenant, labels }]));
          const head = createHead({ outOfOrderWindowMs: 0 });
          [...unique.values()].forEach(({ tenant, labels }, n) => {
            defineSeries(head, hashOf(n).lo, hashOf(n).hi, tenant, labels);
            if (n % 5 === 0) obtainCompanion(head.starts, head.series, head.series.count - 1);
          });
          const got = [...(await seriesInLabelOrder(head, noPause, limit))].map((id) => ({
            tenant: seriesTenant(head, id),
            labels: seriesLabels(head, id),
          }));
          const expected = [...unique.values()].sort((x, y) =>
            x.tenant === y.tenant ? compareLabels(x.labels, y.labels) : x.tenant < y.tenant ? -1 : 1,
          );
          expect(got).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  }, 30_000);

  test("many series, more of them meanwhile, in slices", async () => {
    const head = createHead({ outOfOrderWindowMs: 0 });
    const add = (n: number): Labels => {
      const labels = ["__name__", `m${n % 7}`, "host", `host-${(n * 7919) % 40_000}`, "n", String(n)];
      defineSeries(head, hashOf(n).lo, hashOf(n).hi, "default", labels);
      return labels;
    };
    const all: Labels[] = [];
    for (let n = 0; n < 60_000; n++) all.push(add(n));
    let pauses = 0;
    let more = 60_000;
    const got = await seriesInLabelOrder(head, () => {
      pauses++;
      for (let k = 0; k < 20; k++) add(more++);
      return Promise.resolve();
    });
    expect(pauses).toBeGreaterThan(20);
    expect([...got].map((id) => seriesLabels(head, id))).toEqual(all.sort(compareLabels));
  }, 30_000);

  test("items with equal keys, with few keys and without any", async () => {
    const items = Uint32Array.from({ length: 50_000 }, (_, i) => (i * 7919) % 50_000);
    const keys = (item: number, depth: number): number =>
      depth === 0 ? 5 : depth === 1 ? (item % 3) + 1 : depth === 2 && item % 2 === 0 ? (item >> 4) + 1 : 0;
    const tuple = (item: number): number[] => [keys(item, 1), keys(item, 2)];
    const expected = [...items].map(tuple).sort(([a, b], [c, d]) => a! - c! || b! - d!);
    await sortInSlices(items, keys, noPause);
    expect([...items].map(tuple)).toEqual(expected);
    expect(new Set(items).size).toBe(50_000);
    await sortInSlices(new Uint32Array(0), keys, noPause);
  }, 30_000);
});
