/** The million series of the label index's benchmark, and the selectors that it asks for. */
import type { Labels } from "../../src/model/labels.ts";
import type { Matcher, MatchOp } from "../../src/model/matcher.ts";
import type { SeriesSource } from "../../src/model/series-source.ts";

const HOSTS = Number(process.env.BENCH_HOSTS ?? 500);
const METRICS = 10;
const ENDPOINTS = 40;
const STATUS = ["200", "301", "404", "500", "503"];
const SESSIONS = 100_000;
export const TENANT = "default";
export const START = 1_699_999_200_000;
export const WINDOW_MS = 7_200_000;

export interface Select {
  readonly title: string;
  readonly matchers: (round: number) => Matcher[];
}

const m = (name: string, op: MatchOp, value: string): Matcher => ({ name, op, value });
const metric = (r: number): string => `http_requests_${r % METRICS}_total`;
const endpoint = (r: number): string => `/api/v1/resource-${r % ENDPOINTS}`;

export const SELECTS: readonly Select[] = [
  {
    title: "name=, endpoint=, status!=",
    matchers: (r) => [m("__name__", "=", metric(r)), m("endpoint", "=", endpoint(r)), m("status", "!=", "404")],
  },
  {
    title: 'name=, endpoint=, status=~"5..|2.."',
    matchers: (r) => [m("__name__", "=", metric(r)), m("endpoint", "=", endpoint(r)), m("status", "=~", "5..|2..")],
  },
  {
    title: 'name=, dc=, instance=~"host-1.*"',
    matchers: (r) => [
      m("__name__", "=", metric(r)),
      m("dc", "=", "dc1"),
      m("instance", "=~", `host-${1 + (r % 4)}${r}?.*`),
    ],
  },
  {
    title: "name=, status=, instance=",
    matchers: (r) => [
      m("__name__", "=", metric(r)),
      m("status", "=", "200"),
      m("instance", "=", `host-${r}.example.net:9100`),
    ],
  },
  { title: 'session=~"user-.*-99", 100,000 values', matchers: (r) => [m("session", "=~", `user-.*-${r + 100}`)] },
  { title: 'session=~"user-1[0-9]+-.*7"', matchers: (r) => [m("session", "=~", `user-${r}[0-9]+-.*7`)] },
  { title: 'session=~"(?i)USER-1.*"', matchers: (r) => [m("session", "=~", `(?i)USER-${r}.*`)] },
  { title: 'session=~".*7.*", the same again', matchers: () => [m("session", "=~", ".*7.*")] },
];

/** How many series it finds. */
export function ask(source: SeriesSource, select: Select, round: number): number {
  return source.select(TENANT, select.matchers(round), START, START + WINDOW_MS).length;
}

export function fleet(): Labels[] {
  const all: Labels[] = [];
  for (let h = 0; h < HOSTS; h++) {
    const instance = `host-${h}.example.net:9100`;
    for (let k = 0; k < METRICS * ENDPOINTS * STATUS.length; k++) {
      all.push([
        ...["__name__", metric(k), "dc", `dc${h % 5}`, "endpoint", endpoint(Math.floor(k / METRICS))],
        ...["instance", instance, "job", `service-${h % 25}`],
        ...["status", STATUS[Math.floor(k / METRICS / ENDPOINTS)] as string],
      ]);
    }
  }
  for (let s = 0; s < SESSIONS; s++) {
    const session = `user-${Math.imul(s, 0x9e3779b1) >>> 0}-${s}`;
    all.push(["__name__", "sessions", "instance", `host-${s % HOSTS}.example.net:9100`, "session", session]);
  }
  return all;
}
