/** Kept results over a shard's storage, whose blocks are cut, merged, rolled up, deleted from and dropped meanwhile. */
import { expect, test } from "vitest";
import { makeChanges, noteChange } from "../../../src/actors/shard/changes.ts";
import type { RangeResult } from "../../../src/model/query.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import type { ChangePoint, ShardChanges, ShardClient, ShardRequest } from "../../../src/model/shard.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { runShardQuery } from "../../../src/query/execute/run-shard-query.ts";
import { makeResultsCache } from "../../../src/query/results-cache/results-cache.ts";
import { answerFrom, setAside } from "../../../src/storage/engine/shard-storage.ts";
import { HOUR, type Lab, MINUTE, openLab, T0 } from "../../faults/lab.ts";
import { makeSimDisk, seededRandom } from "../../lib/sim-disk.ts";
import { frameOf, type Row, testSeries } from "./frames.ts";

const series = Array.from({ length: 6 }, (_, s) => testSeries(["__name__", "x", "s", String(s)]));
/** Over whole numbers, whose sums do not depend on the order of additions. */
const QUERIES = [
  "x",
  "sum(x)",
  "max_over_time(x[1h])",
  "count_over_time(x[1h] offset 1h)",
  "sum(delta(x[30m])) by (s)",
];
/** TOCSIN_SEED sets another course of things. */
const SEED = Number(process.env.TOCSIN_SEED ?? 1);

function changesOf(lab: Lab): (since?: ChangePoint) => ShardChanges {
  const changes = makeChanges(lab.core.changes, () => lab.keeper.storage);
  return (since) => answerFrom(lab.keeper.storage, () => changes(since));
}

function clientOf(lab: Lab): ShardClient {
  const { storage } = lab.keeper;
  const changes = changesOf(lab);
  return {
    partition: 0,
    request: async (it) => {
      const request: ShardRequest = it;
      if (request.kind === "changes") return structuredClone(changes(request.since)) as never;
      if (request.kind !== "query") throw new Error(`not asked: ${request.kind}`);
      const { result } = answerFrom(storage, () => runShardQuery(storage.source, structuredClone(request.plan)));
      return structuredClone(result) as never;
    },
  };
}

/** As a client sees it. */
function shown({ matrix, warnings, infos }: RangeResult): unknown {
  const { steps, labels, values, present } = matrix;
  const rows = labels.map((_, r) =>
    Array.from({ length: steps }, (_, s) => (present[r * steps + s] === 0 ? "" : values[r * steps + s])).join(),
  );
  return { labels, rows, warnings, infos };
}

test("a result that is kept is that of the storage as it is", { timeout: 120_000 }, async () => {
  const random = seededRandom(SEED);
  const clock = { now: T0 };
  const ages = { raw: 12 * HOUR, "1m": 24 * HOUR, "1h": 0 };
  const lab = await openLab({
    disk: makeSimDisk(),
    now: () => clock.now,
    settings: { maxBlockRangeMs: 8 * HOUR, ages },
  });
  const results = makeResultsCache(() => 1 << 20);
  const client = clientOf(lab);
  const cached = makeEngine({ shards: [client], results });
  const plain = makeEngine({ shards: [client] });
  let sequence = 0;
  const write = (rows: readonly Row[]): void => lab.take(++sequence, frameOf(series, rows));
  for (let t = T0; t < T0 + 30 * HOUR; t += 5 * MINUTE) {
    write(series.flatMap((s): Row[] => (random() < 0.1 ? [] : [[s, t, Math.floor(random() * 100)]])));
    clock.now = t;
    const one = series[Math.floor(random() * series.length)] as (typeof series)[number];
    if (random() < 0.05) write([[one, t - Math.floor(random() * 20 * HOUR), 1]]);
    if (random() < 0.03) await lab.keeper.maintenance.cut(Math.floor(t / (2 * HOUR)) * 2 * HOUR);
    if (random() < 0.03) await lab.jobs(1 + Math.floor(random() * 3));
    if (random() < 0.01) {
      const sets = [[{ name: "s", op: "=" as const, value: String(Math.floor(random() * 6)) }]];
      const minT = t - Math.floor(random() * 10 * HOUR);
      await lab.keeper.delete({ tenant: DEFAULT_TENANT, sets, minT, maxT: minT + HOUR });
      noteChange(lab.core.changes, Number.NEGATIVE_INFINITY);
    }
    const query = QUERIES[Math.floor(random() * QUERIES.length)] as string;
    const step = random() < 0.7 ? 5 * MINUTE : HOUR;
    const end = Math.floor(t / step) * step;
    const hours = random() < 0.5 ? 4 : 16;
    const request = { tenant: DEFAULT_TENANT, query, start: end - hours * HOUR, end, step };
    expect(shown(await cached.range(request))).toEqual(shown(await plain.range(request)));
  }
  expect(lab.keeper.storage.blocks.tiers["1h"].length).toBeGreaterThan(0);
  expect(results.stats().hits).toBeGreaterThan(100);
  await lab.close();
});

test("whatever happens to blocks is a change of everything, samples that come are not", async () => {
  const clock = { now: T0 };
  const lab = await openLab({ disk: makeSimDisk(), now: () => clock.now });
  const changes = changesOf(lab);
  const one = series[0] as (typeof series)[number];
  let at: ChangePoint = changes();
  /** The smallest time that changed since the last look. */
  const changed = (): number => {
    const next = changes(at);
    at = next;
    return next.from;
  };
  const ANYTHING = Number.NEGATIVE_INFINITY;
  for (let i = 0; i <= 36; i++) lab.take(i + 1, frameOf([one], [[one, T0 + i * 10 * MINUTE, i]]));
  expect(changed()).toBe(T0);
  expect(changed()).toBe(Number.POSITIVE_INFINITY);
  clock.now = lab.core.head.maxT;
  await lab.keeper.maintenance.cut(T0 + 4 * HOUR);
  expect(changed()).toBe(ANYTHING);
  expect(await lab.jobs()).toBeGreaterThan(0);
  expect(changed()).toBe(ANYTHING);
  lab.take(100, frameOf([one], [[one, T0 + HOUR + 1, 7]]));
  expect(changed()).toBe(T0 + HOUR + 1);
  // What is there already, and what is refused, changes nothing.
  lab.take(101, frameOf([one], [[one, T0 + HOUR + 1, 7]]));
  lab.take(102, frameOf([one], [[one, 0.5, 7]]));
  expect(changed()).toBe(Number.POSITIVE_INFINITY);
  await lab.keeper.delete({ tenant: DEFAULT_TENANT, sets: [[]], minT: T0, maxT: T0 + 1 });
  expect(changed()).toBe(ANYTHING);
  expect(await lab.keeper.maintenance.cleanTombstones()).toBeGreaterThan(0);
  expect(changed()).toBe(ANYTHING);
  const [block] = lab.keeper.storage.blocks.tiers.raw;
  setAside(lab.keeper.storage, block?.block.meta.id as string);
  expect(changed()).toBe(ANYTHING);
  expect(changed()).toBe(Number.POSITIVE_INFINITY);
  await lab.close();
});
