/** Answers from blocks of rollups against those from a head that was never cut, over the same frames; and where only they answer. */
import { describe, expect, test } from "vitest";
import { rawGaps } from "../../../src/storage/engine/shard-storage.ts";
import { frameOf, type Row, testSeries } from "../../actors/shard/frames.ts";
import { DIR, HOUR, type Lab, MINUTE, openLab, T0 } from "../../faults/lab.ts";
import { makeSimDisk, seededRandom } from "../../lib/sim-disk.ts";

const FUNCTIONS = ["sum", "count", "min", "max", "avg", "last", "first", "present"].map((f) => `${f}_over_time`);
const ALL = [...FUNCTIONS, "rate", "increase", "delta", "changes", "resets"];
const HOURS = 26;
/** TOCSIN_ROUNDS sets how many seeds are tried, TOCSIN_SEED the first. */
const ROUNDS = Number(process.env.TOCSIN_ROUNDS ?? 1);
const SEEDS = Array.from({ length: ROUNDS }, (_, i) => Number(process.env.TOCSIN_SEED ?? 1) + i);
const series = Array.from({ length: 5 }, (_, s) => testSeries(["__name__", "x_total", "s", String(s)]));

/** Counters that begin anew now and then, gauges of whole numbers; gaps, late samples, ends of buckets hit exactly. */
function frames(seed: number): Uint8Array[] {
  const random = seededRandom(seed);
  const values = series.map(() => Math.floor(random() * 100));
  const out: Uint8Array[] = [];
  const late: Row[] = [];
  for (let t = T0; t < T0 + HOURS * HOUR; t += 1 + Math.floor(random() * 3) * MINUTE) {
    const rows: Row[] = [];
    for (const [s, one] of series.entries()) {
      if (random() < 0.2) continue;
      const before = values[s] as number;
      values[s] =
        s < 3 ? (random() < 0.03 ? 0 : before + Math.floor(random() * 50)) : Math.floor(random() * 1000) - 500;
      const row: Row = [one, random() < 0.1 ? Math.floor(t / MINUTE) * MINUTE : t, values[s] as number];
      if (random() < 0.02) late.push(row);
      else rows.push(row);
    }
    if (random() < 0.05 && late.length > 0) rows.push(late.shift() as Row);
    if (rows.length > 0) out.push(frameOf(series, rows));
  }
  return out;
}

async function lab(seed: number, withBlocks: boolean): Promise<Lab> {
  const random = seededRandom(seed + 1);
  const clock = { now: T0 };
  const it = await openLab({ disk: makeSimDisk(), now: () => clock.now, settings: { maxBlockRangeMs: 8 * HOUR } });
  let sequence = 0;
  for (const frame of frames(seed)) {
    it.take(++sequence, frame);
    clock.now = it.core.head.maxT;
    if (withBlocks && random() < 0.02) {
      await it.keeper.maintenance.cut(Math.floor(clock.now / (2 * HOUR)) * 2 * HOUR);
      await it.jobs();
    }
  }
  if (!withBlocks) return it;
  await it.keeper.maintenance.cut(Math.floor(clock.now / (2 * HOUR)) * 2 * HOUR);
  await it.jobs();
  return it;
}

describe.each(SEEDS)("rollups in blocks, seed %i", (seed) => {
  test("answer as raw samples do where windows are whole buckets", { timeout: 60_000 }, async () => {
    const raw = await lab(seed, false);
    const tiers = await lab(seed, true);
    expect(tiers.contents()).toEqual(raw.contents());
    expect(tiers.keeper.storage.blocks.tiers["1h"].length).toBeGreaterThan(0);
    for (const f of ALL) {
      for (const [range, step] of [
        ["1h", HOUR],
        ["3h", HOUR],
        ["5m", 5 * MINUTE],
        ["1m", 7 * MINUTE],
      ] as const) {
        const query = `${f}(x_total[${range}])`;
        const want = await raw.ask(query, T0, T0 + (HOURS + 1) * HOUR, step);
        const got = await tiers.ask(query, T0, T0 + (HOURS + 1) * HOUR, step);
        const rowOf = new Map(got.matrix.labels.map((l, i) => [l.at(-1), i]));
        expect(rowOf.size, query).toBe(want.matrix.labels.length);
        const steps = want.matrix.values.length / want.matrix.labels.length;
        want.matrix.labels.forEach((l, i) => {
          const j = rowOf.get(l.at(-1)) as number;
          for (let k = 0; k < steps; k++) {
            const a =
              want.matrix.present[i * steps + k] === 1 ? (want.matrix.values[i * steps + k] as number) : undefined;
            const b =
              got.matrix.present[j * steps + k] === 1 ? (got.matrix.values[j * steps + k] as number) : undefined;
            // Sums of whole numbers are exact; what is divided afterwards may be rounded in another order.
            const close = a !== undefined && b !== undefined && Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(a));
            if (a !== b && !close) throw new Error(`${query} of ${l.at(-1)} at step ${k}: ${b} instead of ${a}`);
          }
        });
      }
    }
    const use = await tiers.ask(`sum_over_time(x_total[1h])`, T0 + HOUR, T0 + 20 * HOUR, HOUR);
    expect(use.stats?.tiers.map((t) => t.tier)).toContain("1h");
  });
});

