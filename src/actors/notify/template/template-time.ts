import type { Value } from "../../../lib/gotemplate/value.ts";
import { TEMPLATE_FUNCTIONS } from "../../rule/template-functions.ts";
import { goTime } from "../webhook-payload.ts";
import { formatGoTime, partsIn } from "./go-layout.ts";

/** A time as templates see it, with the methods of Go's time.Time that are in use. */
export interface TemplateTime {
  readonly [field: string]: unknown;
  readonly atMs: number;
}

/** Go's zero time, which an alert without an end has. */
const ZERO_MS = Date.parse("0001-01-01T00:00:00Z");

/** @param ms Unix milliseconds; 0 is Go's zero time */
export function templateTime(ms: number, zone = "UTC"): TemplateTime {
  const at = ms === 0 ? ZERO_MS : ms;
  const part = (name: "year" | "month" | "day" | "hour" | "minute" | "second") => () => BigInt(partsIn(at, zone)[name]);
  const of = (other: Value) => timeOf(other).atMs;
  return {
    atMs: at,
    toText: () => formatGoTime("2006-01-02 15:04:05.999 -0700 MST", at, zone),
    toJSON: () => (ms === 0 || zone === "UTC" ? goTime(ms) : formatGoTime("2006-01-02T15:04:05.999Z07:00", at, zone)),
    Format: (layout: Value) => formatGoTime(String(layout), at, zone),
    UTC: () => templateTime(ms),
    Local: () => templateTime(ms, Intl.DateTimeFormat().resolvedOptions().timeZone),
    Unix: () => BigInt(Math.floor(at / 1000)),
    UnixMilli: () => BigInt(at),
    UnixNano: () => BigInt(at) * 1_000_000n,
    Year: part("year"),
    Month: () => formatGoTime("January", at, zone),
    Day: part("day"),
    Hour: part("hour"),
    Minute: part("minute"),
    Second: part("second"),
    Weekday: () => formatGoTime("Monday", at, zone),
    IsZero: () => ms === 0,
    Sub: (other: Value) => goDuration((at - of(other)) / 1000),
    Before: (other: Value) => at < of(other),
    After: (other: Value) => at > of(other),
    Equal: (other: Value) => at === of(other),
  };
}

export function timeOf(v: Value): TemplateTime {
  const time = v as TemplateTime;
  if (typeof v !== "object" || v === null || typeof time.atMs !== "number") throw new Error("not a time");
  return time;
}

/** time.Duration, as Prometheus's templates have it. */
export function goDuration(seconds: number): Value {
  return TEMPLATE_FUNCTIONS.toDuration?.(seconds as never) ?? seconds;
}
