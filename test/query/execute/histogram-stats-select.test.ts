import fc from "fast-check";
import { expect, test } from "vitest";
import type { Histogram } from "../../../src/model/histogram.ts";
import { writeStale } from "../../../src/model/sample.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { selectNewestStats } from "../../../src/query/execute/histogram-stats-select.ts";
import { selectNewest } from "../../../src/query/execute/instant.ts";
import { locateWindows, makeWindows } from "../../../src/query/execute/windows.ts";
import type { ShardRows } from "../../../src/query/plan/shard-plan.ts";
import { load } from "../promqltest/load-series.ts";
import { localShard, makeMemorySource } from "../promqltest/memory-source.ts";
import { readScript } from "../promqltest/script.ts";
import { bufferOf, type Sample, samplesOf, type Windowed, windowed } from "./histogram-cases.ts";
import { testScript } from "./script-cases.ts";
import { statsIterator } from "./stats-iterator.ts";

/** The hint at each step, by Prometheus's iterator that remembers the sample before the current one; undefined: no histogram. */
function hintsOf(
  samples: readonly Sample[],
  lookback: number,
  { start, step, steps }: Windowed,
): (number | undefined)[] {
  const it = statsIterator(samples, start - lookback);
  let reached = Number.NEGATIVE_INFINITY;
  let previous: { readonly t: number; readonly hint: number | undefined } | undefined;
  return Array.from({ length: steps }, (_, s) => {
    const t = start + s * step;
    if (it.current() !== undefined && t - lookback > reached) {
      previous = undefined;
      it.seek(t - lookback);
      reached = it.current()?.t ?? reached;
    }
    while (it.current() !== undefined && reached < t) {
      previous = { t: reached, hint: it.look() };
      it.next();
      reached = it.current()?.t ?? reached;
    }
    const hint = it.current() === undefined ? undefined : it.look();
    if (it.current()?.t === t) return hint;
    return previous !== undefined && previous.t > t - lookback ? previous.hint : undefined;
  });
}

test("cells are those of the selector that reads buckets, with the hints that Prometheus finds out", () => {
  fc.assert(
    fc.property(samplesOf(fc.oneof(fc.constant(true), fc.boolean())), windowed, (list, w) => {
      const buffer = bufferOf(list);
      const windows = makeWindows(w, w.range, 0, undefined);
      locateWindows(windows, buffer.ts, buffer.length);
      const run = (select: (pool: Histogram[], out: Float64Array, present: Uint8Array) => void) => {
        const out = new Float64Array(w.steps);
        const present = new Uint8Array(w.steps);
        const pool: Histogram[] = [];
        select(pool, out, present);
        return Array.from(out, (v, s) =>
          present[s] === 0 ? undefined : present[s] === 1 ? v : (pool[v] as Histogram),
        );
      };
      const whole = run((...to) => selectNewest(buffer, windows, "value", ...to, 0));
      const stats = run((...to) => selectNewestStats(buffer, windows, ...to, 0));
      const plain = (c: number | Histogram | undefined) => (typeof c === "object" ? [c.count, c.sum] : c);
      expect(stats.map(plain)).toEqual(whole.map(plain));
      const hints = stats.map((c) => (typeof c === "object" ? c.resetHint : undefined));
      expect(hints).toEqual(hintsOf(list, w.range, w));
    }),
    { numRuns: 500 },
  );
});

test("a staleness marker ends the series, and is not what the next histogram is compared with", () => {
  const at = (t: number, value: number): Sample => ({ t, value, histogram: true, start: 0 });
  const buffer = bufferOf([at(10, 5), { ...at(20, 0), histogram: false }, at(30, 3)]);
  writeStale(buffer.words, 1);
  const windows = makeWindows({ start: 10, step: 10, steps: 3 }, 100, 0, undefined);
  locateWindows(windows, buffer.ts, buffer.length);
  const out = new Float64Array(3);
  const present = new Uint8Array(3);
  const pool: Histogram[] = [];
  selectNewestStats(buffer, windows, pool, out, present, 0);
  expect([...present]).toEqual([2, 0, 2]);
  expect(pool.map((h) => [h.count, h.resetHint])).toEqual([
    [5, 0],
    [3, 1],
  ]);
});

test("buckets are not sent in front where only counts are asked for", async () => {
  const source = makeMemorySource();
  for (const command of readScript("load 1m\n  h {{schema:0 count:6 sum:10 buckets:[1 2 3]}}x5\n")) {
    if (command.kind === "load") load([source], command, "sent");
  }
  const shard = localShard(0, source);
  const sent: number[] = [];
  const watched: typeof shard = {
    ...shard,
    request: async (request, signal) => {
      const answer = await shard.request(request, signal);
      for (const h of (answer as ShardRows).histograms) sent.push(h.positive.length);
      return answer;
    },
  };
  const engine = makeEngine({ shards: [watched] });
  const ask = (query: string) => engine.instant({ tenant: "default", query, time: 120_000 });
  for (const query of ["histogram_count(h)", "histogram_sum(rate(h[5m]))"]) await ask(query);
  expect(sent).toEqual([0, 0]);
  await ask("h");
  expect(sent).toEqual([0, 0, 3]);
});

testScript(
  "the time of a smoothed selector is that of the newest sample",
  `
load 1m
  m 0 60 120
  h {{schema:0 count:1 sum:1 buckets:[1]}} {{schema:0 count:3 sum:2 buckets:[3]}} {{schema:0 count:5 sum:4 buckets:[5]}}

eval instant at 90s m smoothed
  m 90

eval instant at 90s timestamp(m smoothed)
  {} 60

eval instant at 90s timestamp(h smoothed)
  {} 60

eval instant at 90s start_timestamp(m smoothed)
  {} 0
`,
);
