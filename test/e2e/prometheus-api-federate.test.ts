import { compress } from "snappyjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestSeries, writeRequestBytes } from "../streams/support/write-request-bytes.ts";
import { findPeer } from "../support/find-program.ts";
import { killPrograms, type Program, startPrometheus } from "./program.ts";
import { dataset, END, WRITE_HEADERS } from "./prometheus-data.ts";
import { killLeftOvers, query, startTocsin, type Tocsin, until } from "./tocsin.ts";

// /federate beside that of a real Prometheus on the same data, and a real Prometheus that scrapes it.

afterAll(() => {
  killLeftOvers();
  killPrograms();
});

const program = findPeer("3.5", "prometheus");
const why = program === undefined ? " (passed over: there is no Prometheus 3.5 on PATH or in PEERS_BIN)" : "";

/** The last minutes of the data set, as if they were those before now. */
function recent(now: number): TestSeries[] {
  const shift = Math.floor(now / 1000) * 1000 - 20_000 - END * 1000;
  const from = (END - 120) * 1000;
  const series = dataset().map((s) => ({
    ...s,
    samples: s.samples.filter(({ ts }) => Number(ts) >= from).map((x) => ({ ...x, ts: Number(x.ts) + shift })),
  }));
  const last = END * 1000 + shift;
  const at = (name: string, samples: TestSeries["samples"]): TestSeries => ({ labels: [["__name__", name]], samples });
  return [
    ...series.filter((s) => s.samples.length > 0),
    at("ended", [
      { ts: last - 15_000, value: 1 },
      { ts: last, bits: [2, 0x7ff00000] },
    ]),
    at("alone", [{ ts: last, value: 7 }]),
    at("colons:in:name", [{ ts: last, value: 123456789 }]),
    at("1digit.first", [{ ts: last, value: 1e-7 }]),
  ];
}

const MATCHES: readonly (readonly string[])[] = [
  [],
  ["up"],
  ["nothing_there"],
  ["special"],
  ["ended"],
  ["alone"],
  ['{__name__=~".+"}'],
  ['{__name__=~"up|special"}', '{job="db"}', "up"],
  ['{"http.requests"}'],
  ['{"1digit.first"}'],
  ["colons:in:name"],
  ["up{"],
  ["{}"],
  ['{job=~".*"}'],
  ['{job=~"("}'],
  ["rate(up[5m])"],
];

const ACCEPTS = [
  undefined,
  "*/*",
  "text/plain",
  "text/plain;version=0.0.4;escaping=allow-utf-8",
  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1",
  "text/plain;version=0.0.4;escaping=underscores;q=0.1,text/plain;version=0.0.4;escaping=values;q=0.9",
  "text/plain;escaping=dots",
  "text/plain;escaping=values",
  "text/plain;escaping=other",
];

describe.skipIf(program === undefined)(`/federate beside a Prometheus${why}`, () => {
  let prometheus: Program;
  let tocsin: Tocsin;
  let scraper: Program;
  beforeAll(async () => {
    [prometheus, tocsin] = await Promise.all([startPrometheus(program as string, "global: {}\n"), startTocsin()]);
    const body = new Uint8Array(compress(writeRequestBytes(recent(Date.now()))));
    for (const { url } of [prometheus, tocsin]) {
      const written = await fetch(`${url}/api/v1/write`, { method: "POST", body, headers: WRITE_HEADERS });
      expect(written.status).toBe(204);
    }
    const count = 'count({__name__=~".+"})';
    const [want] = await query(prometheus.url, count);
    await until(async () => (await query(tocsin.url, count))[0]?.value[1] === want?.value[1], "all is stored");
    const config = `scrape_configs:
- job_name: federate
  honor_labels: true
  scrape_interval: 1s
  metrics_path: /federate
  params: { "match[]": ['{__name__=~".+"}'] }
  static_configs: [{ targets: ["${new URL(tocsin.url).host}"] }]
`;
    scraper = await startPrometheus(program as string, config);
  });
  afterAll(() => Promise.all([prometheus?.stop(), tocsin?.stop(), scraper?.stop()]));

  const cases = [
    ...MATCHES.map((m) => [m, undefined] as const),
    ...ACCEPTS.map((accept) => [['{__name__=~".+"}'], accept] as const),
  ];
  it.each(cases)("%j, Accept: %s", async (matches, accept) => {
    const search = new URLSearchParams(matches.map((m): [string, string] => ["match[]", m]));
    const [want, got] = await Promise.all(
      [prometheus, tocsin].map(async ({ url }) => {
        const answer = await fetch(`${url}/federate?${search}`, { headers: accept === undefined ? {} : { accept } });
        const text = await answer.text();
        const type = answer.headers.get("content-type") ?? "";
        return { status: answer.status, type: answer.ok ? type : type.split(";")[0], lines: inOrder(text.trim()) };
      }),
    );
    expect(got).toEqual(want);
  });

  it("is not there for other methods", async () => {
    expect((await fetch(`${tocsin.url}/federate?match[]=up`, { method: "POST" })).status).toBe(405);
  });

  it("is scraped by a real Prometheus, labels and times kept", async () => {
    const all = '{__name__=~"up|special|http.requests|alone", instance!~"127.*", kind!="nzero"}';
    await until(async () => (await query(scraper.url, "alone")).length > 0, "it has scraped");
    for (const expr of [all, `timestamp(${all})`]) {
      const [want, got] = await Promise.all([tocsin, scraper].map(({ url }) => query(url, expr)));
      expect(want?.length).toBeGreaterThan(10);
      expect(unstamped(got)).toEqual(unstamped(want));
    }
    expect(await query(scraper.url, 'up{job="federate"}')).toMatchObject([{ value: [expect.anything(), "1"] }]);
  });
});

/** Without the time of the query, and without the job that the scraper gives what has none. */
function unstamped(entries: Awaited<ReturnType<typeof query>> | undefined) {
  const shown = entries?.map(({ metric: { job, ...rest }, value }) =>
    JSON.stringify([{ ...rest, ...(job === "federate" ? {} : { job }) }, value[1]]),
  );
  return shown?.sort();
}

/** Lines of one metric are in no promised order: those behind a # TYPE are sorted. */
function inOrder(text: string): string[] {
  return text.split(/\n(?=#)/).flatMap((family) => {
    const [head = "", ...rest] = family.split("\n");
    return [head, ...rest.sort()];
  });
}
