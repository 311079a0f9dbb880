/**
 * Alertmanager's time intervals: when a route is muted or active. An interval holds at a time when each of its fields that
 * is given holds; ranges are inclusive but for the end of the time of day.
 */
export interface TimeInterval {
  /** Minutes of the day, end exclusive. */
  readonly times: readonly Range[];
  /** 0 = Sunday. */
  readonly weekdays: readonly Range[];
  /** 1..31, or -31..-1 from the end of the month. */
  readonly daysOfMonth: readonly Range[];
  /** 1..12. */
  readonly months: readonly Range[];
  readonly years: readonly Range[];
  /** IANA name. */
  readonly location: string;
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

interface LocalTime {
  readonly minute: number;
  readonly weekday: number;
  readonly day: number;
  readonly month: number;
  readonly year: number;
}

export function containsTime(interval: TimeInterval, now: number): boolean {
  const t = localTime(now, interval.location);
  if (interval.times.length > 0 && !interval.times.some((r) => t.minute >= r.from && t.minute < r.to)) return false;
  if (!holds(interval.weekdays, t.weekday) || !holds(interval.months, t.month) || !holds(interval.years, t.year)) {
    return false;
  }
  if (interval.daysOfMonth.length === 0) return true;
  const last = new Date(Date.UTC(t.year, t.month, 0)).getUTCDate();
  return interval.daysOfMonth.some((r) => {
    // A month that is too short for the range's begin has no such day; its end is clipped.
    const from = r.from < 0 ? last + r.from + 1 : r.from;
    const to = r.to < 0 ? last + r.to + 1 : r.to;
    return t.day >= Math.max(1, from) && t.day <= Math.min(last, to);
  });
}

function holds(ranges: readonly Range[], value: number): boolean {
  return ranges.length === 0 || ranges.some((r) => value >= r.from && value <= r.to);
}

const formats = new Map<string, Intl.DateTimeFormat>();
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

function localTime(now: number, location: string): LocalTime {
  let format = formats.get(location);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: location,
      hourCycle: "h23",
      weekday: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
    });
    formats.set(location, format);
  }
  const parts = new Map(format.formatToParts(now).map((p) => [p.type, p.value]));
  const number = (type: Intl.DateTimeFormatPartTypes) => Number(parts.get(type));
  return {
    minute: number("hour") * 60 + number("minute"),
    weekday: WEEKDAYS.indexOf(parts.get("weekday") ?? ""),
    day: number("day"),
    month: number("month"),
    year: number("year"),
  };
}

const WEEKDAY_NAMES = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTH_NAMES = [
  "january",
  "february",
  "march",
  "april",
  "may",
  "june",
  "july",
  "august",
  "september",
  "october",
  "november",
  "december",
];

export const parseWeekdays = (text: string): Range =>
  parseRange(text, "weekday", (part) => WEEKDAY_NAMES.indexOf(part.toLowerCase()), 0, 6);

export const parseMonths = (text: string): Range =>
  parseRange(
    text,
    "month",
    (part) => (/^\d+$/.test(part) ? Number(part) : MONTH_NAMES.indexOf(part.toLowerCase()) + 1),
    1,
    12,
  );

export const parseYears = (text: string): Range => parseRange(text, "year", Number, 0, 9999);

/** `1:5`, `-3:-1`, `15`. Throws an Error that says what is wrong. */
export function parseDaysOfMonth(text: string): Range {
  const parts = text.split(":").map((p) => Number(p.trim()));
  const [from, to = from] = parts;
  if (from === undefined || to === undefined || parts.length > 2 || parts.some((p) => !Number.isInteger(p))) {
    throw new Error(`${JSON.stringify(text)} is no day of the month or range of them`);
  }
  for (const day of [from, to]) {
    if (day === 0 || day < -31 || day > 31) throw new Error(`${day} is not a valid day of the month: out of range`);
  }
  if (from < 0 && to > 0) throw new Error("end day must be negative if start day is negative");
  // Compared in the longest month; a start from the end may lie before a positive end in any month.
  if ((from < 0 ? 32 + from : from) > (to < 0 ? 32 + to : to)) {
    throw new Error(`end day ${to} is always before start day ${from}`);
  }
  return { from, to };
}

/** Minutes of `HH:MM`, 24:00 included. */
export function parseTimeOfDay(text: string): number {
  const m = /^(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))$/.exec(text);
  if (m === null) throw new Error(`couldn't parse timestamp ${text}, invalid format`);
  return Number(m[1] ?? m[3]) * 60 + Number(m[2] ?? m[4]);
}

function parseRange(text: string, what: string, parse: (part: string) => number, min: number, max: number): Range {
  const parts = text.split(":").map((p) => p.trim());
  if (parts.length > 2) throw new Error(`${JSON.stringify(text)} is no ${what} or range of them`);
  const [from, to] = [parts[0] ?? "", parts.at(-1) ?? ""].map((part) => {
    const value = parse(part);
    if (part === "" || !Number.isInteger(value) || value < min || value > max) {
      throw new Error(`${part} is not a valid ${what}`);
    }
    return value;
  }) as [number, number];
  if (from > to) throw new Error(`the end of ${JSON.stringify(text)} is before its start`);
  return { from, to };
}
