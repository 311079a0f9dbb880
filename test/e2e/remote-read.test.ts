import { compress, uncompress } from "snappyjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crc32c } from "../../src/lib/crc32c.ts";
import {
  concat,
  lengthDelimited,
  type TestSeries,
  varint,
  writeRequestBytes,
} from "../streams/support/write-request-bytes.ts";
import { findPeer } from "../support/find-program.ts";
import { killPrograms, type Program, startPrometheus } from "./program.ts";
import { dataset, END, KEEP_ALL, START, WRITE_HEADERS } from "./prometheus-data.ts";
import { killLeftOvers, query, startTocsin, type Tocsin, until } from "./tocsin.ts";

// Remote read: what it answers beside a real Prometheus's, and a real Prometheus that reads from Tocsin.

afterAll(() => {
  killLeftOvers();
  killPrograms();
});

const program = findPeer("3.5", "prometheus");
const why = program === undefined ? " (passed over: there is no Prometheus 3.5 on PATH or in PEERS_BIN)" : "";

const double = (field: number, value: number) => {
  const out = new Uint8Array(9);
  out[0] = (field << 3) | 1;
  new DataView(out.buffer).setFloat64(1, value, true);
  return out;
};
const int = (field: number, value: number | bigint) => concat([varint(field << 3), varint(value)]);
const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value);
const span = (offset: number, length: number) => concat([int(1, zigzag(offset)), int(2, length)]);
const packed = (values: readonly number[]) => concat(values.map((v) => varint(zigzag(v))));

/** Counts that grow with i, in buckets that change now and then; every fourth series is of floats, custom buckets or a gauge. */
function histogram(i: number, kind: "counter" | "float" | "custom" | "gauge"): Uint8Array {
  const wide = i % 50 < 25;
  const buckets = wide ? [i, 2 * i, 3] : [i, 4];
  const count = buckets.reduce((a, b) => a + b, 0) + (kind === "custom" ? 0 : 7 + i);
  const deltas = buckets.map((n, k) => n - (buckets[k - 1] ?? 0));
  const spans = wide ? [span(-2, 2), span(3, 1)] : [span(1, 2)];
  const customSpans = wide ? [span(0, 2), span(1, 1)] : [span(1, 2)];
  const floats = new Float64Array(buckets.map((n) => n + 0.5));
  return concat([
    kind === "float" ? double(2, count + 0.5 * buckets.length) : int(1, count),
    double(3, i * 1.5 - 3),
    int(4, zigzag(kind === "custom" ? -53 : 3)),
    ...(kind === "custom" ? [] : [double(5, i % 2 === 0 ? 2 ** -128 : 0.001)]),
    ...(kind === "custom" ? [] : [kind === "float" ? double(7, 7 + i) : int(6, 7 + i)]),
    ...(kind === "custom" ? customSpans : spans).map((s) => lengthDelimited(11, s)),
    kind === "float" ? lengthDelimited(13, new Uint8Array(floats.buffer)) : lengthDelimited(12, packed(deltas)),
    ...(kind === "gauge" ? [int(14, 3)] : []),
    int(15, (START + i * 15) * 1000),
    ...(kind === "custom" ? [lengthDelimited(16, new Uint8Array(new Float64Array([0.1, 1.25, 10, 1e9]).buffer))] : []),
  ]);
}

function series(): TestSeries[] {
  const kinds = ["counter", "float", "custom", "gauge"] as const;
  const odd = [0, 1, 8191, 8192, 8193, 100_000, 2, 600_000, 60_000, 1_500_000, 1];
  let t = START * 1000;
  return [
    ...dataset(),
    ...kinds.map((kind) => ({
      labels: [
        ["__name__", "latency"],
        ["kind", kind],
      ] as const,
      samples: [],
      histograms: Array.from({ length: 240 }, (_, i) => histogram(i, kind)),
    })),
    {
      labels: [["__name__", "uneven"]],
      samples: odd.map((step, i) => {
        t += step + 1;
        return { ts: t, value: i % 3 === 0 ? Math.PI * 10 ** (3 * i) : i };
      }),
    },
    {
      labels: [["__name__", "long"]],
      samples: Array.from({ length: 18_000 }, (_, k) => ({ ts: START * 1000 + k * 200 + (k % 7), value: Math.sin(k) })),
    },
  ];
}

type Matcher = readonly [type: number, name: string, value: string];

function readBody(
  queries: readonly { matchers: readonly Matcher[]; start?: number; end?: number }[],
  accepted: readonly number[] = [],
): Uint8Array {
  const text = (field: number, s: string) => lengthDelimited(field, new TextEncoder().encode(s));
  const message = concat([
    ...queries.map(({ matchers, start = (START - 9_000_000) * 1000, end = END * 1000 }) =>
      lengthDelimited(
        1,
        concat([
          int(1, start),
          int(2, end),
          ...matchers.map(([type, name, value]) =>
            lengthDelimited(3, concat([int(1, type), text(2, name), text(3, value)])),
          ),
          lengthDelimited(4, concat([int(1, 15_000), text(2, "rate"), int(3, start), int(4, end)])),
        ]),
      ),
    ),
    ...accepted.map((type) => int(2, type)),
  ]);
  return new Uint8Array(compress(message));
}

