/** Series that rules keep for longer or shorter than most, on a simulated disk, against a model of plain arithmetic. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import type { SeriesRetention } from "../../../src/storage/engine/retention-rules.ts";
import { frameOf, type Row, testSeries } from "../../actors/shard/frames.ts";
import { HOUR, type Lab, MINUTE, openLab, T0 } from "../../faults/lab.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";

const STEP = 10 * MINUTE;
const NAMES = ["0", "1", "2", "3"];
const series = NAMES.map((s) => testSeries(["__name__", "m", "s", s]));
const valueAt = (t: number, s: number): number => ((t - T0) / STEP) * NAMES.length + s;

interface Ages {
  readonly raw: number;
  readonly "1m": number;
  readonly "1h": number;
}
const TIERS = ["raw", "1m", "1h"] as const;

const rule = (values: string, ages: Partial<Ages>): SeriesRetention => ({
  matchers: [{ name: "s", op: "=~", value: values }],
  ages,
});

interface Case {
  readonly ages: Ages;
  readonly rules: readonly SeriesRetention[];
  readonly maxBlockRangeMs?: number;
}

/** Opens a lab on a clock, feeds it hour after hour, and does the upkeep after each of the hours in `looks`. */
async function lived(it: Case, hours: number, looks: ReadonlySet<number>): Promise<Lab & { now: () => number }> {
  const clock = { now: T0 };
  const { ages, rules, maxBlockRangeMs = 8 * HOUR } = it;
  const lab = await openLab({
    disk: makeSimDisk(),
    now: () => clock.now,
    settings: { ages, rules, maxBlockRangeMs },
  });
  for (let h = 0; h < hours; h++) {
    for (let t = T0 + h * HOUR; t < T0 + (h + 1) * HOUR; t += STEP) {
      const rows = series.map((s, i): Row => [s, t, valueAt(t, i)]);
      lab.take(lab.keeper.wal.state.applied.last() + 1, frameOf(series, rows));
      clock.now = t;
    }
    if (!looks.has(h) && h < hours - 1) continue;
    await lab.keeper.maintenance.lookAtHead();
    await lab.jobs();
  }
  return Object.assign(lab, { now: () => clock.now });
}

/** The ages of a series: the first rule that matches it counts. */
function agesOf({ ages, rules }: Case, s: number): Ages {
  const found = rules.find((r) => r.matchers.every((m) => m.value.split("|").includes(String(s))));
  return { ...ages, ...found?.ages };
}
const oldest = (now: number, age: number): number => (age === 0 ? Number.NEGATIVE_INFINITY : now - age);

/** What is read of series raw, over all time. */
function expectRaw(lab: Lab, it: Case, now: number): void {
  const contents = [...lab.contents().entries()];
  for (const [s, { labels }] of series.entries()) {
    const want: number[] = [];
    for (let t = T0; t <= now; t += STEP) if (t > oldest(now, agesOf(it, s).raw)) want.push(t);
    const found = contents.find(([key]) => key.includes(labels.at(-1) as string));
    expect([...(found?.[1].keys() ?? [])], `series ${s}`).toEqual(want);
  }
}

/** Windows of an hour that end at `end + shift`, by series and hour; undefined: nothing there. */
async function sums(lab: Lab, hours: number, shift: number): Promise<(number | undefined)[][]> {
  const steps = hours - 2;
  const { matrix } = await lab.ask("sum_over_time(m[1h])", T0 + HOUR + shift, T0 + steps * HOUR + shift, HOUR);
  return series.map((_, s) => {
    const row = matrix.labels.findIndex((l) => l.at(-1) === String(s));
    return Array.from({ length: steps }, (_, i) =>
      row >= 0 && matrix.present[row * steps + i] === 1 ? matrix.values[row * steps + i] : undefined,
    );
  });
}

