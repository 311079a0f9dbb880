import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TraceSpan } from "../../src/model/query.ts";
import { type Ran, runCli } from "./cli.ts";
import { killLeftOvers, push, query, startTocsin, type Tocsin, until } from "./tocsin.ts";

const END = Math.floor(Date.now() / 60_000) * 60;
const HOSTS = 50;
const SAMPLES = 61;
let tocsin: Tocsin;

beforeAll(async () => {
  tocsin = await startTocsin();
  const series = Array.from({ length: HOSTS }, (_, n) => ({
    labels: { __name__: "jobs_total", host: `h${n}`, zone: "z" },
    samples: Array.from({ length: SAMPLES }, (_, i) => [END - 3600 + i * 60, i * (n + 1)] as const),
  }));
  expect((await push(tocsin.url, series, { "x-tocsin-backfill": "1" })).status).toBe(204);
  await until(async () => (await query(tocsin.url, "jobs_total", END)).length === HOSTS, "the samples are there");
});
afterAll(async () => {
  await tocsin?.stop();
  killLeftOvers();
});

const RANGE = { start: String(END - 3600), end: String(END), step: "30" };

async function get<T>(call: string, params: Record<string, string>): Promise<T> {
  const response = await fetch(`${tocsin.url}/api/v1/${call}?${new URLSearchParams(params)}`);
  return (await response.json()) as T;
}

const run = (args: readonly string[]): Promise<Ran> =>
  runCli(["query", ...args], { TOCSIN_URL: tocsin.url, NO_COLOR: "1", COLUMNS: "140" });

/** All spans of this name. */
function named(span: TraceSpan, name: string): TraceSpan[] {
  const below = (span.children ?? []).flatMap((c) => named(c, name));
  return span.name === name ? [span, ...below] : below;
}

const sum = (spans: readonly TraceSpan[]): number => spans.reduce((total, s) => total + s.ms, 0);

describe("trace=1", () => {
  it("tells of the shards' threads what they did, and accounts for the greater part of the time", async () => {
    const asked = { query: "sum by (zone) (rate(jobs_total[5m]))", ...RANGE };
    const plain = await get<{ data: unknown }>("query_range", { ...asked, nocache: "1" });
    const answer = await get<{ data: unknown; trace: TraceSpan }>("query_range", {
      ...asked,
      nocache: "1",
      trace: "1",
    });
    expect(answer.data).toEqual(plain.data);
    expect(plain).not.toHaveProperty("trace");
    const { trace } = answer;
    expect(trace.children?.map((c) => c.name)).toEqual([
      ...["parse", "queue", "plan", "plans", "evaluate in front", "encode"],
    ]);
    const parts = sum(trace.children ?? []);
    expect(parts).toBeLessThanOrEqual(trace.ms + 1e-6);
    expect(parts).toBeGreaterThan(0.5 * trace.ms);
    const shards = (named(trace, "shards")[0]?.children ?? []) as TraceSpan[];
    expect(shards.reduce((n, s) => n + Number(s.about?.series), 0)).toBe(HOSTS);
    expect(shards.reduce((n, s) => n + Number(s.about?.samples), 0)).toBe(HOSTS * SAMPLES);
    for (const shard of shards) {
      expect(sum(shard.children ?? [])).toBeLessThanOrEqual(shard.ms + 1e-6);
      // The clock of the threads is one: what was waited for and the way back are not all that there was.
      const work = (shard.children ?? []).filter((c) => c.name !== "wait" && c.name !== "transfer");
      expect(sum(work)).toBeGreaterThan(0);
    }
    expect(sum(named(trace, "decode"))).toBeGreaterThan(0);
  });

  it("from the command line: a tree below the answer, or beside what programs read", async () => {
    const table = await run(["instant", "count(jobs_total)", "--time", String(END), "--trace"]);
    expect(table).toMatchObject({ code: 0, err: "" });
    expect(table.out).toMatch(/^trace +ms +%$/m);
    expect(table.out).toMatch(/^query +\d+\.\d{3} +100\.0$/m);
    expect(table.out).toMatch(/plan +\d+\.\d{3} +\d+\.\d +selector jobs_total, aggregation count, steps 1$/m);
    expect(table.out).toMatch(/shard 0 +\d+\.\d{3} +\d+\.\d +series \d+, samples \d+, rows 1/m);
    const json = await run(["range", "count(jobs_total)", "--start", "-1h", "-o", "json", "--trace"]);
    expect(JSON.parse(json.out)).toHaveProperty("resultType", "matrix");
    expect(json.err).toMatch(/└─ encode/);
  });
});

describe("query_cost", () => {
  interface Cost {
    readonly data: { series: number; samples: number; bytes: number; points: number; exceeds: unknown[] };
  }

  it("is what the query reads then", async () => {
    const asked = { query: "sum by (zone) (rate(jobs_total[5m]))", ...RANGE };
    const { data } = await get<Cost>("query_cost", asked);
    expect(data).toMatchObject({ series: HOSTS, points: HOSTS * 121, exceeds: [] });
    // All of them lie in the times: that is exact.
    expect(data.samples).toBe(HOSTS * SAMPLES);
    expect(data.bytes).toBeGreaterThan(HOSTS * 16);
    expect(data.bytes).toBeLessThan(HOSTS * SAMPLES * 16);
    const { data: wide } = await get<Cost>("query_cost", { ...asked, step: "0.001" });
    expect(wide.exceeds).toEqual([
      { limit: "limits.max_query_samples", most: 50_000_000, wanted: HOSTS * 3_600_001 },
      { limit: "limits.max_query_points", most: 11_000, wanted: 3_600_000 },
    ]);
  });

  it("stands in tocsin query explain, with a caret where the query is wrong", async () => {
    const explained = await run(["explain", "sum(rate(jobs_total[5m]))", "--time", String(END)]);
    expect(explained.code).toBe(0);
    expect(explained.out).toMatch(/^would read +series +samples +bytes +tiers$/m);
    expect(explained.out).toMatch(/^jobs_total\[5m\] +50 +≈\d+ +≈[\d,]+ +raw$/m);
    expect(explained.out).toMatch(/^1 point in the answer at most$/m);
    expect(await run(["explain", "sum(jobs_total"])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/\n +\^\n$/),
    });
  });
});