const ALL: Matcher = [2, "__name__", ".+"];

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly encoding: string | null;
  readonly body: Uint8Array;
}

async function read(url: string, body: Uint8Array): Promise<Answer> {
  const headers = { "content-type": "application/x-protobuf", "content-encoding": "snappy" };
  const answer = await fetch(`${url}/api/v1/read`, { method: "POST", body: new Uint8Array(body), headers });
  const type = answer.headers.get("content-type") ?? "";
  return {
    status: answer.status,
    type: answer.ok ? type : (type.split(";")[0] as string),
    encoding: answer.headers.get("content-encoding"),
    body: new Uint8Array(await answer.arrayBuffer()),
  };
}

/** The messages of a streamed answer, each checked against its sum. */
function frames(body: Uint8Array): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    let size = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = body[at++] as number;
      size += (byte & 127) * factor;
      if (byte < 128) break;
    }
    const sum = new DataView(body.buffer, body.byteOffset + at).getUint32(0);
    const message = body.subarray(at + 4, at + 4 + size);
    expect(message.length).toBe(size);
    expect(crc32c(message)).toBe(sum);
    out.push(message);
    at += 4 + size;
  }
  return out;
}

const QUERIES = [
  "up",
  "special",
  "gaps",
  "uneven",
  "sum(rate(http_requests_total[5m])) by (code)",
  "rate(http_requests_total{code=~'5..'}[5m])",
  "http_requests_total offset 10m",
  "count_over_time(long[10m])",
  "avg_over_time(long[5m])",
  '{"http.requests"}',
  "latency",
  // Not rate(): how far a histogram is extrapolated is another version's.
  "irate(latency{kind!='gauge'}[5m])",
  "sum_over_time(latency[5m])",
  "resets(latency{kind!='gauge'}[30m])",
  "histogram_quantile(0.9, rate(latency{kind!='gauge'}[5m]))",
  'count by (__name__) ({__name__=~".+"})',
];

