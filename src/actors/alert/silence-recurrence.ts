import {
  parseDaysOfMonth,
  parseMonths,
  parseTimeOfDay,
  parseWeekdays,
  parseYears,
  type Range,
  type TimeInterval,
} from "./time-interval.ts";

/**
 * When a silence recurs, as JSON: a list of intervals with the keys and words of Alertmanager's `time_intervals`, or one alone:
 * `{"weekdays":["monday:friday"],"times":[{"start_time":"22:00","end_time":"24:00"}],"location":"Europe/Berlin"}`.
 * Throws an Error that says what is wrong. [] for null: always.
 */
export function parseRecurrence(json: unknown): TimeInterval[] {
  if (json === null || json === undefined) return [];
  return (Array.isArray(json) ? json : [json]).map(parseInterval);
}

const KEYS: ReadonlySet<string> = new Set(["times", "weekdays", "days_of_month", "months", "years", "location"]);

function parseInterval(json: unknown): TimeInterval {
  const fields = objectOf(json, "recurrence");
  for (const key of Object.keys(fields)) if (!KEYS.has(key)) throw new Error(`recurrence has no field ${key}`);
  const ranges = (key: string, parse: (text: string) => Range) =>
    listOf(fields[key], key).map((x) => parse(textOf(x, key)));
  return {
    times: listOf(fields.times, "times").map(parseTimes),
    weekdays: ranges("weekdays", parseWeekdays),
    daysOfMonth: ranges("days_of_month", parseDaysOfMonth),
    months: ranges("months", parseMonths),
    years: ranges("years", parseYears),
    location: parseLocation(fields.location),
  };
}

function parseTimes(json: unknown): Range {
  const fields = objectOf(json, "times");
  const at = (key: string) => parseTimeOfDay(textOf(fields[key], key));
  const range = { from: at("start_time"), to: at("end_time") };
  if (range.from >= range.to) throw new Error("start time cannot be equal or greater than end time");
  return range;
}

function parseLocation(json: unknown): string {
  if (json === undefined) return "UTC";
  const location = textOf(json, "location");
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: location });
    return location;
  } catch {
    throw new Error(`unknown time zone ${location}`);
  }
}

function objectOf(json: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw new Error(`${what} must be an object`);
  return json as Readonly<Record<string, unknown>>;
}

function listOf(json: unknown, what: string): readonly unknown[] {
  if (json === undefined || json === null) return [];
  if (!Array.isArray(json)) throw new Error(`${what} must be a list`);
  return json;
}

function textOf(json: unknown, what: string): string {
  if (typeof json === "string") return json;
  if (typeof json === "number") return String(json);
  throw new Error(`${what} must be a string`);
}

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** The other way round; fields that say nothing are left out. */
export function formatRecurrence(intervals: readonly TimeInterval[]): unknown {
  return intervals.map((i) => ({
    ...(i.times.length > 0
      ? { times: i.times.map((r) => ({ start_time: timeOfDay(r.from), end_time: timeOfDay(r.to) })) }
      : {}),
    ...range("weekdays", i.weekdays, (day) => WEEKDAYS[day] as string),
    ...range("days_of_month", i.daysOfMonth, String),
    ...range("months", i.months, String),
    ...range("years", i.years, String),
    location: i.location,
  }));
}

function range(key: string, ranges: readonly Range[], word: (value: number) => string): Record<string, unknown> {
  if (ranges.length === 0) return {};
  return { [key]: ranges.map((r) => (r.from === r.to ? word(r.from) : `${word(r.from)}:${word(r.to)}`)) };
}

const timeOfDay = (minutes: number) =>
  `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
