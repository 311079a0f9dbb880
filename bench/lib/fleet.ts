/** The series of a fleet of application hosts, seven labels each, 20 a host: what the benchmarks of ingest send. */
import { encodeLabels, encodeRequest } from "./remote-write-body.ts";

export const FLEET_METRIC = "bench_requests_total";
export const SERIES_A_HOST = 20;

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