describe.skipIf(program === undefined)(`remote read${why}`, () => {
  let prometheus: Program;
  let tocsin: Tocsin;
  let reader: Program;
  beforeAll(async () => {
    [prometheus, tocsin] = await Promise.all([
      startPrometheus(program as string, "global: {}\n", ["--enable-feature=native-histograms"]),
      startTocsin({ config: KEEP_ALL }),
    ]);
    const body = new Uint8Array(compress(writeRequestBytes(series())));
    for (const { url } of [prometheus, tocsin]) {
      const written = await fetch(`${url}/api/v1/write`, { method: "POST", body, headers: WRITE_HEADERS });
      expect(written.status, await written.text()).toBe(204);
    }
    const count = 'count({__name__=~".+"})';
    const [want] = await query(prometheus.url, count, END);
    await until(async () => (await query(tocsin.url, count, END))[0]?.value[1] === want?.value[1], "all is stored");
    const config = `remote_read:
- { url: "${tocsin.url}/api/v1/read", read_recent: true }
`;
    reader = await startPrometheus(program as string, config);
  });
  afterAll(() => Promise.all([prometheus?.stop(), tocsin?.stop(), reader?.stop()]));

  it.each(QUERIES)("a real Prometheus that reads from it answers as it does itself: %s", async (query) => {
    const params = new URLSearchParams({ query, start: String(END - 3600), end: String(END), step: "60" });
    const [want, got] = await Promise.all(
      [tocsin, reader].map(async ({ url }) => {
        const answer = await fetch(`${url}/api/v1/query_range?${params}`);
        const { data, error } = (await answer.json()) as { data?: { result: unknown[] }; error?: string };
        return { error, result: rounded(data?.result) };
      }),
    );
    expect(want?.result?.length).toBeGreaterThan(0);
    expect(got).toEqual(want);
  });

  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["up", readBody([{ matchers: [[0, "__name__", "up"]] }])],
    ["several queries", readBody([{ matchers: [[0, "__name__", "up"]] }, { matchers: [[0, "job", "db"]] }])],
    ["nothing", readBody([{ matchers: [[0, "__name__", "nothing_there"]] }])],
    ["no query", readBody([])],
    ["a time without samples", readBody([{ matchers: [ALL], start: 1000, end: 2000 }])],
    [
      "regular expressions",
      readBody([
        {
          matchers: [
            [2, "job", "a.*"],
            [3, "code", "2.."],
            [1, "method", "GET"],
          ],
        },
      ]),
    ],
    ["both ends inclusive", readBody([{ matchers: [ALL], start: (END - 15) * 1000, end: END * 1000 }])],
  ];
  it.each(cases)("answers with samples as a real one: %s", async (_name, body) => {
    const [want, got] = await Promise.all([prometheus, tocsin].map(({ url }) => read(url, body)));
    expect({ ...got, body: 0 }).toEqual({ ...want, body: 0 });
    expect(lists(uncompress((got as Answer).body))).toEqual(lists(uncompress((want as Answer).body)));
  });

  const bad: readonly (readonly [string, Uint8Array])[] = [
    ["no body", new Uint8Array(0)],
    ["no Snappy", new TextEncoder().encode("nonsense")],
    ["a type that is not known", readBody([{ matchers: [ALL] }], [7])],
  ];
  it.each(bad)("refuses as a real one: %s", async (_name, body) => {
    const [want, got] = await Promise.all([prometheus, tocsin].map(({ url }) => read(url, body)));
    expect(new TextDecoder().decode(got?.body)).toBe(new TextDecoder().decode(want?.body));
    expect(got).toEqual(want);
  });

  it("refuses a pattern that is none, and a message that is cut off", async () => {
    const cut = new Uint8Array(compress(Uint8Array.from([0x0a, 0x10, 0x08])));
    for (const body of [readBody([{ matchers: [[2, "job", "("]] }]), cut]) {
      expect((await read(tocsin.url, body)).status).toBe(400);
    }
  });

  it("streams chunks in frames of one series, in the order of their labels", async () => {
    const body = readBody([{ matchers: [ALL] }, { matchers: [[0, "__name__", "up"]] }], [1, 0]);
    const [want, got] = await Promise.all([prometheus, tocsin].map(({ url }) => read(url, body)));
    expect({ ...got, body: 0 }).toEqual({ ...want, body: 0 });
    const labelsOf = (message: Uint8Array) => {
      const [frame] = fields(message).filter(([n]) => n === 1);
      return fields(frame?.[1] as Uint8Array)
        .filter(([n]) => n === 1)
        .map(([, label]) => Buffer.from(label).toString("latin1"));
    };
    const order = (answer: Answer | undefined) => frames(answer?.body ?? new Uint8Array(0)).map(labelsOf);
    expect(order(got)).toEqual(order(want));
    const long = frames((got as Answer).body).filter((f) => String(labelsOf(f)).includes("long"));
    expect(long.length).toBeGreaterThan(0);
  });

  it("keeps to its limit of samples", async () => {
    const small = await startTocsin({ config: `${KEEP_ALL}limits: { max_query_samples: 1000 }\n` });
    const body = new Uint8Array(compress(writeRequestBytes(dataset())));
    await fetch(`${small.url}/api/v1/write`, { method: "POST", body, headers: WRITE_HEADERS });
    const ask = (type: number) => read(small.url, readBody([{ matchers: [ALL] }], [type]));
    await until(async () => (await ask(0)).status === 400, "all is stored");
    for (const type of [0, 1]) {
      const { body, status } = await ask(type);
      expect(status).toBe(400);
      expect(new TextDecoder().decode(body)).toBe("exceeded sample limit (1000, limits.max_query_samples)\n");
    }
    await small.stop();
  });
});

/** The length-delimited fields of a message. */
function fields(message: Uint8Array): [number: number, bytes: Uint8Array][] {
  const out: [number, Uint8Array][] = [];
  let at = 0;
  const number = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++] as number;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = number();
    if ((tag & 7) === 0) number();
    else if ((tag & 7) === 1) at += 8;
    else {
      const size = number();
      out.push([tag >>> 3, message.subarray(at, at + size)]);
      at += size;
    }
  }
  return out;
}

/** A ReadResponse as text: series by series, in any order; zeros are left out by a real one, so samples are told by value. */
function lists(message: Uint8Array): string[][] {
  return fields(message).map(([, result]) =>
    fields(result)
      .map(([, one]) =>
        fields(one)
          .filter(([n]) => n <= 2)
          .map(([n, bytes]) => (n === 1 ? Buffer.from(bytes).toString() : sampleText(bytes)))
          .join(";"),
      )
      .sort(),
  );
}

function sampleText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const has = bytes[0] === 0x09;
  const value = has ? view.getFloat64(1, true) : 0;
  return `${value === 0 ? 0 : value}@${Buffer.from(bytes.subarray(has ? 9 : 0)).toString("hex")}`;
}

/** Numbers to 12 digits: sums may be added in another order. */
function rounded(value: unknown): unknown[] {
  return JSON.parse(
    JSON.stringify(value, (_key, v: unknown) =>
      typeof v === "string" && /^-?[\d.e+-]{10,}$/.test(v) ? String(Number(Number(v).toPrecision(12))) : v,
    ),
  ) as unknown[];
}
