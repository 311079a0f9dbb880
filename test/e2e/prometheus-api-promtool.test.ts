import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { compress } from "snappyjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeHistogram } from "../../src/model/histogram.ts";
import { histogramBytes } from "../streams/support/wire-bytes.ts";
import { type TestSeries, writeRequestBytes } from "../streams/support/write-request-bytes.ts";
import { findPeer } from "../support/find-program.ts";
import { killPrograms, type Program, startPrometheus } from "./program.ts";
import { dataset, END, KEEP_ALL, START, WRITE_HEADERS } from "./prometheus-data.ts";
import { killLeftOvers, query, startTocsin, type Tocsin, until } from "./tocsin.ts";

// promtool's queries, against Tocsin and a real Prometheus with the same data: it prints the same.

afterAll(() => {
  killLeftOvers();
  killPrograms();
});

const prometheusPath = findPeer("3.5", "prometheus");
const promtoolPath = findPeer("3.5", "promtool");
const there = prometheusPath !== undefined && promtoolPath !== undefined;
const why = there ? "" : " (passed over: there is no Prometheus 3.5 on PATH or in PEERS_BIN)";

const WINDOW = [`--start=${START}`, `--end=${END}`];

const CALLS: readonly (readonly [string[], string[]])[] = [
  ...["up", "special", "1", '"text"', "up[1m]", '{"http.requests"}', "latency", "sum(rate(latency[5m]))"].flatMap(
    (query): [string[], string[]][] => [
      [["instant", `--time=${END}`], [query]],
      [["instant", `--time=${END}`, "-o", "json"], [query]],
    ],
  ),
  ...["up", "gaps", "stopped", "rate(http_requests_total{code='404'}[5m])", "latency", "up{", "up[1m]"].map(
    (query): [string[], string[]] => [["range", ...WINDOW, "--step=300s"], [query]],
  ),
  [["range", ...WINDOW, "--step=600s", "-o", "json"], ["up"]],
  [["series", ...WINDOW, "--match=up"], []],
  [["series", ...WINDOW, "--match=up", '--match={"http.requests"}', "-o", "json"], []],
  [["series", ...WINDOW, "--match=up{"], []],
  [["labels", ...WINDOW], ["job"]],
  [["labels", ...WINDOW], ["__name__"]],
  [["labels", ...WINDOW, "--match=up"], ["instance"]],
  [["labels", ...WINDOW], ["service.name"]],
  [["labels", ...WINDOW, "-o", "json"], ["nothing"]],
];

const ANALYZE: readonly string[][] = [
  ["--match=latency"],
  ["--match=http_request_duration_seconds_bucket"],
  ["--match=latency", "--match=http_request_duration_seconds_bucket", "--duration=20m"],
  ["--match=up"],
];

describe.skipIf(!there)(`promtool query beside a Prometheus${why}`, () => {
  let prometheus: Program;
  let tocsin: Tocsin;
  beforeAll(async () => {
    [prometheus, tocsin] = await Promise.all([
      startPrometheus(prometheusPath as string, "global: {}\n", ["--enable-feature=native-histograms"]),
      startTocsin({ config: KEEP_ALL }),
    ]);
    const latency: TestSeries = {
      labels: [["__name__", "latency"]],
      samples: [],
      histograms: Array.from({ length: 240 }, (_, i) => {
        const positive = i % 60 < 30 ? [i, 2 * i, 3] : [i, 2 * i, 3, 1];
        const count = positive.reduce((a, b) => a + b, 5);
        const shape = { schema: 2, zeroThreshold: 0.001, zeroCount: 5, positive, positiveSpans: [1, positive.length] };
        return histogramBytes({ h: { ...makeHistogram(), ...shape, count, sum: i }, ts: (START + i * 15) * 1000 });
      }),
    };
    const body = new Uint8Array(compress(writeRequestBytes([...dataset(), latency])));
    for (const { url } of [prometheus, tocsin]) {
      const written = await fetch(`${url}/api/v1/write`, { method: "POST", body, headers: WRITE_HEADERS });
      expect(written.status, await written.text()).toBe(204);
    }
    const count = 'count({__name__=~".+"})';
    const [want] = await query(prometheus.url, count, END);
    await until(async () => (await query(tocsin.url, count, END))[0]?.value[1] === want?.value[1], "all is stored");
  });
  afterAll(() => Promise.all([prometheus?.stop(), tocsin?.stop()]));

  /** Exit code and what is printed; ports and digits beyond the 13th taken out. */
  const promtool = async (args: readonly string[], url: string) => {
    const run = promisify(execFile)(promtoolPath as string, ["query", ...args], { maxBuffer: 1 << 24 });
    const out = await run
      .then((r) => ({ code: 0, ...r }))
      .catch((e: { code: number; stdout: string; stderr: string }) => e);
    const shown = `${out.stdout}${out.stderr}`.replaceAll(url, "URL").trim();
    return {
      code: out.code,
      lines: shown.replaceAll(/-?\d+\.\d{9,}/g, (v) => String(Number(Number(v).toPrecision(13)))).split("\n"),
    };
  };

  it.each(CALLS)("%j %j", async ([command = "", ...flags], rest) => {
    const [want, got] = await Promise.all(
      [prometheus, tocsin].map(({ url }) => promtool([command, ...flags, url, ...rest], url)),
    );
    expect({ ...got, lines: sortedVectors(got?.lines) }).toEqual({ ...want, lines: sortedVectors(want?.lines) });
  });

  it.each(ANALYZE)("analyze %s", async (...flags) => {
    const [want, got] = await Promise.all(
      [prometheus, tocsin].map(({ url }) =>
        promtool(["analyze", `--server=${url}`, "--type=histogram", `--time=${END}`, ...flags], url),
      ),
    );
    // The order of the series is that of promtool's hash map.
    expect({ ...got, lines: got?.lines.toSorted() }).toEqual({ ...want, lines: want?.lines.toSorted() });
    if (flags[0] !== "--match=up") expect(want?.lines.join("\n")).toContain("Bucket stats");
  });
});

/** An instant vector has no promised order. */
function sortedVectors(lines: readonly string[] | undefined): unknown[] {
  const text = lines?.join("\n") ?? "";
  if (!text.startsWith('[{"metric"')) return [...(lines ?? [])].sort();
  return (JSON.parse(text) as unknown[]).map((entry) => JSON.stringify(entry)).sort();
}
