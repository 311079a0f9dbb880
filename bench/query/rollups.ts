/**
 * A year of 1h rollups for 1,000 series at 8,737 steps, by the query code alone: columns in memory, so without reading blocks.
 * Beside each how many times longer raw samples, one a minute, would take: measured over a tenth of the time and of the series.
 * Run: `node bench/query/rollups.ts`. Prints the best and the median CPU time of 7 runs.
 */
import { labelsFromObject, labelValue, METRIC_NAME } from "../../src/model/labels.ts";
import { compileMatcher } from "../../src/model/matcher.ts";
import { makeRollupBuffer, ROLLUP_COLUMNS, type RollupBuffer, reserveRollup, TIER_MS } from "../../src/model/rollup.ts";
import { makeSampleBuffer, reserveSamples } from "../../src/model/sample.ts";
import type { SeriesSource } from "../../src/model/series-source.ts";
import type { ShardClient } from "../../src/model/shard.ts";
import { makeEngine } from "../../src/query/engine.ts";
import { runShardQuery } from "../../src/query/execute/run-shard-query.ts";
import { rollUp } from "../../src/storage/rollup/roll-up.ts";

const SERIES = 1000;
const HOUR = TIER_MS["1h"];
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const END = Math.floor(1_700_000_000_000 / DAY) * DAY;
const INTERVAL = 60_000;
/** The raw samples that are compared span this much. */
const RAW_DAYS = 36.5;

/** A counter with a reset a week, seen every minute; every series has the same. */
function makeSamples(from: number, to: number) {
  const n = (to - from) / INTERVAL;
  const buffer = makeSampleBuffer(n);
  let v = 0;
  for (let i = 0; i < n; i++) {
    v = i % 10_080 === 10_079 ? 0 : v + ((i * 7) % 13);
    buffer.ts[i] = from + (i + 1) * INTERVAL - 7000;
    buffer.values[i] = v;
  }
  buffer.length = n;
  return buffer;
}

const raw = makeSamples(END - RAW_DAYS * DAY, END);
const rows: RollupBuffer = makeRollupBuffer(0);
rollUp(makeSamples(END - YEAR, END), HOUR, rows);

const labels = Array.from({ length: SERIES }, (_, i) =>
  labelsFromObject({
    [METRIC_NAME]: "requests_total",
    service: `service-${i % 20}`,
    instance: `10.0.${i >> 8}.${i & 255}`,
  }),
);
const texts = [...new Set(labels.flat())];
const symbols = new Map(texts.map((t, i) => [t, i]));

function makeSource(rolledUp: boolean): SeriesSource {
  const base: SeriesSource = {
    select(_tenant, matchers) {
      const tests = matchers.map((m) => ({ name: m.name, test: compileMatcher(m) }));
      return Uint32Array.from(
        labels.flatMap((l, id) => (tests.every((m) => m.test(labelValue(l, m.name))) ? [id] : [])),
      ).subarray(0, rolledUp ? SERIES : SERIES / 10);
    },
    labels: (id) => labels[id]!,
    symbol: (text) => symbols.get(text) ?? -1,
    text: (s) => texts[s]!,
    valueSymbol: (id, name) => symbols.get(labelValue(labels[id]!, texts[name]!)) ?? -1,
    read(_id, minT, maxT, out) {
      const first = raw.ts[0]!;
      const from = Math.max(0, Math.ceil((minT - first) / INTERVAL));
      const to = Math.min(raw.length, Math.floor((maxT - first) / INTERVAL) + 1);
      out.length = 0;
      if (to <= from) return;
      reserveSamples(out, to - from);
      out.ts.set(raw.ts.subarray(from, to));
      out.values.set(raw.values.subarray(from, to));
      out.length = to - from;
    },
    labelNames: () => [],
    labelValues: () => [],
  };
  if (!rolledUp) return base;
  return {
    ...base,
    rollups: {
      coverage: () => ({ rawAfter: END, tiers: [{ tier: "1h", complete: [{ after: -Infinity, until: END }] }] }),
      read(_id, _tier, after, until, need, out) {
        const from = Math.max(0, (after - rows.start[0]!) / HOUR);
        const to = Math.min(rows.length, (until - rows.start[0]!) / HOUR);
        if (to <= from) return;
        const at = out.length;
        reserveRollup(out, at + to - from);
        out.start.set(rows.start.subarray(from, to), at);
        ROLLUP_COLUMNS.forEach((c, bit) => {
          if ((need & (1 << bit)) !== 0) out.columns[c].set(rows.columns[c].subarray(from, to), at);
        });
        out.length = at + to - from;
      },
    },
  };
}

function engineOver(source: SeriesSource) {
  const shard: ShardClient = {
    partition: 0,
    request: async (request) => runShardQuery(source, (request as { plan: unknown }).plan).result as never,
  };
  return makeEngine({ shards: [shard], maxSamples: 1e9 });
}

const QUERIES = [
  "sum by (service) (rate(requests_total[1h]))",
  "sum by (service) (rate(requests_total[1d]))",
  "sum by (service) (avg_over_time(requests_total[1d]))",
  "max by (service) (max_over_time(requests_total[30d]))",
  "sum by (service) (requests_total)",
  "sum by (service) (changes(requests_total[1d]))",
];

async function measure(
  source: SeriesSource,
  query: string,
  span: number,
): Promise<{ best: number; median: number; read: number }> {
  const engine = engineOver(source);
  const times: number[] = [];
  let read = 0;
  for (let i = 0; i < 7; i++) {
    const before = process.cpuUsage();
    const range = { start: END - span + DAY, end: END, step: HOUR };
    const result = await engine.range({ tenant: "default", query, ...range, stats: "total" });
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
    read = result.stats?.samples ?? 0;
  }
  times.sort((a, b) => a - b);
  return { best: times[0]!, median: times[3]!, read };
}

for (const query of QUERIES) {
  const rolled = await measure(makeSource(true), query, YEAR);
  const plain = await measure(makeSource(false), query, RAW_DAYS * DAY);
  // A tenth of the time, a tenth of the series.
  const scaled = plain.best * (YEAR / (RAW_DAYS * DAY)) * 10;
  const figures = `${rolled.best.toFixed(0).padStart(6)} best ${rolled.median.toFixed(0).padStart(6)} median`;
  const million = (rolled.read / 1e6).toFixed(1);
  console.log(`CPU ms ${figures}, ${million} M rows; raw ${(scaled / rolled.best).toFixed(0)} x   ${query}`);
}
