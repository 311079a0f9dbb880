/**
 * kill -9 at random moments, again and again, under a load whose samples are spread over half a day, so that the shards cut, roll up
 * and write snapshots meanwhile. TOCSIN_ROUNDS sets how many kills, TOCSIN_SEED the seed.
 */
import { readFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { seededRandom } from "../lib/sim-disk.ts";
import { freePort, killLeftOvers, processesOf, push, startTocsin, type Tocsin, until } from "./tocsin.ts";

afterAll(killLeftOvers);

const ROUNDS = Number(process.env.TOCSIN_ROUNDS ?? 3);
const SEED = Number(process.env.TOCSIN_SEED ?? 1);
const WRITERS = 4;
const SERIES_A_REQUEST = 10;
const MINUTE = 60_000;

it(`loses nothing that was acknowledged and doubles nothing, ${ROUNDS} kills, seed ${SEED}`, {
  timeout: 60_000 + ROUNDS * 30_000,
}, async () => {
  const random = seededRandom(SEED);
  const port = await freePort();
  let tocsin = await startTocsin({ port });
  const start = Math.floor((Date.now() - 12 * 3600_000) / MINUTE) * MINUTE;
  /** By series the numbers of its acknowledged samples; a sample's time and value are made of its number. */
  const acknowledged = new Map<string, number[]>();
  let count = 0;
  let stopped = false;
  const writer = async (w: number): Promise<void> => {
    const keys = Array.from({ length: SERIES_A_REQUEST }, (_, s) => `${w}-${s}`);
    for (let n = 0; !stopped && n < 11 * 60 * 60; ) {
      const t = start + n * 1000;
      const series = keys.map((key) => ({ labels: { __name__: "soak", key }, samples: [[t, n] as const] }));
      const answer = await push(tocsin.url, series).catch(() => undefined);
      if (answer?.status === 204) {
        for (const key of keys) acknowledged.set(key, [...(acknowledged.get(key) ?? []), n]);
        count += keys.length;
      } else if (answer !== undefined && answer.status < 500 && answer.status !== 429) {
        throw new Error(`${answer.status} ${answer.text}`);
      } else await new Promise((resolve) => setTimeout(resolve, 50));
      // What was not acknowledged is not sent again: it may be there or not. Steps of up to a minute make half a day of it.
      n += 1 + (n % 59);
    }
  };
  const load = Promise.all(Array.from({ length: WRITERS }, (_, w) => writer(w)));
  for (let round = 0; round < ROUNDS; round++) {
    const target = count + 200 + Math.floor(random() * 2000);
    await until(() => count >= target || stopped, `the load flows in round ${round}`);
    const what = random();
    if (what < 0.5) {
      await tocsin.killGroup();
      tocsin = await startTocsin({ dir: tocsin.dir, port });
    } else if (what < 0.75) process.kill(natsServerOf(tocsin), "SIGKILL");
    else {
      // nats-server outlives it, or ends with it; the next start copes with either.
      process.kill(tocsin.pid, "SIGKILL");
      await tocsin.ended;
      tocsin = await startTocsin({ dir: tocsin.dir, port });
    }
  }
  stopped = true;
  await load;
  await until(async () => (await wrong(tocsin, acknowledged, start)).length === 0, "every sample is there").catch(
    async () => expect(await wrong(tocsin, acknowledged, start)).toEqual([]),
  );
  expect(await tocsin.stop()).toBe(0);
});

async function wrong(tocsin: Tocsin, acknowledged: ReadonlyMap<string, number[]>, start: number): Promise<string[]> {
  const params = new URLSearchParams({ query: "soak[13h]", time: String(Date.now() / 1000) });
  const body = (await (await fetch(`${tocsin.url}/api/v1/query?${params}`)).json()) as {
    warnings?: string[];
    data: { result: { metric: { key: string }; values: [number, string][] }[] };
  };
  const found = [...(body.warnings ?? [])];
  const stored = new Map(body.data.result.map((s) => [s.metric.key, s.values]));
  expect(stored.size).toBe(body.data.result.length);
  for (const [key, numbers] of acknowledged) {
    const values = stored.get(key) ?? [];
    const byNumber = new Map(values.map(([t, v]) => [Math.round((t * 1000 - start) / 1000), Number(v)]));
    if (byNumber.size !== values.length) found.push(`${key}: a time stands twice`);
    for (const [n, v] of byNumber) if (n !== v) found.push(`${key} at ${n}: ${v}`);
    const missing = numbers.filter((n) => !byNumber.has(n));
    if (missing.length > 0) found.push(`${key}: ${missing.length} are missing, ${missing[0]} first`);
  }
  return found.slice(0, 5);
}

function natsServerOf(tocsin: Tocsin): number {
  const found = processesOf(tocsin.dir).find(
    (pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "nats-server",
  );
  if (found === undefined) throw new Error("no nats-server runs");
  return found;
}
