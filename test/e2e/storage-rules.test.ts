import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { realDisk } from "../../src/lib/disk.ts";
import { surveyShard } from "../../src/storage/engine/survey.ts";
import { often } from "../support/often.ts";
import { BACKFILL, call, HOUR, keeping, line, OLD, tool, UPKEEP, write } from "./storage-support.ts";
import { killLeftOvers, query, startTocsin, tempDir, until } from "./tocsin.ts";

// Retention rules by label matcher: what stays and what goes of series with rules of their own.

afterAll(killLeftOvers);

interface Samples {
  readonly metric: { readonly job: string; readonly instance: string };
  readonly values: readonly (readonly [seconds: number, value: string])[];
}

describe("rules by label matcher", () => {
  const STEP = 30_000;
  const EACH = (4 * HOUR) / STEP;
  const INSTANCES = ["0", "1", "2", "3", "4", "5"];
  const ALL = ["app", "audit", "debug"].flatMap((job) => INSTANCES.map((instance) => ({ job, instance })));
  const nameOf = ({ job, instance }: { job: string; instance: string }) => `${job} ${instance}`;
  type Kept = (series: { job: string; instance: string }) => boolean;
  const valueAt = (s: number, i: number) => 1000 * s + i;
  let stored: string;
  let bytesStored: number;

  /** What there is on disk of the old times, by tier. */
  const onDisk = async (dir: string) => {
    // As `tocsin storage inspect` does, without a process for each look.
    const folder = join(dir, "data/shards");
    const shards = await Promise.all(readdirSync(folder).map((shard) => surveyShard(realDisk, join(folder, shard))));
    const old = shards.flatMap((s) => s.blocks).filter((b) => b.minT <= OLD + 4 * HOUR);
    const sum = (tier: string, of: (b: (typeof old)[0]) => number) =>
      old.filter((b) => b.tier === tier).reduce((n, b) => n + of(b), 0);
    const samples = ["raw", "1m", "1h"].map((tier) => sum(tier, (b) => b.samples));
    return { samples, bytes: sum("raw", (b) => b.bytes) };
  };
  /** Waits until the disk has the old samples, and rows, of so many series once, also while blocks are merged; the samples' bytes. */
  const untilOnDisk = async (dir: string, raw: number, rows: number): Promise<number> => {
    const want = [raw * EACH, (rows * EACH) / 2, rows * 4];
    let found: Awaited<ReturnType<typeof onDisk>> = { samples: [], bytes: 0 };
    await until(async () => {
      found = await onDisk(dir);
      return found.samples.join() === want.join();
    }, `the disk has ${want} of the old ones`);
    return found.bytes;
  };

  beforeAll(async () => {
    const tocsin = await startTocsin({ config: keeping("30d", "60d") });
    stored = tocsin.dir;
    // The newest sample of a shard is what ages are counted from, so every series goes on until now.
    const lines = ALL.map((series, s) => {
      const { labels, samples } = line({ __name__: "served", ...series }, OLD + STEP, OLD + 4 * HOUR + 1, STEP, (i) =>
        valueAt(s, i),
      );
      return { labels, samples: [...samples, [Date.now(), -1] as const] };
    });
    expect(await write(tocsin.url, lines, BACKFILL)).toMatchObject({ status: 204, text: "" });
    bytesStored = await untilOnDisk(stored, ALL.length, ALL.length);
    await tocsin.stop();
  });

  /** The old samples themselves, by series, as the API gives them. */
  const oldSamples = async (url: string) => {
    const params = [
      ["query", "served[4h]"],
      ["time", (OLD + 4 * HOUR) / 1000],
    ] as const;
    const { body } = await call(url, "/api/v1/query", params);
    const { result } = (body as { data: { result: readonly Samples[] } }).data;
    return new Map(result.map((r) => [nameOf(r.metric), r.values]));
  };
  const expectServed = async (url: string, kept: Kept) => {
    const want = ALL.map((series, s) => [nameOf(series), s] as const).filter((_, s) => kept(ALL[s]!));
    const samples = Array.from({ length: EACH }, (_, i) => i);
    expect(await oldSamples(url)).toEqual(
      new Map(
        want.map(([name, s]) => [name, samples.map((i) => [(OLD + (i + 1) * STEP) / 1000, String(valueAt(s, i))])]),
      ),
    );
    // A window that rollups answer where there are any, and one that they cannot.
    for (const shift of [0, 10_000]) {
      const counted = await query(url, "count_over_time(served[1h])", (OLD + 2 * HOUR + shift) / 1000);
      const names = counted.map((r) => `${r.metric.job} ${r.metric.instance} ${r.value[1]}`);
      expect(names.sort()).toEqual(want.map(([name]) => `${name} 120`).sort());
    }
    const now = await query(url, "count_over_time(served[1d])");
    expect(now.map((r) => r.value[1])).toEqual(ALL.map(() => "1"));
  };

  it.each<readonly [what: string, storage: string, kept: Kept, rows: Kept, restarts: number]>([
    [
      "a longer one",
      `retention: { raw: 1d, 1m: 1d, 1h: 1d }
  retention_rules:
  - { match: '{job="audit", instance="5"}', 1m: 2d }
  - { match: '{job=~"aud.+"}', raw: 30d }`,
      ({ job, instance }) => job === "audit" && instance !== "5",
      () => false,
      often(0, 1),
    ],
    [
      "a shorter one",
      `retention: { raw: 30d, 1m: 60d, 1h: 90d }
  retention_rules:
  - { match: '{job="debug", instance!="5"}', raw: 1d, 1m: 1d, 1h: 1d }`,
      ({ job, instance }) => job !== "debug" || instance === "5",
      ({ job, instance }) => job !== "debug" || instance === "5",
      1,
    ],
  ])(
    "%s: what it keeps is served, what it does not leaves answers and disk",
    async (_, storage, kept, rows, restarts) => {
      const dir = tempDir();
      cpSync(join(stored, "data"), join(dir, "data"), { recursive: true });
      const ruled = `agent: { enabled: false }\nstorage:\n  ${UPKEEP}\n  ${storage}\n`;
      let tocsin = await startTocsin({ dir, config: ruled });
      const bytes = await untilOnDisk(dir, ALL.filter(kept).length, ALL.filter(rows).length);
      expect(bytes).toBeLessThan(bytesStored);
      await expectServed(tocsin.url, kept);
      expect(await tocsin.stop()).toBe(0);
      expect(await tool("verify", join(dir, "data"))).toMatchObject({ code: 0, err: "" });

      for (let n = 0; n < restarts; n++) {
        tocsin = await startTocsin({ dir, config: ruled });
        await expectServed(tocsin.url, kept);
        await tocsin.stop();
      }
    },
  );
});
