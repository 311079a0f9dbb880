import { compress } from "snappyjs";
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, makeHistogram } from "../../src/model/histogram.ts";
import { request1, type WireSeries } from "../streams/support/wire-bytes.ts";
import { dataset, END, START, WRITE_HEADERS } from "./prometheus-data.ts";
import { query, startTocsin, type Tocsin, until } from "./tocsin.ts";

const RULES = `groups:
- name: levels
  interval: 1s
  rules:
  - { record: "job:up:sum", expr: sum by (job) (up), labels: { kind: sum } }
  - { alert: Always, expr: vector(1), labels: { severity: page }, annotations: { summary: "v {{ $value }}" } }
- name: other
  interval: 1s
  rules:
  - { alert: Never, expr: vector(0) > 1 }
`;

const EXPONENTIAL: Histogram = {
  ...makeHistogram(),
  schema: 1,
  zeroThreshold: 0.001,
  zeroCount: 2,
  count: 14,
  sum: 18.5,
  positiveSpans: [0, 2, 3, 1],
  positive: [3, 4, 1],
  negativeSpans: [1, 1],
  negative: [4],
};
const CUSTOM: Histogram = {
  ...makeHistogram(),
  schema: CUSTOM_BUCKETS_SCHEMA,
  count: 6,
  sum: 9,
  customBounds: [0.5, 1],
  positiveSpans: [0, 3],
  positive: [1, 2, 3],
};

function histograms(): WireSeries[] {
  const over = (name: string, h: Histogram): WireSeries => ({
    labels: [
      ["__name__", name],
      ["job", "api"],
    ],
    histograms: Array.from({ length: 9 }, (_, i) => ({ ts: (START + i * 15) * 1000, h })),
  });
  const bucket: WireSeries = {
    labels: [
      ["__name__", "traced_seconds_bucket"],
      ["le", "1"],
    ],
    samples: [{ ts: START * 1000, bits: [0, 0x3ff00000] }],
    exemplars: [
      { labels: [["trace_id", "a1"]], value: 0.25, ts: START * 1000 },
      { labels: [["trace_id", "b2"]], value: 0.75, ts: START * 1000 + 500 },
    ],
  };
  return [over("latency_seconds", EXPONENTIAL), over("sizes", CUSTOM), bucket];
}

const METADATA = [
  { family: "http_requests_total", type: 1, help: "Requests.", unit: "" },
  { family: "http_request_duration_seconds", type: 3, help: 'Durations, "all".', unit: "seconds" },
  { family: "rpc_seconds", type: 5, help: "A summary.", unit: "seconds" },
];

/** A Tocsin with all that a data source may ask for: floats, native histograms, exemplars, metadata, rules. */
export async function startLoaded(): Promise<Tocsin> {
  const tocsin = await startTocsin({
    config: "agent: { enabled: false }\nrule_files: [rules.yml]\nstorage: { retention: { raw: 0s } }\n",
    files: { "rules.yml": RULES },
  });
  const samples = dataset().map((s) => s as unknown as { labels: WireSeries["labels"]; samples: typeof s.samples });
  const words = new Uint32Array(2);
  const wire = samples.map(({ labels, samples }) => ({
    labels,
    samples: samples.map(({ ts, value, bits }) => {
      new Float64Array(words.buffer)[0] = value ?? 0;
      return { ts: Number(ts), bits: bits ?? ([words[0]!, words[1]!] as const) };
    }),
  }));
  const written = await fetch(`${tocsin.url}/api/v1/write`, {
    method: "POST",
    body: new Uint8Array(compress(request1([...wire, ...histograms()], METADATA))),
    headers: WRITE_HEADERS,
  });
  if (written.status !== 204) throw new Error(await written.text());
  await until(async () => (await query(tocsin.url, "count(special)", END)).length === 1, "the samples are stored");
  return tocsin;
}
