/**
 * The label index with one million series, as a fleet has them: 500 hosts of 2,000 series each.
 * Prints ms of CPU a selection, the median of many, for selectors of three matchers that find 2,000 series and the like,
 * and for regular expressions over a label with 100,000 values, each pattern for the first time.
 *
 * Run: node_modules/.bin/node bench/storage/head-select.ts [hosts]
 */
import type { Matcher, MatchOp } from "../../src/model/matcher.ts";
import { appendColumns } from "../../src/storage/head/append.ts";
import { beginFrame, createHead, defineSeries } from "../../src/storage/head/head.ts";
import { headSource } from "../../src/storage/head/head-source.ts";

const HOSTS = Number(process.argv[2] ?? 500);
const METRICS = 10;
const ENDPOINTS = 40;
const STATUS = ["200", "301", "404", "500", "503"];
/** One series of two hundred has a label of its own: 100,000 values need more series than these hold. */
const TRACES = 100_000;

const mix = (n: number): number => {
  let h = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

const head = createHead({ outOfOrderWindowMs: 3600_000 });
beginFrame(head);
const cols = {
  length: 1,
  hashLo: new Uint32Array(1),
  hashHi: new Uint32Array(1),
  ts: new Float64Array([1.7e12]),
  values: new Float64Array(1),
};
const unknown = new Uint32Array(1);
let count = 0;
function define(labels: string[]): void {
  cols.hashLo[0] = mix(count);
  cols.hashHi[0] = mix(count ^ 0x5bd1e995);
  defineSeries(head, cols.hashLo[0] as number, cols.hashHi[0] as number, "default", labels);
  appendColumns(head, cols, unknown);
  count++;
}
for (let h = 0; h < HOSTS; h++) {
  const host = ["dc", `dc${h % 5}`, "endpoint"];
  for (let m = 0; m < METRICS; m++) {
    for (let e = 0; e < ENDPOINTS; e++) {
      for (const status of STATUS) {
        define([
          ...["__name__", `http_requests_${m}_total`, ...host, `/api/v1/resource-${e}`],
          ...["instance", `host-${h}.example.net:9100`, "job", `service-${h % 25}`, "status", status],
        ]);
      }
    }
  }
}
for (let t = 0; t < TRACES; t++) {
  define(["__name__", "sessions", "instance", `host-${t % HOSTS}.example.net:9100`, "session", `user-${mix(t)}-${t}`]);
}
console.log(`${count} series`);

const source = headSource(head);
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const m = (name: string, op: MatchOp, value: string): Matcher => ({ name, op, value });

function measure(title: string, rounds: number, matchersOf: (round: number) => Matcher[]): void {
  const times: number[] = [];
  let found = 0;
  for (let r = 0; r < rounds + 5; r++) {
    const matchers = matchersOf(r);
    const start = cpuMs();
    found = source.select("default", matchers, 0, 2e12).length;
    if (r >= 5) times.push(cpuMs() - start);
  }
  times.sort((a, b) => a - b);
  const at = (q: number) => (times[Math.floor(q * (times.length - 1))] as number).toFixed(2);
  console.log(`${title.padEnd(52)} ${String(found).padStart(7)} series  median ${at(0.5)} ms, worst tenth ${at(0.9)}`);
}

const metric = (r: number): string => `http_requests_${r % METRICS}_total`;
const endpoint = (r: number): string => `/api/v1/resource-${r % ENDPOINTS}`;
measure("name=, endpoint=, status!=  (2,000)", 100, (r) => [
  m("__name__", "=", metric(r)),
  m("endpoint", "=", endpoint(r)),
  m("status", "!=", "404"),
]);
measure('name=, endpoint=, status=~"5..|2.."', 100, (r) => [
  m("__name__", "=", metric(r)),
  m("endpoint", "=", endpoint(r)),
  m("status", "=~", "5..|2.."),
]);
measure('name=~"a|b", endpoint=, status="500"  (2 x 500)', 100, (r) => [
  m("__name__", "=~", `${metric(r)}|${metric(r + 1)}`),
  m("endpoint", "=", endpoint(r)),
  m("status", "=", "500"),
]);
measure("name=, job=, status=  (800)", 100, (r) => [
  m("__name__", "=", metric(r)),
  m("job", "=", `service-${r % 25}`),
  m("status", "=", "500"),
]);
measure('name=, dc=, instance=~"host-1.*", first time', 40, (r) => [
  m("__name__", "=", metric(r)),
  m("dc", "=", "dc1"),
  m("instance", "=~", `host-${1 + (r % 4)}${r}?.*`),
]);
measure("name=, status=, endpoint= of one host", 100, (r) => [
  m("__name__", "=", metric(r)),
  m("status", "=", "200"),
  m("instance", "=", `host-${r}.example.net:9100`),
]);
measure('session=~"user-.*-99", new pattern each time', 40, (r) => [m("session", "=~", `user-.*-${r + 100}`)]);
measure('session=~"user-1[0-9]+-.*7", new pattern each time', 40, (r) => [m("session", "=~", `user-${r}[0-9]+-.*7`)]);
measure('session=~"(?i)USER-1.*", new pattern each time', 40, (r) => [m("session", "=~", `(?i)USER-${r}.*`)]);
measure('session!~"user-[0-8].*", name="sessions"', 40, (r) => [
  m("__name__", "=", "sessions"),
  m("session", "!~", `user-[0-8].*${r}`),
]);
measure('session=~"user-.*-99", the same again', 40, () => [m("session", "=~", "user-.*-99")]);
