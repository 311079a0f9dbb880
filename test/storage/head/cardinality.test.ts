import { expect, test } from "vitest";
import { labelsFromObject } from "../../../src/model/labels.ts";
import type { Ranking } from "../../../src/model/shard.ts";
import { cardinality } from "../../../src/storage/head/cardinality.ts";
import { beginFrame, createHead, defineSeries } from "../../../src/storage/head/head.ts";
import { seededRandom } from "../../lib/sim-disk.ts";

const top = (counts: ReadonlyMap<string, number>, limit: number): Ranking =>
  [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, limit);

/** As Prometheus counts memory: each text with its length in one byte, in four from 255 on. */
const sizeOf = (text: string) => Buffer.byteLength(text) + (Buffer.byteLength(text) < 255 ? 1 : 4);

test("counts are those of a walk over all series, of one tenant", () => {
  const random = seededRandom(3);
  const head = createHead({ outOfOrderWindowMs: 0 });
  const metrics = new Map<string, number>();
  const pairs = new Map<string, number>();
  const values = new Map<string, Set<string>>();
  const bytes = new Map<string, number>();
  const seen = new Set<string>();
  for (let i = 0; i < 3000; i++) {
    const labels: Record<string, string> = {
      __name__: `metric_${Math.floor(random() ** 3 * 30)}`,
      host: `h${Math.floor(random() * 50)}`,
    };
    if (random() < 0.5) labels.zone = `zone-${Math.floor(random() * 4)}-${"ü".repeat(130)}`;
    const key = JSON.stringify(labels);
    if (seen.has(key)) continue;
    seen.add(key);
    beginFrame(head);
    defineSeries(head, i, i * 7, "mine", labelsFromObject(labels));
    defineSeries(head, i, i * 7 + 1, "other", labelsFromObject({ ...labels, extra: "x" }));
    for (const [name, value] of Object.entries(labels)) {
      pairs.set(`${name}=${value}`, (pairs.get(`${name}=${value}`) ?? 0) + 1);
      bytes.set(name, (bytes.get(name) ?? 0) + sizeOf(name) + sizeOf(value));
      if (!values.has(name)) values.set(name, new Set());
      values.get(name)?.add(value);
    }
    metrics.set(labels.__name__ as string, (metrics.get(labels.__name__ as string) ?? 0) + 1);
  }
  const all = cardinality(head, "mine", 1000, 0);
  expect(all.series).toBe(seen.size);
  expect(all.labelPairs).toBe(pairs.size);
  expect(all.seriesByMetricName).toEqual(top(metrics, 1000));
  expect(all.seriesByLabelPair).toEqual(top(pairs, 1000));
  expect(all.bytesByLabelName).toEqual(top(bytes, 10));
  expect(all.valuesByLabelName).toEqual(top(new Map([...values].map(([n, v]) => [n, v.size])), 10));
  expect(cardinality(head, "mine", 3, 0).seriesByLabelPair.map(([, n]) => n)).toEqual(top(pairs, 3).map(([, n]) => n));
  expect(cardinality(head, "nobody", 10, 8)).toMatchObject({ series: 0, labelPairs: 0, seriesByMetricName: [] });

  // Sketches are of the values of the names, in their order, as many as there are up to the number asked for.
  const sketched = cardinality(head, "mine", 1000, 8);
  expect(sketched.valueSketches.map((sketch) => sketch.length)).toEqual(
    all.valuesByLabelName.map(([, n]) => Math.min(8, n)),
  );
  expect(all.valueSketches).toEqual([]);
});
