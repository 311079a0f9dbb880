import { describe, expect, it } from "vitest";
import { mergeCardinality } from "../../src/api/cardinality.ts";
import { labelsFromObject } from "../../src/model/labels.ts";
import type { Cardinality, Ranking } from "../../src/model/shard.ts";
import { cardinality } from "../../src/storage/head/cardinality.ts";
import { beginFrame, createHead, defineSeries } from "../../src/storage/head/head.ts";
import { seededRandom } from "../lib/sim-disk.ts";

const SHARDS = 4;

/** Series spread over shards as their number says, and the same in one head. */
function spread(series: readonly Record<string, string>[], shardOf: (i: number) => number) {
  const heads = Array.from({ length: SHARDS + 1 }, () => createHead({ outOfOrderWindowMs: 0 }));
  series.forEach((labels, i) => {
    for (const head of [heads[shardOf(i)]!, heads[SHARDS]!]) {
      beginFrame(head);
      defineSeries(head, i, i * 7, "mine", labelsFromObject(labels));
    }
  });
  const counted = (limit: number) => heads.slice(0, SHARDS).map((head) => cardinality(head, "mine", limit, 1024));
  return { counted, whole: cardinality(heads[SHARDS]!, "mine", 100_000, 0) };
}

const sameCounts = (got: Ranking, want: Ranking) => expect(new Map(got)).toEqual(new Map(want));

describe("counts of several shards", () => {
  it("are those of one head with all series", () => {
    const random = seededRandom(5);
    const series = Array.from({ length: 3000 }, (_, i) => ({
      __name__: `metric_${Math.floor(random() ** 3 * 40)}`,
      // 900 values that any shard may have, and one that each series has for itself.
      host: `h${Math.floor(random() * 900)}`,
      ["__proto__"]: `p${i % 3}`,
      serial: `s${i}`,
    }));
    const { counted, whole } = spread(series, () => Math.floor(random() * SHARDS));
    const merged = mergeCardinality(counted(5000), 5000, 5000);
    expect(merged.notes).toEqual([]);
    expect(merged.series).toBe(3000);
    expect(merged.labelPairs).toBe(whole.labelPairs);
    expect(merged.valuesByLabelName).toEqual(whole.valuesByLabelName);
    expect(merged.bytesByLabelName).toEqual(whole.bytesByLabelName);
    sameCounts(merged.seriesByMetricName, whole.seriesByMetricName);
    sameCounts(merged.seriesByLabelPair, whole.seriesByLabelPair);
  });

  it("count the values of a label that many shards have many of, nearly", () => {
    const random = seededRandom(6);
    const series = Array.from({ length: 24_000 }, (_, i) => ({
      __name__: "m",
      pod: `pod-${Math.floor(random() * 8000)}`,
      i: String(i),
    }));
    const { counted, whole } = spread(series, (i) => i % SHARDS);
    const merged = mergeCardinality(counted(1010), 1010, 10);
    const values = new Map(merged.valuesByLabelName);
    const truth = new Map(whole.valuesByLabelName);
    expect(values.get("i")).toBe(24_000);
    expect(values.get("__name__")).toBe(1);
    const pods = truth.get("pod") as number;
    expect(Math.abs((values.get("pod") as number) - pods) / pods).toBeLessThan(0.06);
    expect(merged.notes[0]).toBe("labelValueCountByLabelName: estimated, within a few percent: i, pod");
  });

  it("say how much too low they may be", () => {
    const part = (names: Ranking): Cardinality => ({
      series: 0,
      labelPairs: 0,
      seriesByMetricName: names,
      valuesByLabelName: [],
      valueSketches: [],
      bytesByLabelName: [],
      seriesByLabelPair: [],
    });
    const told = (...parts: Ranking[]) => mergeCardinality(parts.map(part), 2, 2);
    const full = told(
      [
        ["a", 9],
        ["b", 5],
      ],
      [
        ["a", 7],
        ["c", 4],
      ],
    );
    expect(full.seriesByMetricName).toEqual([
      ["a", 16],
      ["b", 5],
    ]);
    // The second shard may have 4 more of b; of c, or of one that is not listed, there may be 9.
    expect(full.notes).toEqual([
      "seriesCountByMetricName: counts may be up to 4 too low: each partition told its largest 2 only",
    ]);
    expect(
      told(
        [
          ["a", 9],
          ["b", 5],
        ],
        [["a", 7]],
      ).notes,
    ).toEqual([]);
    expect(
      told(
        [
          ["a", 9],
          ["b", 5],
        ],
        [
          ["b", 7],
          ["a", 4],
        ],
      ).notes,
    ).toEqual([]);
  });
});
