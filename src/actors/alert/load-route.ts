import type { Node } from "yaml";
import { parseDuration } from "../../lib/duration.ts";
import {
  field,
  readBoolean,
  readList,
  readMap,
  readOpenMap,
  readParsed,
  readString,
  report,
  type YamlEntry,
  type YamlReader,
} from "../../lib/yaml-reader.ts";
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import type { InhibitRule, Route } from "./alertmanager-config.ts";
import { formatMatchers, parseMatchers } from "./matcher-syntax.ts";

/** What a route takes from the one above it. */
export type RouteDefaults = Pick<
  Route,
  | "key"
  | "receiver"
  | "escalation"
  | "tellsReceiver"
  | "groupByAll"
  | "groupBy"
  | "groupWaitMs"
  | "groupIntervalMs"
  | "repeatIntervalMs"
>;

const ROUTE_KEYS = [
  "receiver",
  "escalation",
  "group_by",
  "continue",
  "match",
  "match_re",
  "matchers",
  "group_wait",
  "group_interval",
  "repeat_interval",
  "mute_time_intervals",
  "active_time_intervals",
  "routes",
];

type Entries = ReadonlyMap<string, YamlEntry>;

export function readRoute(
  r: YamlReader,
  node: Node | undefined,
  above: RouteDefaults,
  names: {
    readonly receivers: ReadonlySet<string>;
    readonly escalations: ReadonlySet<string>;
    readonly timeIntervals: ReadonlySet<string>;
  },
  root = false,
): Route {
  const entries = readMap(r, node, "the route", ROUTE_KEYS);
  const matchers = sortMatchers(readMatcherKeys(r, entries, ""));
  const own = field(entries, "receiver", (n) => readString(r, n, "receiver")) ?? "";
  if (own !== "" && !names.receivers.has(own)) {
    report(r, entries.get("receiver")?.value, `undefined receiver ${JSON.stringify(own)} used in route`);
  }
  if (root && node !== undefined) {
    if (own === "") report(r, node, "root route must specify a default receiver");
    for (const key of ["match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals"]) {
      const entry = entries.get(key);
      if (entry !== undefined) report(r, entry.keyNode, `root route must not have any ${key}`);
    }
    const goesOn = entries.get("continue");
    if (goesOn !== undefined && readBoolean(r, goesOn.value, "continue") === true) {
      report(r, goesOn.keyNode, "cannot have continue in root route");
    }
  }
  const escalation = field(entries, "escalation", (n) => readString(r, n, "escalation"));
  if (escalation !== undefined && !names.escalations.has(escalation)) {
    report(r, entries.get("escalation")?.value, `undefined escalation ${JSON.stringify(escalation)} used in route`);
  }
  const intervals = (key: string) => readIntervalNames(r, entries.get(key), names.timeIntervals);
  const self: RouteDefaults = {
    key: root ? "{}" : `${above.key}/${formatMatchers(matchers)}`,
    receiver: own === "" ? above.receiver : own,
    // A route that names one of the two alone is not told by the other; the root has to name a receiver.
    escalation: escalation ?? (own === "" ? above.escalation : undefined),
    tellsReceiver: escalation === undefined ? own !== "" || above.tellsReceiver : own !== "" && !root,
    ...readGroupBy(r, entries.get("group_by"), above),
    groupWaitMs: positive(r, entries, "group_wait", true) ?? above.groupWaitMs,
    groupIntervalMs: positive(r, entries, "group_interval", false) ?? above.groupIntervalMs,
    repeatIntervalMs: positive(r, entries, "repeat_interval", false) ?? above.repeatIntervalMs,
  };
  return {
    ...self,
    matchers,
    continue: field(entries, "continue", (n) => readBoolean(r, n, "continue")) ?? false,
    muteTimeIntervals: intervals("mute_time_intervals"),
    activeTimeIntervals: intervals("active_time_intervals"),
    routes: readList(r, entries.get("routes")?.value, "routes").map((n) => readRoute(r, n, self, names)),
  };
}

function positive(r: YamlReader, entries: Entries, key: string, zero: boolean): number | undefined {
  const ms = field(entries, key, (n) => readParsed(r, n, key, parseDuration));
  if (ms === 0 && !zero) {
    report(r, entries.get(key)?.value, `${key} cannot be zero`);
    return undefined;
  }
  return ms;
}

function readGroupBy(r: YamlReader, entry: YamlEntry | undefined, above: RouteDefaults) {
  if (entry === undefined) return { groupByAll: above.groupByAll, groupBy: above.groupBy };
  const nodes = readList(r, entry.value, "group_by");
  const labels = nodes.map((n) => readString(r, n, "a label name") ?? "");
  if (labels.includes("...")) {
    if (labels.length > 1)
      report(r, entry.value, "cannot have wildcard group_by (`...`) and other labels at the same time");
    return { groupByAll: true, groupBy: [] };
  }
  for (const [i, label] of labels.entries()) {
    if (label === "") report(r, nodes[i], `invalid label name ${JSON.stringify(label)} in group_by list`);
    if (labels.indexOf(label) < i) report(r, nodes[i], `duplicated label ${JSON.stringify(label)} in group_by`);
  }
  return { groupByAll: false, groupBy: labels };
}

function readIntervalNames(r: YamlReader, entry: YamlEntry | undefined, known: ReadonlySet<string>): string[] {
  return readList(r, entry?.value, entry?.key ?? "").map((n) => {
    const name = readString(r, n, "a time interval") ?? "";
    if (!known.has(name)) report(r, n, `undefined time interval ${JSON.stringify(name)} used in route`);
    return name;
  });
}

/** `match`, `match_re` and `matchers`, with a prefix in inhibit rules. */
function readMatcherKeys(r: YamlReader, entries: Entries, prefix: string): Matcher[] {
  const out: Matcher[] = [];
  for (const [key, op] of [
    ["match", "="],
    ["match_re", "=~"],
  ] as const) {
    for (const entry of readOpenMap(r, entries.get(prefix + key)?.value, prefix + key).values()) {
      const matcher: Matcher = { name: entry.key, op, value: readString(r, entry.value, entry.key) ?? "" };
      try {
        compileMatcher(matcher);
        out.push(matcher);
      } catch (error) {
        report(r, entry.value, `bad regular expression: ${(error as Error).message}`);
      }
    }
  }
  const list = entries.get(`${prefix}matchers`);
  for (const node of readList(r, list?.value, `${prefix}matchers`)) {
    out.push(...(readParsed(r, node, "matcher", parseMatchers) ?? []));
  }
  return out;
}

function sortMatchers(matchers: readonly Matcher[]): Matcher[] {
  const order = { "=": 0, "!=": 1, "=~": 2, "!~": 3 };
  const text = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...matchers].sort((a, b) => text(a.name, b.name) || text(a.value, b.value) || order[a.op] - order[b.op]);
}

const SIDES = ["match", "match_re", "matchers"];
const INHIBIT_KEYS = ["name", ...SIDES.map((k) => `source_${k}`), ...SIDES.map((k) => `target_${k}`), "equal"];

export function readInhibitRule(r: YamlReader, node: Node): InhibitRule {
  const entries = readMap(r, node, "the inhibit rule", INHIBIT_KEYS);
  return {
    source: readMatcherKeys(r, entries, "source_"),
    target: readMatcherKeys(r, entries, "target_"),
    equal: readList(r, entries.get("equal")?.value, "equal").map((n) => readString(r, n, "a label name") ?? ""),
  };
}
