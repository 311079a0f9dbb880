import { goDuration, nanosecondsOf, rounded, truncated } from "./go-duration.ts";
import { formatGoTime, offsetOf, partsIn } from "./go-layout.ts";
import { type GoObject, INTEGER, plainOf, TYPE, type Value } from "./value.ts";

/** A time as templates see it, with the methods of Go's time.Time. Kept to the millisecond. */
export interface TemplateTime extends GoObject {
  readonly atMs: number;
}

/** Go's zero time, which an alert without an end has. */
const ZERO_MS = Date.parse("0001-01-01T00:00:00Z");
const MS = 1_000_000n;

/** Go's zero time: what an alert that fires ends at. */
export function zeroTime(): TemplateTime {
  return templateTime(ZERO_MS);
}

/** @param at Unix milliseconds */
export function templateTime(at: number, zone = "UTC"): TemplateTime {
  if (!(Math.abs(at) <= 8.64e15))
    throw new Error(`${at / 1000} cannot be represented as a timestamp since it overflows`);
  const format = (layout: string) => formatGoTime(layout, at, zone);
  const part = (name: "year" | "day" | "hour" | "minute" | "second") => () => BigInt(partsIn(at, zone)[name]);
  const of = (other: Value) => timeOf(other).atMs;
  const text = () => format("2006-01-02 15:04:05.999 -0700 MST");
  const moved = (ns: bigint) => templateTime(at + Number(ns / MS), zone);
  // Go counts multiples from the zero time.
  const since = () => BigInt(at - ZERO_MS) * MS;
  return {
    [TYPE]: "time.Time",
    atMs: at,
    toText: text,
    String: text,
    toJSON: () => format("2006-01-02T15:04:05.999Z07:00"),
    Format: (layout: Value) => format(String(layout)),
    UTC: () => templateTime(at),
    Local: () => templateTime(at, Intl.DateTimeFormat().resolvedOptions().timeZone),
    Location: () => zone,
    Unix: () => BigInt(Math.floor(at / 1000)),
    UnixMilli: () => BigInt(at),
    UnixMicro: () => BigInt(at) * 1000n,
    UnixNano: () => BigInt(at) * MS,
    Year: part("year"),
    Month: () => named("time.Month", format("January"), partsIn(at, zone).month),
    Day: part("day"),
    Hour: part("hour"),
    Minute: part("minute"),
    Second: part("second"),
    Nanosecond: () => BigInt(partsIn(at, zone).millisecond) * MS,
    YearDay: () => BigInt(format("002")),
    Weekday: () => named("time.Weekday", format("Monday"), new Date(at + offsetMs(at, zone)).getUTCDay()),
    IsZero: () => at === ZERO_MS,
    Sub: (other: Value) => goDuration(BigInt(at - of(other)) * MS),
    Add: (duration: Value) => moved(nanosecondsOf(duration)),
    AddDate: (years: Value, months: Value, days: Value) => {
      const local = new Date(at + offsetMs(at, zone));
      local.setUTCFullYear(
        local.getUTCFullYear() + integer(years),
        local.getUTCMonth() + integer(months),
        local.getUTCDate() + integer(days),
      );
      const shown = local.getTime();
      return templateTime(shown - offsetMs(shown - offsetMs(shown, zone), zone), zone);
    },
    Truncate: (unit: Value) => moved(truncated(since(), nanosecondsOf(unit)) - since()),
    Round: (unit: Value) => moved(rounded(since(), nanosecondsOf(unit)) - since()),
    Before: (other: Value) => at < of(other),
    After: (other: Value) => at > of(other),
    Equal: (other: Value) => at === of(other),
    Compare: (other: Value) => BigInt(Math.sign(at - of(other))),
  };
}

export function timeOf(v: Value): TemplateTime {
  const time = v as TemplateTime;
  if (typeof v !== "object" || v === null || typeof time.atMs !== "number") throw new Error("not a time");
  return time;
}

function offsetMs(at: number, zone: string): number {
  return zone === "UTC" ? 0 : offsetOf(at, zone) * 60_000;
}

function named(type: string, text: string, number: number): Value {
  return { [TYPE]: type, [INTEGER]: BigInt(number), toText: () => text, toJSON: () => number, String: () => text };
}

function integer(v: Value): number {
  const n = plainOf(v);
  if (typeof n !== "bigint") throw new Error("wrong type for value; expected int");
  return Number(n);
}
