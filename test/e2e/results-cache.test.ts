import { afterAll, beforeAll, expect, it } from "vitest";
import { killLeftOvers, startTocsin, type Tocsin } from "./tocsin.ts";

const CONFIG = "agent: { enabled: false }\nstorage: { partitions: 2, out_of_order_window: 2h }\n";
const STEP = 5_000;
const SERIES = 6;
/** The newest step there is. All is younger than what a cut of the head takes, after which everything would be evaluated anew. */
const NOW = Math.floor(Date.now() / STEP) * STEP;
const STEPS = 140;
const QUERIES = ["hits", "sum by (job) (rate(hits_total[1m]))", "topk(2, hits)", "avg_over_time(hits[5m:1m])"];

let tocsin: Tocsin;
beforeAll(async () => {
  tocsin = await startTocsin({ config: CONFIG });
  const steps = Array.from({ length: STEPS }, (_, i) => NOW - (STEPS - 1 - i) * STEP);
  await write(steps.map((t, i) => [t, i % 7]));
}, 60_000);
afterAll(killLeftOvers);

let written: string;

/** Writes the samples to all series of both metrics; what is read later reads them. */
async function write(samples: readonly (readonly [time: number, value: number])[], only?: number): Promise<void> {
  const series = ["hits", "hits_total"].flatMap((name) =>
    Array.from({ length: SERIES }, (_, s) => ({
      labels: { __name__: name, s: String(s), job: s % 2 === 0 ? "even" : "odd" },
      samples: samples.map(([t, v]) => [t, v * (s + 1)]),
    })).filter((_, s) => only === undefined || only === s),
  );
  const response = await fetch(`${tocsin.url}/api/v1/ingest`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ series }),
  });
  expect(response.status).toBe(204);
  written = response.headers.get("x-tocsin-position") as string;
}

async function range(query: string, end: number, noCache: boolean): Promise<string> {
  const params = new URLSearchParams({
    query,
    start: String((end - 120 * STEP) / 1000),
    end: String(end / 1000),
    step: String(STEP / 1000),
    ...(noCache ? { nocache: "1" } : {}),
  });
  const response = await fetch(`${tocsin.url}/api/v1/query_range?${params}`, {
    headers: { "x-tocsin-read-after": written },
  });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return text;
}

/** Each query as a dashboard asks it, against its evaluation as a whole. Returns the answers. */
async function same(end: number): Promise<string> {
  let all = "";
  for (const query of QUERIES) {
    const answer = await range(query, end, false);
    expect(answer).toBe(await range(query, end, true));
    expect(answer).toContain('"values"');
    all += answer;
  }
  return all;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${tocsin.url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{.*\\})? (.*)$`, "m").exec(text)?.[1]);
}

it("what is kept of range queries never shows, but in the metrics", async () => {
  await same(NOW);
  expect(await metric("tocsin_query_cache_misses_total")).toBe(QUERIES.length);
  const before = await same(NOW);
  expect(await metric("tocsin_query_cache_hits_total")).toBe(QUERIES.length);
  expect(await metric("tocsin_query_cache_entries")).toBe(QUERIES.length);
  expect(await metric("tocsin_query_cache_bytes")).toBeGreaterThan(120 * SERIES * 9);
  // The dashboard moves on with what comes.
  for (let i = 1; i <= 4; i++) {
    await write([[NOW + i * STEP, 10 * i]]);
    await same(NOW + i * STEP);
  }
  // A sample comes late, and one takes the place of another.
  await write([[NOW - 60 * STEP + 1, 500]], 2);
  const late = await same(NOW);
  expect(late).not.toBe(before);
  await write([[NOW - 30 * STEP, 700]], 3);
  expect(await same(NOW)).not.toBe(late);
  expect(await metric("tocsin_query_cache_hits_total")).toBe(7 * QUERIES.length);
  // Samples are deleted.
  const params = new URLSearchParams({ "match[]": 'hits{s="4"}' });
  const deleted = await fetch(`${tocsin.url}/api/v1/admin/tsdb/delete_series?${params}`, { method: "POST" });
  expect(deleted.status).toBe(204);
  await same(NOW);
  expect(await range("hits", NOW, false)).not.toContain('"s":"4"');
  expect(await metric("tocsin_query_cache_misses_total")).toBe(2 * QUERIES.length);
}, 60_000);

it("another life of the program begins with nothing, and answers the same", async () => {
  const answers = await Promise.all(QUERIES.map((query) => range(query, NOW, false)));
  await tocsin.stop();
  tocsin = await startTocsin({ config: CONFIG, dir: tocsin.dir });
  for (const [i, query] of QUERIES.entries()) expect(await range(query, NOW, false)).toBe(answers[i]);
  expect(await metric("tocsin_query_cache_hits_total")).toBe(0);
}, 60_000);