describe("hours of which raw samples are lost", () => {
  const END = T0 + 8 * HOUR;
  const open = (disk: ReturnType<typeof makeSimDisk>) =>
    openLab({ disk, now: () => END, settings: { maxBlockRangeMs: 2 * HOUR } });

  /** Eight hours in blocks and rollups, a sample a minute; without the blocks that have these hours. */
  async function without(lost: readonly (readonly [tier: "raw" | "1m" | "1h", hour: number])[]): Promise<Lab> {
    const disk = makeSimDisk();
    const lab = await open(disk);
    let sequence = 0;
    for (let t = T0 + MINUTE; t <= END; t += MINUTE) {
      const rows = series.map((one): Row => [one, t, t - T0]);
      lab.take(++sequence, frameOf(series, rows));
    }
    await lab.keeper.maintenance.cut(END);
    await lab.jobs();
    expect(rawGaps(lab.keeper.storage)).toEqual([]);
    await lab.keeper.checkpoint();
    await lab.close();
    for (const [tier, hour] of lost) {
      const t = T0 + hour * HOUR;
      const has = lab.keeper.storage.blocks.tiers[tier].filter(
        ({ block: { meta } }) => meta.minT <= t && meta.maxT >= t,
      );
      expect(has.length).toBeGreaterThan(0);
      for (const { block } of has) await disk.removeDir(`${DIR}/blocks/${tier}/${block.meta.id}`);
    }
    return open(disk);
  }
  /** What answers of half an hour that is no whole buckets. */
  const answerAt = async (lab: Lab, hour: number) => {
    const at = T0 + hour * HOUR + 17_000;
    const { matrix, stats } = await lab.ask("count_over_time(x_total[30m])", at, at, HOUR);
    expect([...matrix.values]).toEqual(series.map(() => 30));
    const tiers = stats?.tiers ?? [];
    return { isRaw: tiers.some((t) => t.tier === "raw"), isRounded: tiers.some((t) => t.rounded) };
  };

  test("are those of the blocks that are gone: there rows answer, elsewhere samples", async () => {
    // A block has [2 h, 4 h); its first sample is the last one of the hour before.
    const lab = await without([["raw", 3]]);
    expect(rawGaps(lab.keeper.storage)).toEqual([{ after: T0 + HOUR, until: T0 + 4 * HOUR }]);
    for (const hour of [1.6, 3]) expect(await answerAt(lab, hour)).toEqual({ isRaw: false, isRounded: true });
    expect(await answerAt(lab, 4.4)).toEqual({ isRaw: true, isRounded: true });
    for (const hour of [0.9, 4.6, 7]) expect(await answerAt(lab, hour)).toEqual({ isRaw: true, isRounded: false });
  });

  test("of blocks side by side are one stretch; of others there is one for each", async () => {
    const side = await without([
      ["raw", 3],
      ["raw", 5],
    ]);
    expect(rawGaps(side.keeper.storage)).toEqual([{ after: T0 + HOUR, until: T0 + 6 * HOUR }]);
    const apart = await without([
      ["raw", 1],
      ["raw", 7],
    ]);
    expect(rawGaps(apart.keeper.storage)).toEqual([
      { after: T0, until: T0 + 2 * HOUR },
      { after: T0 + 5 * HOUR, until: T0 + 8 * HOUR },
    ]);
  });

  test("are not those of lost rows, of losses without times, or of what has come back", async () => {
    const { keeper } = await without([
      ["1m", 3],
      ["1h", 3],
    ]);
    const { storage } = keeper;
    expect(rawGaps(storage)).toEqual([]);
    storage.missing.push({ what: "a", minT: Number.NEGATIVE_INFINITY, maxT: T0, tier: "raw" });
    storage.missing.push({ what: "b", minT: T0, maxT: Number.POSITIVE_INFINITY, tier: "raw" });
    storage.missing.push({ what: "c", minT: T0 + 1, maxT: T0 + HOUR });
    let isBack = false;
    storage.missing.push({ what: "d", minT: T0 + 1, maxT: T0 + 1, tier: "raw", mended: () => isBack });
    expect(rawGaps(storage)).toEqual([{ after: T0, until: T0 + HOUR }]);
    isBack = true;
    expect(rawGaps(storage)).toEqual([]);
  });
});
