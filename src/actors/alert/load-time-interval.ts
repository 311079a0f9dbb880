import type { Node } from "yaml";
import {
  field,
  readList,
  readMap,
  readParsed,
  readString,
  report,
  type YamlEntry,
  type YamlReader,
} from "../../lib/yaml-reader.ts";
import {
  parseDaysOfMonth,
  parseMonths,
  parseTimeOfDay,
  parseWeekdays,
  parseYears,
  type Range,
  type TimeInterval,
} from "./time-interval.ts";

/** `time_intervals` and the older `mute_time_intervals`, by name. */
export function readTimeIntervals(
  r: YamlReader,
  top: ReadonlyMap<string, YamlEntry>,
): Map<string, readonly TimeInterval[]> {
  const out = new Map<string, readonly TimeInterval[]>();
  for (const key of ["mute_time_intervals", "time_intervals"]) {
    for (const node of readList(r, top.get(key)?.value, key)) {
      const entries = readMap(r, node, "the time interval", ["name", "time_intervals"]);
      const name = field(entries, "name", (n) => readString(r, n, "name")) ?? "";
      if (name === "") report(r, node, "missing name in time interval");
      if (out.has(name)) report(r, node, `time interval ${JSON.stringify(name)} is not unique`);
      const list = readList(r, entries.get("time_intervals")?.value, "time_intervals");
      out.set(
        name,
        list.map((n) => readInterval(r, n)),
      );
    }
  }
  return out;
}

function readInterval(r: YamlReader, node: Node): TimeInterval {
  const keys = ["times", "weekdays", "days_of_month", "months", "years", "location"];
  const entries = readMap(r, node, "the time interval", keys);
  const ranges = (key: string, parse: (text: string) => Range): Range[] =>
    readList(r, entries.get(key)?.value, key)
      .map((n) => readParsed(r, n, key, parse))
      .filter((x) => x !== undefined);
  const location = field(entries, "location", (n) => readString(r, n, "location")) ?? "UTC";
  return {
    times: readList(r, entries.get("times")?.value, "times").map((n) => readTimes(r, n)),
    weekdays: ranges("weekdays", parseWeekdays),
    daysOfMonth: ranges("days_of_month", parseDaysOfMonth),
    months: ranges("months", parseMonths),
    years: ranges("years", parseYears),
    location: checkLocation(r, entries.get("location")?.value, location),
  };
}

function readTimes(r: YamlReader, node: Node): Range {
  const entries = readMap(r, node, "times", ["start_time", "end_time"]);
  const at = (key: string) => field(entries, key, (n) => readParsed(r, n, key, parseTimeOfDay));
  const from = at("start_time");
  const to = at("end_time");
  if (!entries.has("start_time") || !entries.has("end_time")) {
    report(r, node, "both start and end times must be provided");
  } else if (from !== undefined && to !== undefined && from >= to) {
    report(r, node, "start time cannot be equal or greater than end time");
  }
  return { from: from ?? 0, to: to ?? 0 };
}

function checkLocation(r: YamlReader, node: Node | undefined, location: string): string {
  const zone = location === "Local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : location;
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
    return zone;
  } catch {
    report(r, node, `unknown time zone ${location}`);
    return "UTC";
  }
}
