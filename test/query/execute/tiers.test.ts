import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Labels, labelsFromObject } from "../../../src/model/labels.ts";
import type { RangeResult } from "../../../src/model/query.ts";
import type { Stretch } from "../../../src/model/series-source.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { anyNumbers, bufferOf, type Thing, things, wholeNumbers } from "../../storage/rollup/arbitrary-samples.ts";
import { often } from "../../support/often.ts";
import { localShard, type MemorySource, makeMemorySource } from "../promqltest/memory-source.ts";
import { type Kept, makeTierSource, type TierSource } from "../tier-source.ts";

/**
 * Answers from rollups against answers from raw samples. Exact: everything where numbers are whole; else all but sums, means and
 * rates across more than one reset a bucket, which are held to some units in the last place of the sum of the numbers' sizes.
 */
const MINUTE = 60_000;
const HOUR = 3_600_000;
const X: Labels = labelsFromObject({ __name__: "x_total" });

function sourceOf(list: readonly Thing[]): MemorySource {
  const source = makeMemorySource();
  const { values, length, histograms } = bufferOf(list);
  const times = list.map((x) => x.t);
  const starts = list.map((x) => x.start);
  source.add(X, times, values.slice(0, length), starts, histograms);
  return source;
}

interface Asked {
  readonly query: string;
  readonly start: number;
  readonly step: number;
  readonly steps: number;
}

async function ask(source: TierSource | MemorySource, a: Asked): Promise<RangeResult> {
  const engine = makeEngine({ shards: [localShard(0, source)] });
  const end = a.start + (a.steps - 1) * a.step;
  return engine.range({ tenant: "default", query: a.query, start: a.start, end, step: a.step });
}

/** Asks both; the answers have to be the same within `slack` (absolute). */
async function agree(raw: MemorySource, tiers: TierSource, a: Asked, slack: number): Promise<void> {
  const want = await ask(raw, a);
  const got = await ask(tiers, a);
  expect(got.matrix.labels).toEqual(want.matrix.labels);
  expect([...got.matrix.present]).toEqual([...want.matrix.present]);
  // Buckets do not tell of start times that overlap inside of them.
  const told = (r: RangeResult) => r.warnings.filter((text) => !text.includes("start time that overlaps"));
  expect(told(got)).toEqual(told(want));
  expect(got.infos).toEqual(want.infos);
  got.matrix.values.forEach((g, i) => {
    const w = want.matrix.values[i] as number;
    if (want.matrix.present[i] === 2) {
      expect(got.matrix.histograms[g]).toEqual(want.matrix.histograms[w]);
      return;
    }
    if (g === w || (Number.isNaN(g) && Number.isNaN(w)) || want.matrix.present[i] === 0) return;
    if (!(Math.abs(g - w) <= slack * Math.max(1, Math.abs(w)))) {
      throw new Error(`${a.query} at step ${i}: ${g} from rollups, ${w} from raw samples`);
    }
  });
}

/** Range functions whose windows have to be whole buckets at both ends. */
const EXACT = ["count", "min", "max", "first", "last", "present", "ts_of_first", "ts_of_last"].map(
  (f) => `${f}_over_time`,
);
const PLAIN = [...EXACT, "delta", "changes", "resets"];
const SUMS = ["sum_over_time", "avg_over_time", "rate", "increase"];

/** Those that need samples where there are native histograms. */
const BY_SAMPLES = ["delta", "changes", "resets", ...SUMS];

/** Complete stretches over a time, with holes; of whole hours, so that they suit both tiers. */
function stretches(from: number, hours: number): fc.Arbitrary<Stretch[]> {
  return fc.array(fc.boolean(), { minLength: hours, maxLength: hours }).map((there) => {
    const out: Stretch[] = [];
    there.forEach((yes, h) => {
      const after = from + h * HOUR;
      const last = out.at(-1);
      if (!yes) return;
      if (last?.until === after) out[out.length - 1] = { after: last.after, until: after + HOUR };
      else out.push({ after, until: after + HOUR });
    });
    return out;
  });
}