async function expectSums(lab: Lab, it: Case, hours: number, now: number): Promise<void> {
  for (const shift of [0, 5 * MINUTE]) {
    const found = await sums(lab, hours, shift);
    for (const s of series.keys()) {
      const ages = agesOf(it, s);
      const oldestKept = Math.min(...TIERS.map((tier) => oldest(now, ages[tier])));
      for (const [i, got] of (found[s] as (number | undefined)[]).entries()) {
        const end = T0 + (i + 1) * HOUR + shift;
        const from = end - HOUR;
        const where = `series ${s}, window to ${(end - T0) / HOUR} h of ${hours}`;
        const isRaw = from >= oldest(now, ages.raw);
        const isHours = shift === 0 && from >= oldest(now, ages["1h"]);
        const isMinutes = from >= oldest(now, ages["1m"]);
        let sum = 0;
        for (let t = T0; t <= end; t += STEP) if (t > from) sum += valueAt(t, s);
        if (isRaw || isHours || isMinutes) expect(got, where).toBe(sum);
        else if (end <= oldestKept - HOUR) expect(got, where).toBeUndefined();
      }
    }
  }
}

/** No block has a series all of whose samples in it are too old, by more than the hour that goes as a whole. */
function expectThinned(lab: Lab, it: Case, now: number): void {
  for (const tier of TIERS) {
    for (const { block, part } of lab.keeper.storage.blocks.tiers[tier]) {
      const { minT, maxT } = block.meta;
      for (const s of series.keys()) {
        if (maxT >= oldest(now, agesOf(it, s)[tier]) - HOUR) continue;
        const matchers = [{ name: "s", op: "=" as const, value: String(s) }];
        const ids = part.source.select(DEFAULT_TENANT, matchers, minT, maxT);
        expect(ids.length, `series ${s} in ${tier} up to ${(maxT - T0) / HOUR} h`).toBe(0);
      }
    }
  }
}

const age = fc.constantFrom(0, 6, 9, 14, 20, 31).map((hours) => hours * HOUR);
const someAges = fc.record({ raw: age, "1m": age, "1h": age }, { requiredKeys: ["raw"] });
const cases = fc.record({
  ages: fc.record({ raw: age, "1m": age, "1h": age }),
  rules: fc.array(
    fc
      .record({ values: fc.subarray(NAMES, { minLength: 1 }), ages: someAges })
      .map((r) => rule(r.values.join("|"), r.ages)),
    { minLength: 1, maxLength: 3 },
  ),
  maxBlockRangeMs: fc.constantFrom(2 * HOUR, 8 * HOUR),
});
/** TOCSIN_ROUNDS sets how many cases are tried. */
const ROUNDS = Number(process.env.TOCSIN_ROUNDS ?? 12);

describe("rules by series", () => {
  test("serve each series for as long as its rule says, and leave nothing older on disk", {
    timeout: 120_000,
  }, async () => {
    const looks = fc.array(fc.nat({ max: 40 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(cases, looks, async (it, at) => {
        const hours = 41;
        const lab = await lived(it, hours, new Set(at));
        const now = lab.now();
        expectRaw(lab, it, now);
        expectThinned(lab, it, now);
        await expectSums(lab, it, hours, now);
        // Nothing is done twice.
        const { compactions } = lab.keeper.maintenance.counts;
        expect(await lab.jobs()).toBe(0);
        expect(lab.keeper.maintenance.counts.compactions).toBe(compactions);
        await lab.close();
      }),
      { numRuns: ROUNDS },
    );
  });

  test("a longer one is served raw where the others are gone, and the same before they have gone", async () => {
    const it = { ages: { raw: 6 * HOUR, "1m": 6 * HOUR, "1h": 6 * HOUR }, rules: [rule("3", { raw: 30 * HOUR })] };
    const lab = await lived(it, 24, new Set());
    expectRaw(lab, it, lab.now());
    const { matrix } = await lab.ask("count_over_time(m[1h])", T0 + 3 * HOUR, T0 + 3 * HOUR, HOUR);
    expect(matrix.labels.map((l) => l.at(-1))).toEqual(["3"]);
    expect(matrix.values[0]).toBe(6);
  });

  test("blocks without such series are not rewritten", async () => {
    const it = {
      ages: { raw: 0, "1m": 0, "1h": 0 },
      rules: [rule("none", { raw: 6 * HOUR })],
      maxBlockRangeMs: 2 * HOUR,
    };
    const lab = await lived(it, 24, new Set());
    expect(lab.keeper.maintenance.counts.rollups).toBeGreaterThan(0);
    expect(lab.keeper.storage.blocks.tiers.raw.every((b) => b.block.meta.level === 1)).toBe(true);
  });
});
