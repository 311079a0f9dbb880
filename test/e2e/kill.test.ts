import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { often } from "../support/often.ts";
import { killLeftOvers, processesOf, push, query, startTocsin, type Tocsin, until } from "./tocsin.ts";

afterAll(killLeftOvers);

const WRITERS = 6;
const SERIES_A_REQUEST = 20;

/**
 * Writers push samples with times of their own as fast as they are acknowledged, until they are stopped or the server is
 * gone. Returns what was acknowledged: for each series the times.
 */
function startWriters(tocsin: Tocsin, run: number) {
  const acknowledged = new Map<string, number[]>();
  let stopped = false;
  let count = 0;
  const start = Date.now() - 600_000;
  const writer = async (w: number) => {
    for (let n = 0; !stopped; n++) {
      const t = start + n * 10;
      const keys = Array.from({ length: SERIES_A_REQUEST }, (_, s) => `${run}-${w}-${s}`);
      const series = keys.map((key) => ({ labels: { __name__: "killed", key }, samples: [[t, n] as const] }));
      const answer = await push(tocsin.url, series).catch(() => undefined);
      // No answer, or "send it again": nothing was promised.
      if (answer?.status !== 204) {
        if (answer === undefined) return;
        continue;
      }
      for (const key of keys) acknowledged.set(key, [...(acknowledged.get(key) ?? []), t]);
      count += keys.length;
    }
  };
  const done = Promise.all(Array.from({ length: WRITERS }, (_, w) => writer(w)));
  return {
    acknowledged,
    count: () => count,
    stop: async () => {
      stopped = true;
      await done;
    },
  };
}

/** Every acknowledged sample is there, with its value, once. */
async function expectAll(tocsin: Tocsin, acknowledged: ReadonlyMap<string, number[]>, run: number): Promise<void> {
  const params = new URLSearchParams({ query: `killed{key=~"${run}-.*"}[1h]`, time: String(Date.now() / 1000) });
  const response = await fetch(`${tocsin.url}/api/v1/query?${params}`);
  const body = (await response.json()) as {
    data: { result: { metric: { key: string }; values: [number, string][] }[] };
  };
  const stored = new Map(body.data.result.map((s) => [s.metric.key, s.values.map(([t]) => Math.round(t * 1000))]));
  for (const [key, times] of acknowledged) {
    const have = stored.get(key) ?? [];
    expect(new Set(have).size, `${key}: a time stands twice`).toBe(have.length);
    const missing = times.filter((t) => !have.includes(t));
    expect(missing, `${key}: acknowledged samples are missing`).toEqual([]);
  }
}

describe("kill -9 in the middle of a load", () => {
  let tocsin: Tocsin;
  /** A load's number is in its series. */
  const TARGETS = [300, 4000, ...Array<number>(often(0, 2)).fill(1500)];

  it("of the process group: nothing acknowledged is lost, nothing is there twice", async () => {
    tocsin = await startTocsin();
    for (const [run, target] of TARGETS.entries()) {
      const load = startWriters(tocsin, run);
      await until(() => load.count() >= target, `${target} samples acknowledged`);
      await tocsin.killGroup();
      await load.stop();
      // Its nats-server is in a group of its own or ends with it; either way it must be gone or be ended at the start.
      tocsin = await startTocsin({ dir: tocsin.dir });
      await expectAll(tocsin, load.acknowledged, run);
    }
    expect(await query(tocsin.url, "count(killed)", Date.now() / 1000 - 599)).not.toEqual([]);
  });

  it("of nats-server: senders go on after its restart, nothing acknowledged is lost", async () => {
    const run = TARGETS.length;
    const load = startWriters(tocsin, run);
    for (let kills = 1; kills <= 2; kills++) {
      const before = load.count();
      await until(() => load.count() >= before + 500, "the load flows");
      process.kill(natsServerOf(tocsin), "SIGKILL");
      const at = load.count();
      await until(() => load.count() >= at + 500, "the load flows again");
    }
    await load.stop();
    await until(async () => {
      await expectAll(tocsin, load.acknowledged, run);
      return true;
    }, "the shards have consumed everything");
    expect(tocsin.output()).toMatch(/bus\/?.*died/);
    await tocsin.stop();
  });
});

function natsServerOf(tocsin: Tocsin): number {
  const found = processesOf(tocsin.dir).find(
    (pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "nats-server",
  );
  if (found === undefined) throw new Error("no nats-server runs");
  return found;
}
