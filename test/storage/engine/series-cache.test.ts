/** Answers out of the cache of series against those of a shard that keeps nothing, over the same writes, deletions and cuts. */
import { expect, test } from "vitest";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import { deleteFromStorage } from "../../../src/storage/engine/shard-storage.ts";
import { frameOf, type Row, testSeries } from "../../actors/shard/frames.ts";
import { HOUR, type Lab, MINUTE, openLab, T0 } from "../../faults/lab.ts";
import { makeSimDisk, seededRandom } from "../../lib/sim-disk.ts";

/** TOCSIN_ROUNDS sets how many seeds are tried, TOCSIN_SEED the first. */
const ROUNDS = Number(process.env.TOCSIN_ROUNDS ?? 3);
const SEEDS = Array.from({ length: ROUNDS }, (_, i) => Number(process.env.TOCSIN_SEED ?? 1) + i);
const SECOND = 1000;
const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"];
const series = NAMES.map((s) => testSeries(["__name__", "x_total", "s", s]));
const ASKED = [
  "rate(x_total[5m])",
  "increase(x_total[90s])",
  "max_over_time(x_total[10m])",
  "min_over_time(x_total[3m])",
  "sum_over_time(x_total[2m])",
  "changes(x_total[7m])",
  "timestamp(x_total)",
  "x_total",
];

const open = (cacheBytes: number, now: () => number): Promise<Lab> =>
  openLab({ disk: makeSimDisk(), now, settings: { cacheBytes, maxBlockRangeMs: 4 * HOUR } });

test.each(SEEDS)("answers are those of a shard without a cache, seed %i", { timeout: 300_000 }, async (seed) => {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const clock = { now: T0 };
  const now = (): number => clock.now;
  const [none, small, large] = [await open(0, now), await open(60_000, now), await open(16 << 20, now)];
  const labs = [none, small, large];
  const values = series.map(() => 0);
  const said: string[] = [];
  let sequence = 0;
  const take = (rows: Row[]): void => {
    sequence++;
    for (const lab of labs) lab.take(sequence, frameOf(series, rows));
  };
  const write = (steps: number): void => {
    for (let i = 0; i < steps; i++) {
      clock.now += 10 * SECOND;
      const rows: Row[] = [];
      series.forEach((one, s) => {
        // Some series miss samples, some begin anew, some are no counters, one has times of its own.
        if (s === 1 && random() < 0.1) return;
        // One comes and goes for hours, and is in blocks alone meanwhile.
        if (s === 7 && Math.floor(clock.now / (3 * HOUR)) % 2 === 0) return;
        values[s] = s === 2 && random() < 0.02 ? 0 : (values[s] as number) + (s === 3 ? below(9) - 4 : below(5));
        const v = s === 4 && random() < 0.03 ? Number.NaN : s === 5 && random() < 0.05 ? -0 : (values[s] as number);
        rows.push([one, s === 6 ? clock.now - below(900) : clock.now, v]);
      });
      take(rows);
    }
  };
  const late = (): void => {
    const s = below(series.length);
    const rows: Row[] = [];
    for (let i = below(20); i >= 0; i--) rows.push([series[s] as Row[0], clock.now - below(8 * HOUR), below(1000)]);
    take(rows);
  };
  const check = async (): Promise<void> => {
    const query = ASKED[below(ASKED.length)] as string;
    const end = clock.now - (random() < 0.6 ? below(30 * SECOND) : below(12 * HOUR));
    const start = end - [10 * MINUTE, HOUR, 3 * HOUR][below(3)]!;
    const step = [15 * SECOND, MINUTE, 5 * MINUTE][below(3)]!;
    said.push(`${query} from ${start - T0} to ${end - T0} by ${step}`);
    const [want, ...got] = await Promise.all(labs.map((lab) => lab.ask(query, start, end, step)));
    for (const answer of got) expect(answer.matrix, said.slice(-12).join("\n")).toEqual(want?.matrix);
  };
  write(700);
  for (let round = 0; round < 250; round++) {
    const what = random();
    if (what < 0.3) write(1 + below(8));
    else if (what < 0.36) late();
    else if (what < 0.375) write(400);
    else if (what < 0.38) {
      const cutoff = Math.floor(clock.now / (2 * HOUR)) * 2 * HOUR;
      said.push(`cut up to ${cutoff - T0}`);
      for (const lab of labs) {
        await lab.keeper.maintenance.cut(cutoff);
        await lab.jobs();
      }
    } else if (what < 0.39) {
      const from = clock.now - below(2 * HOUR);
      const matcher = { name: "s", op: "=" as const, value: NAMES[below(NAMES.length)] as string };
      said.push(`delete ${matcher.value} since ${from - T0}`);
      for (const { keeper } of labs) {
        await deleteFromStorage(keeper.storage, DEFAULT_TENANT, [[matcher]], from, from + 10 * MINUTE);
      }
    } else await check();
  }
  const { cache } = large.keeper.storage;
  // Questions are drawn by lot: many are not asked again for the same times, and nothing is kept for them.
  expect(cache.hits).toBeGreaterThan(cache.misses / 3);
  expect(small.keeper.storage.cache.memory.bytes).toBeLessThanOrEqual(60_000);
  for (const lab of labs) await lab.close();
});
