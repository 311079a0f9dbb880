import { compress } from "snappyjs";
import { afterAll, describe, expect, it } from "vitest";
import { type TestSeries, writeRequestBytes } from "../streams/support/write-request-bytes.ts";
import { killPrograms, startPrometheus } from "./program.ts";
import { WRITE_HEADERS } from "./prometheus-data.ts";
import { findProgram, killLeftOvers, startTocsin, until } from "./tocsin.ts";

afterAll(() => {
  killLeftOvers();
  killPrograms();
});

const prometheusPath = findProgram("prometheus");
const RANKINGS = [
  "seriesCountByMetricName",
  "labelValueCountByLabelName",
  "memoryInBytesByLabelName",
  "seriesCountByLabelValuePair",
] as const;

type Status = { headStats: Record<string, number> } & Record<
  (typeof RANKINGS)[number],
  { name: string; value: number }[]
>;

describe.skipIf(prometheusPath === undefined)(
  `status/tsdb${prometheusPath === undefined ? " (passed over: there is no prometheus on PATH or in PEERS_BIN)" : ""}`,
  () => {
    it("has the numbers of a Prometheus with the same series, whatever the number of partitions", async () => {
      const tocsin = await startTocsin({ config: "agent: { enabled: false }\nstorage: { partitions: 3 }\n" });
      const prometheus = await startPrometheus(prometheusPath as string, "global: { scrape_interval: 1h }\n");
      const ts = Date.now();
      const series = Array.from({ length: 2000 }, (_, i): TestSeries => {
        const long: [string, string][] = i % 5 === 0 ? [["long", `${i % 3}`.repeat(250 + (i % 10))]] : [];
        const labels: [string, string][] = [
          ["__name__", `metric_${i % 17}`],
          ["host", `h${i % 400}`],
          ["serial", `ü${i}`],
        ];
        return { labels: [...labels, ...long].sort(([a], [b]) => (a < b ? -1 : 1)), samples: [{ ts, value: i }] };
      });
      const body = Buffer.from(compress(writeRequestBytes(series)) as Uint8Array);
      const status = async (url: string) => {
        const answer = (await (await fetch(`${url}/api/v1/status/tsdb?limit=5000`)).json()) as { data: Status };
        return answer.data;
      };
      for (const { url } of [tocsin, prometheus]) {
        const written = await fetch(`${url}/api/v1/write`, { method: "POST", body, headers: WRITE_HEADERS });
        expect(written.status).toBe(204);
        await until(async () => (await status(url)).headStats.numSeries === 2000, "the series are stored");
      }
      const [ours, theirs] = await Promise.all([status(tocsin.url), status(prometheus.url)]);
      expect(ours.headStats).toEqual(theirs.headStats);
      for (const ranking of RANKINGS) {
        const counts = (s: Status) => new Map(s[ranking].map(({ name, value }) => [name, value]));
        expect(counts(ours), ranking).toEqual(counts(theirs));
        const descending = (s: Status) => s[ranking].map(({ value }) => value);
        expect(descending(ours), ranking).toEqual(descending(theirs));
      }
      await prometheus.stop();
      await tocsin.stop();
    });
  },
);
