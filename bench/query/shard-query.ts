/**
 * The shard's part of dashboard queries over columns in memory, so without decoding chunks: 4,000 series, 6 h at 10 s,
 * step 60 s. Run: `node bench/query/shard-query.ts`. Prints the best and the median of 15 runs.
 */
import { labelsFromObject, labelValue, METRIC_NAME } from "../../src/model/labels.ts";
import { compileMatcher } from "../../src/model/matcher.ts";
import { reserveSamples, type SampleBuffer } from "../../src/model/sample.ts";
import type { SeriesSource } from "../../src/model/series-source.ts";
import type { ShardClient } from "../../src/model/shard.ts";
import { makeEngine } from "../../src/query/engine.ts";
import { runShardQuery } from "../../src/query/execute/run-shard-query.ts";

const SERIES = 4000;
const SAMPLES = 2160;
const STEP = 10_000;
const T0 = 1_700_000_000_000;

/** Counters with a reset now and then; every second series has status 500. */
function makeSource(): SeriesSource {
  const labels = Array.from({ length: SERIES }, (_, i) =>
    labelsFromObject({
      [METRIC_NAME]: "http_requests_total",
      status: i % 2 === 0 ? "500" : "200",
      service: `service-${(i >> 1) % 20}`,
      instance: `10.0.${i >> 8}.${i & 255}:9100`,
    }),
  );
  const ts = new Float64Array(SAMPLES).map((_, k) => T0 + k * STEP);
  const values = labels.map((_, i) => {
    let v = i;
    return new Float64Array(SAMPLES).map((_, k) => {
      v = (k + i) % 700 === 699 ? 0 : v + ((k * 7 + i) % 13);
      return v;
    });
  });
  const texts: string[] = [...new Set(labels.flat())];
  const symbols = new Map(texts.map((t, i) => [t, i]));
  return {
    select(_tenant, matchers) {
      const tests = matchers.map((m) => ({ name: m.name, test: compileMatcher(m) }));
      const ids: number[] = [];
      labels.forEach((l, id) => {
        if (tests.every((m) => m.test(labelValue(l, m.name)))) ids.push(id);
      });
      return Uint32Array.from(ids);
    },
    labels: (id) => labels[id] as readonly string[],
    symbol: (text) => symbols.get(text) ?? -1,
    text: (s) => texts[s] as string,
    valueSymbol: (id, name) => symbols.get(labelValue(labels[id] as readonly string[], texts[name] as string)) ?? -1,
    read(id, minT, maxT, out: SampleBuffer) {
      reserveSamples(out, SAMPLES);
      const from = Math.max(0, Math.ceil((minT - T0) / STEP));
      const to = Math.min(SAMPLES, Math.floor((maxT - T0) / STEP) + 1);
      out.ts.set(ts.subarray(from, to));
      out.values.set((values[id] as Float64Array).subarray(from, to));
      out.length = to - from;
    },
    labelNames: () => [],
    labelValues: () => [],
  };
}

const QUERIES = [
  'sum by (service) (rate(http_requests_total{status="500"}[5m]))',
  'sum by (service) (rate(http_requests_total{status="500"}[1h]))',
  "http_requests_total",
  "topk(5, rate(http_requests_total[5m]))",
  "max_over_time(http_requests_total[1h])",
  "avg_over_time(http_requests_total[1h])",
  "quantile_over_time(0.9, http_requests_total[5m])",
  'sum(rate(http_requests_total{status="500"}[5m])) / sum(rate(http_requests_total[5m]))',
  "stddev_over_time(http_requests_total[5m])",
];

const source = makeSource();
const shard: ShardClient = {
  partition: 0,
  request: async (request) => runShardQuery(source, (request as { plan: unknown }).plan).result as never,
};
const engine = makeEngine({ shards: [shard] });
const only = process.argv[2];
for (const query of QUERIES.filter((q) => only === undefined || q.includes(only))) {
  const times: number[] = [];
  const cpu: number[] = [];
  for (let i = 0; i < 15; i++) {
    const start = performance.now();
    const used = process.cpuUsage();
    await engine.range({ tenant: "default", query, start: T0, end: T0 + (SAMPLES - 1) * STEP, step: 60_000 });
    times.push(performance.now() - start);
    const { user, system } = process.cpuUsage(used);
    cpu.push((user + system) / 1000);
  }
  const show = (all: number[]): string => {
    all.sort((a, b) => a - b);
    return `${(all[0] as number).toFixed(1).padStart(7)} best ${(all[7] as number).toFixed(1).padStart(7)} median`;
  };
  console.log(`wall ms ${show(times)}   CPU ms ${show(cpu)}   ${query}`);
}
