import { compress } from "snappyjs";
import { type TestSeries, writeRequestBytes } from "../streams/support/write-request-bytes.ts";

/** The same samples for Tocsin and a real Prometheus: an hour at 15 s, and label sets that are hard to write. */
export const END = 1_700_003_600;
/** A configuration under which samples of that time are still taken. */
export const KEEP_ALL = "agent: { enabled: false }\nstorage: { retention: { raw: 0s } }\n";
export const START = END - 3600;

const STALE = [0x00000002, 0x7ff00000] as const;

type Values = (i: number) => number | undefined;

function series(labels: Record<string, string>, value: Values, staleAt?: number): TestSeries {
  const samples = [];
  for (let i = 0; i <= 240; i++) {
    const ts = (START + i * 15) * 1000;
    if (i === staleAt) samples.push({ ts, bits: STALE });
    const v = staleAt !== undefined && i >= staleAt ? undefined : value(i);
    if (v !== undefined) samples.push({ ts, value: v });
  }
  const sorted = Object.entries(labels).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return { labels: sorted, samples };
}

const SPECIAL: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  ninf: Number.NEGATIVE_INFINITY,
  nzero: -0,
  zero: 0,
  tiny: 5e-324,
  small: 0.000001,
  smaller: 9.99e-7,
  third: 1 / 3,
  big: 1e20,
  bigger: 1e21,
  huge: Number.MAX_VALUE,
  negative: -1.5,
  million: 1e6,
  safe: 2 ** 53 + 2,
};

export function dataset(): TestSeries[] {
  const all: TestSeries[] = [];
  for (const instance of ["a:80", "b:80"]) {
    for (const code of ["200", "404", "500"]) {
      for (const method of ["GET", "POST"]) {
        const rate = code.length + Number(code[0]) + (method === "GET" ? 3 : 1) + (instance === "a:80" ? 0.5 : 0);
        const labels = { __name__: "http_requests_total", job: "api", instance, code, method };
        all.push(series(labels, (i) => (i < 100 ? i * rate : (i - 100) * rate)));
      }
    }
    for (const [le, share] of [
      ["0.1", 1],
      ["1", 3],
      ["+Inf", 4],
    ] as const) {
      all.push(
        series({ __name__: "http_request_duration_seconds_bucket", job: "api", instance, le }, (i) => i * share),
      );
    }
    all.push(series({ __name__: "up", job: "api", instance }, () => 1));
  }
  all.push(series({ __name__: "up", job: "db", instance: "c:5432" }, (i) => i % 2));
  for (const [kind, value] of Object.entries(SPECIAL)) all.push(series({ __name__: "special", kind }, () => value));
  all.push(series({ __name__: "stopped", job: "old" }, (i) => i, 200));
  all.push(series({ __name__: "gaps", job: "old" }, (i) => (i % 40 < 10 ? i : undefined)));
  all.push(
    series({ __name__: "http.requests", "service.name": "Überträger", "🔥": 'b\\c"d\ne\tf<>&\u2028' }, (i) => i),
  );
  all.push(series({ __name__: "odd", value: "U__x_2e_y", U__a_2e_b: "1" }, (i) => i));
  all.push(series({ __name__: "temperature_celsius", room: "a" }, (i) => 20 + Math.sin(i / 10) * 5));
  all.push(series({ __name__: "temperature_celsius", room: "B" }, (i) => 18 - Math.cos(i / 7) * 3.3));
  all.push(series({ __name__: "temperature_celsius", room: "Z" }, (i) => i / 1000));
  all.push(series({ __name__: "temperature_celsius", room: "é" }, (i) => -i / 3));
  return all;
}

export function datasetBody(): Uint8Array {
  return new Uint8Array(compress(writeRequestBytes(dataset())));
}

export const WRITE_HEADERS = {
  "content-type": "application/x-protobuf",
  "content-encoding": "snappy",
  "x-prometheus-remote-write-version": "0.1.0",
} as const;
