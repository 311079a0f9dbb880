import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BACKFILL,
  blocksOf,
  call,
  DAY,
  filesIn,
  HOUR,
  keeping,
  line,
  MINUTE,
  NOW,
  OLD,
  tool,
  total,
  UPKEEP,
  write,
} from "./storage-support.ts";
import { killLeftOvers, query, startTocsin, type Tocsin, until } from "./tocsin.ts";

// Samples of the last days: by which way they come in, what serves them, and when they go.

afterAll(killLeftOvers);

/** A counter that begins anew every 500 samples. */
const requests = (job: string, from: number, to: number) =>
  line({ __name__: "requests_total", job }, from, to, 30_000, (i) => (i % 500) * (job.length + 1));
const one = (job: string, at: number, value = 1) => ({
  labels: { __name__: "requests_total", job },
  samples: [[at, value]] as const,
});

interface Answer {
  readonly data: {
    readonly result: readonly { readonly metric: { job: string }; readonly value: [number, string] }[];
    readonly stats: { readonly tiers?: readonly { readonly tier: string }[]; readonly samples: object };
  };
}

describe("samples of the past", () => {
  let tocsin: Tocsin;
  let atFirst: Map<string, string>;
  beforeAll(async () => {
    // All that comes in is there before the first look at it: what comes behind a cut of its times stays in the head for long.
    tocsin = await startTocsin({ config: keeping("30d", "60d").replace(`${UPKEEP}, `, "") });
  });
  afterAll(() => tocsin?.stop());

  const ask = async (expr: string, at: number) => {
    const params = [
      ["query", expr],
      ["time", at / 1000],
      ["stats", "all"],
    ] as const;
    const { data } = (await call(tocsin.url, "/api/v1/query", params)).body as Answer;
    return {
      values: data.result.map((r) => `${r.metric.job} ${r.value[1]}`),
      tiers: (data.stats.tiers ?? []).map((t) => t.tier),
    };
  };
  /** What a person may ask of the past, at windows that align with all tiers. */
  const QUESTIONS: readonly (readonly [expr: string, at: number])[] = [
    ["sum by (job) (increase(requests_total[4h]))", NOW - 25 * HOUR],
    ["sum by (job) (rate(requests_total[1h]))", NOW - 26 * HOUR],
    ["avg by (job) (avg_over_time(requests_total[2h]))", NOW - 28 * HOUR],
    ["max by (job) (max_over_time(requests_total[2h]))", NOW - 28 * HOUR],
    ["min by (job) (min_over_time(requests_total[2h]))", NOW - 28 * HOUR],
    ["sum by (job) (count_over_time(requests_total[2h]))", NOW - 28 * HOUR],
    ["sum by (job) (increase(requests_total[3h]))", OLD + 3 * HOUR],
  ];
  const answers = async () => {
    const out = new Map<string, string>();
    for (const [expr, at] of QUESTIONS) {
      const rows = await query(tocsin.url, expr, at / 1000);
      const text = rows.map((r) => `${r.metric.job} ${Number(Number(r.value[1]).toPrecision(12))}`);
      out.set(`${expr} at ${at}`, text.sort().join(", "));
    }
    return out;
  };

  it("come in order, late, as backfill; what is too late or too old is refused and counted", async () => {
    const jobs = ["a", "bb", "ccc"];
    const inOrder = await write(
      tocsin.url,
      jobs.map((job) => requests(job, NOW - 30 * HOUR, NOW)),
    );
    expect(inOrder).toMatchObject({ status: 204, text: "" });
    expect(inOrder.position).not.toBe("");
    expect((await write(tocsin.url, [requests("a", OLD, OLD + 4 * HOUR)], BACKFILL)).status).toBe(204);
    // Within the out-of-order window of an hour, and beyond it.
    const late = await write(tocsin.url, [one("a", NOW - 30 * MINUTE + 7_000)]);
    const tooLate = await write(tocsin.url, [one("a", NOW - 3 * HOUR + 7_000)]);
    expect([late.status, tooLate.status]).toEqual([204, 204]);
    const rejected = (reason: string) => total(tocsin.url, "tocsin_shard_samples_rejected_total", `reason="${reason}"`);
    await until(async () => (await rejected("too_old")) === 1, "it is counted");
    expect(await total(tocsin.url, "tocsin_shard_samples_too_old_total", 'tenant="default"')).toBe(1);
    expect(await rejected("out_of_order")).toBe(0);

    const beyond = await write(tocsin.url, [one("a", NOW - 31 * DAY), one("a", OLD + 5 * HOUR)], BACKFILL);
    expect(beyond.status).toBe(400);
    expect(beyond.text).toMatch(/^1 sample refused \(beyond_retention\): series 0 .*storage\.retention\.raw/);
    expect(await total(tocsin.url, "tocsin_samples_rejected_total", 'reason="beyond_retention"')).toBe(1);
    const unclear = await write(tocsin.url, [one("a", NOW)], { "X-Tocsin-Backfill": "yes" });
    expect(unclear).toMatchObject({ status: 400, text: 'X-Tocsin-Backfill: "yes" is neither 1 nor 0\n' });

    const seen = async (expr: string, at: number) => (await query(tocsin.url, expr, at / 1000))[0]?.value[1];
    const all = 'count_over_time(requests_total{job="a"}[40h])';
    await until(async () => (await seen(all, NOW)) === String(30 * 120 + 1), "all is there");
    // The good one of the refused request.
    await until(async () => (await seen('requests_total{job="a"}', OLD + 5 * HOUR)) === "1", "backfilled");
    // Of two samples with one time the one that was sent last stays.
    const twice = await write(tocsin.url, [one("bb", NOW - HOUR, -1)], BACKFILL);
    const after = { "x-tocsin-read-after": twice.position };
    expect((await query(tocsin.url, 'requests_total{job="bb"}', (NOW - HOUR) / 1000, after))[0]?.value[1]).toBe("-1");

    atFirst = await answers();
    for (const [question, text] of atFirst) expect(text, question).not.toBe("");
  });

  it("go to blocks and rollups, which answer as the head did", async () => {
    const rolledUp = () => total(tocsin.url, "tocsin_storage_blocks_samples", 'tier="1h"');
    await until(async () => (await total(tocsin.url, "tocsin_storage_cuts_total")) >= 2, "both shards have cut");
    expect(await answers()).toEqual(atFirst);
    await until(async () => (await rolledUp()) >= 3 * 27 + 4, "rolled up");
    expect(await answers()).toEqual(atFirst);
    expect((await ask(QUESTIONS[0]![0], QUESTIONS[0]![1])).tiers).toEqual(["1h"]);
    // Recent ones do not align with a bucket.
    expect((await ask("increase(requests_total[90s])", NOW - HOUR - 10_000)).tiers).toEqual(["raw"]);
    await until(async () => (await total(tocsin.url, "tocsin_storage_compactions_total")) >= 2, "merged");
    expect(await answers()).toEqual(atFirst);
  });

  it("go when their retention is over: rollups answer in their place", async () => {
    const minutes = () => total(tocsin.url, "tocsin_storage_blocks_samples", 'tier="1m"');
    const before = await minutes();
    // Also while blocks are merged it stops at once, and in order.
    expect(await tocsin.stop()).toBe(0);
    tocsin = await startTocsin({ dir: tocsin.dir, config: keeping("1d", "60d") });
    const dropped = () => total(tocsin.url, "tocsin_storage_blocks_dropped_total");
    await until(async () => (await dropped()) >= 1, "old blocks are gone");
    expect(await minutes()).toBe(before);
    expect(await answers()).toEqual(atFirst);
    // A minute is the finest that is left of that time.
    const fine = await ask('requests_total{job="a"}', OLD + 90_000);
    expect(fine.tiers).not.toContain("raw");
    expect(fine.values).toHaveLength(1);

    await tocsin.stop();
    tocsin = await startTocsin({ dir: tocsin.dir, config: keeping("1d", "3d") });
    await until(async () => (await dropped()) >= 1, "minutes are gone as well");
    expect(await answers()).toEqual(atFirst);
    const hours = await ask(QUESTIONS[6]![0], QUESTIONS[6]![1]);
    expect(hours.tiers).toEqual(["1h"]);
  });

  it("can be inspected, verified and repaired while the server is stopped", async () => {
    const data = join(tocsin.dir, "data");
    const busy = await tool("repair", data);
    expect(busy.code).toBe(1);
    expect(busy.err).toMatch(
      /^another tocsin process uses the data dir .*: stop it or name another with --data-dir\n$/,
    );
    await tocsin.stop();

    const inspected = await tool("inspect", data);
    expect(inspected).toMatchObject({ code: 0, err: "" });
    expect(inspected.out).toMatch(/^shard 0 \(.*\/shards\/0\)\n/);
    for (const [tier, rows] of [
      ["raw", "samples"],
      ["1m ", "buckets"],
      ["1h ", "buckets"],
    ]) {
      expect(inspected.out).toMatch(new RegExp(`^  ${tier} \\w+ .* to .* level \\d+ .* ${rows}, .* bytes`, "m"));
    }
    expect(inspected.out).toMatch(/^ {2}head snapshot \d+ {2}\d+ bytes$/m);
    expect(inspected.out).toMatch(/^ {2}log: \d+ segments, \d+ bytes$/m);
    const whole = await tool("verify", data);
    expect(whole).toMatchObject({ code: 0, err: "" });
    expect(whole.out).toMatch(/^all of \d+ blocks, snapshots and log segments are whole\n$/);
    expect(await tool("repair", data)).toEqual({ code: 0, out: "nothing is broken, nothing was changed\n", err: "" });
  });

  it("what is broken is found, set aside, and told by the server that starts on the rest", async () => {
    const data = join(tocsin.dir, "data");
    const [flipped] = blocksOf(tocsin, "raw") as [string];
    const pages = filesIn(flipped).toSorted((a, b) => b.bytes - a.bytes)[0]!;
    const bytes = readFileSync(pages.path);
    bytes[bytes.length >> 1]! ^= 0x10;
    writeFileSync(pages.path, bytes);
    const [gone] = blocksOf(tocsin, "1h") as [string];
    rmSync(gone, { recursive: true });
    const leftover = join(dirname(gone), `tmp-${basename(gone)}`);
    mkdirSync(leftover);
    const snapshot = filesIn(join(data, "shards/1/head"))[0]!;
    const image = readFileSync(snapshot.path);
    image[image.length >> 1]! ^= 1;
    writeFileSync(snapshot.path, image);

    const found = await tool("verify", data);
    expect(found.code).toBe(1);
    expect(found.out).toContain(pages.path);
    expect(found.out).toContain(`${gone}: the block is missing`);
    expect(found.out).toContain(`${snapshot.path}: `);
    expect(found.out).not.toContain(`${snapshot.path}: ${snapshot.path}`);
    expect(found.out).toMatch(/^3 problems$/m);

    const repaired = await tool("repair", data);
    expect(repaired).toMatchObject({ code: 0, err: "" });
    expect(repaired.out).toContain(`moved ${flipped} to `);
    expect(repaired.out).toContain(`${basename(gone)} is no longer missed`);
    expect(repaired.out).toContain(`removed ${leftover}, left by an unfinished write`);
    expect(repaired.out).toContain(`moved ${snapshot.path} to `);
    expect(existsSync(flipped) || existsSync(snapshot.path) || existsSync(leftover)).toBe(false);
    expect((await tool("verify", data)).code).toBe(0);
    expect((await tool("repair", data)).out).toBe("nothing is broken, nothing was changed\n");

    tocsin = await startTocsin({ dir: tocsin.dir, config: keeping("1d", "3d") });
    expect(tocsin.output()).not.toMatch(/is missing|is damaged/);
    // The other shard's series are whole; those of the damaged blocks answer with what is left.
    const left = await answers();
    expect([...left.values()].some((text) => text !== "")).toBe(true);
    const anew = one("new", Date.now());
    expect((await write(tocsin.url, [anew])).status).toBe(204);
    await until(async () => (await query(tocsin.url, 'requests_total{job="new"}')).length === 1, "it takes samples");
  });
});