const BASE = 1_700_000_000_000 - (1_700_000_000_000 % HOUR) - HOUR;
const HOURS = 30;

const kept: fc.Arbitrary<Kept> = fc
  .record({ m: stretches(BASE - HOUR, HOURS + 2), h: stretches(BASE - HOUR, HOURS + 2) })
  .map(({ m, h }) => ({
    tiers: [
      { tier: "1m", complete: m },
      { tier: "1h", complete: h },
    ],
  }));
const everything: Kept = {
  tiers: [
    { tier: "1m", complete: [{ after: Number.NEGATIVE_INFINITY, until: BASE + 1000 * HOUR }] },
    { tier: "1h", complete: [{ after: Number.NEGATIVE_INFINITY, until: BASE + 1000 * HOUR }] },
  ],
};

/** A series from BASE on, whatever its own beginning was. */
function series(value: fc.Arbitrary<number>, maxLength = 300): fc.Arbitrary<Thing[]> {
  return things(value, true, maxLength).map((list) => {
    const by = BASE - (list[0]?.t ?? 0) + 17;
    return list.map((x) => ({ ...x, t: x.t + by, start: x.start === 0 ? 0 : x.start + by }));
  });
}

const windows = fc.record({
  startMinutes: fc.integer({ min: -5, max: 200 }),
  step: fc.constantFrom(MINUTE, 2 * MINUTE, 7 * MINUTE, HOUR, 2 * HOUR),
  steps: fc.integer({ min: 1, max: 12 }),
  range: fc.constantFrom("1m", "5m", "13m", "1h", "3h", "1d"),
  offset: fc.constantFrom("", " offset 1m", " offset 1h", " offset -2m"),
  hourly: fc.boolean(),
});

function asked(func: string, w: typeof windows extends fc.Arbitrary<infer T> ? T : never): Asked {
  const query = func === "" ? `x_total${w.offset}` : `${func}(x_total[${w.range}]${w.offset})`;
  return { query, start: BASE + w.startMinutes * (w.hourly ? HOUR / 10 : MINUTE), step: w.step, steps: w.steps };
}

const sizeOf = (list: readonly Thing[]): number => list.reduce((a, x) => a + Math.abs(x.value), 1);

describe("windows of whole buckets", () => {
  for (const func of [...PLAIN, ...SUMS, ""]) {
    const name = func === "" ? "a selector" : func;
    test(`${name}: whole numbers, holes in the tiers`, async () => {
      await fc.assert(
        fc.asyncProperty(series(wholeNumbers), kept, windows, async (list, k, w) => {
          const raw = sourceOf(list);
          // Means are rounded in another way: once for the sum and once for the division.
          await agree(raw, makeTierSource(raw, k), asked(func, w), 4 * Number.EPSILON);
        }),
        { numRuns: often(50, 120) },
      );
    });

    test(`${name}: any numbers, nothing but the tiers`, async () => {
      await fc.assert(
        fc.asyncProperty(series(anyNumbers), windows, async (list, w) => {
          fc.pre(list.every((x) => Math.abs(x.value) < 1e299 || !Number.isFinite(x.value)));
          const raw = sourceOf(list);
          const finite = list.filter((x) => Number.isFinite(x.value));
          const slack = PLAIN.includes(func) || func === "" ? 0 : 2 * list.length * Number.EPSILON * sizeOf(finite);
          const tiers = makeTierSource(raw, everything);
          await agree(raw, tiers, asked(func, w), slack);
          const floats = list.every((x) => x.kind !== "histogram");
          if (floats || !BY_SAMPLES.includes(func)) expect(tiers.reads.raw).toBe(0);
        }),
        { numRuns: often(50, 120) },
      );
    });
  }
});
