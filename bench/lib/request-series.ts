/** Counters of requests as services export them, six labels each, and their remote-write bodies: what the benchmarks of queries ask for. */
import { encodeLabels, encodeRequest, snappyLiteral } from "./remote-write-body.ts";

export const REQUESTS = "http_requests_total";
const PATHS = ["users", "orders", "items", "carts", "login"];

export interface RequestSeries {
  readonly labels: readonly Buffer[];
  /** Where the counters are. */
  readonly values: Float64Array;
  seed: number;
}

/** `hosts` hosts with `endpoints` endpoints and two statuses each. */
export function makeRequestSeries(hosts: number, endpoints: number): RequestSeries {
  const labels: Buffer[] = [];
  for (let h = 0; h < hosts; h++) {
    for (let e = 0; e < endpoints; e++) {
      for (const status of ["200", "500"]) {
        labels.push(
          encodeLabels([
            ["__name__", REQUESTS],
            ["endpoint", `/api/v1/${PATHS[e % 5]}/${e}`],
            ["host", `host-${h}`],
            ["region", `region-${h % 4}`],
            ["service", `service-${h % 10}`],
            ["status", status],
          ]),
        );
      }
    }
  }
  return { labels, values: new Float64Array(labels.length), seed: 1 };
}

/** The next value of series i: counters with a jitter of their own. */
function advance(series: RequestSeries, i: number): number {
  series.seed = (Math.imul(series.seed, 1103515245) + 12345) >>> 0;
  const more = i % 2 === 0 ? 50 + (series.seed >>> 26) : series.seed >>> 30;
  const value = (series.values[i] as number) + more;
  series.values[i] = value;
  return value;
}

/** Samples of a request. */
const PER_REQUEST = 10_000;

/**
 * Bodies with a sample of each series every `interval` ms in (from, to], made when they are asked for; `rounds` samples of a series in
 * one request, so that all come in order when requests are sent one after another.
 */
export function* requestBodies(
  series: RequestSeries,
  from: number,
  to: number,
  interval: number,
  rounds = 1,
): Generator<Buffer> {
  const { labels } = series;
  const perRequest = Math.max(1, Math.floor(PER_REQUEST / rounds));
  for (let start = from; start < to; start += rounds * interval) {
    const count = Math.min(rounds, Math.round((to - start) / interval));
    const ts = Float64Array.from({ length: count }, (_, k) => start + (k + 1) * interval);
    const values = new Float64Array(count);
    for (let first = 0; first < labels.length; first += perRequest) {
      const part = labels.slice(first, first + perRequest);
      const request = encodeRequest(part, (i) => {
        for (let k = 0; k < count; k++) values[k] = advance(series, first + i);
        return { ts, values };
      });
      yield snappyLiteral(request);
    }
  }
}
