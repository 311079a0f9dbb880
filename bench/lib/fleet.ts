/** The series of a fleet of application hosts, seven labels each, 20 a host: what the benchmarks of ingest send. */
import { encodeLabels, encodeRequest, snappy } from "./remote-write-body.ts";

export const FLEET_METRIC = "bench_requests_total";
export const SERIES_A_HOST = 20;
/** Each series has a sample so often. */
export const FLEET_INTERVAL_MS = 15_000;
/** Series of a request. */
export const FLEET_PER_REQUEST = 2_000;

/** Labels of series i, in order of their names. */
export function fleetSeries(i: number): [string, string][] {
  const host = Math.floor(i / SERIES_A_HOST);
  return [
    ["__name__", FLEET_METRIC],
    ["cluster", "production-eu-1"],
    ["endpoint", `/api/v1/resource-${i % SERIES_A_HOST}`],
    ["instance", instanceName(host)],
    ["job", "application"],
    ["region", "eu-west-1"],
    ["service", `service-${host % 50}`],
  ];
}

export function instanceName(host: number): string {
  return `host-${String(host).padStart(5, "0")}.example.net:9100`;
}

/** The same in remote write's encoding. */
export function fleetLabels(i: number): Buffer {
  return encodeLabels(fleetSeries(i));
}

/** Value of series i in a round: counters that grow at paces of their own. */
export function fleetValue(i: number, round: number): number {
  return (round + 1) * (i % 97) + i;
}

/** A WriteRequest with one sample for each of the series [from, from + count), not compressed. */
export function fleetRequest(
  labels: readonly Buffer[],
  from: number,
  count: number,
  round: number,
  time: number,
): Buffer {
  const ts = [time];
  return encodeRequest(labels.slice(from, from + count), (i) => ({ ts, values: [fleetValue(from + i, round)] }));
}

/** The fleet's remote-write bodies, made when they are asked for: `rounds` samples of each series, the last ones at `end` (Unix ms). */
export function* fleetBodies(labels: readonly Buffer[], rounds: number, end: number): Generator<Buffer> {
  for (let round = 0; round < rounds; round++) {
    const time = end - (rounds - 1 - round) * FLEET_INTERVAL_MS;
    for (let from = 0; from < labels.length; from += FLEET_PER_REQUEST) {
      yield snappy(fleetRequest(labels, from, Math.min(FLEET_PER_REQUEST, labels.length - from), round, time));
    }
  }
}

/** A query that counts each sample of the last `range`. */
export const fleetCount = (range: string): string => `sum(count_over_time(${FLEET_METRIC}[${range}]))`;
