import { INTEGER, plainOf, TYPE, type Value } from "./value.ts";

/** A time.Duration as templates see it: prints as `1h2m3.5s`, has Go's methods, and is its nanoseconds where it is compared. */
export function goDuration(ns: bigint): Value {
  const text = () => durationText(ns);
  const whole = (unit: bigint) => () => ns / unit;
  const parts = (unit: bigint) => () => Number(ns / unit) + Number(ns % unit) / Number(unit);
  return {
    [TYPE]: "time.Duration",
    [INTEGER]: ns,
    toText: text,
    toJSON: () => Number(ns),
    String: text,
    Nanoseconds: () => ns,
    Microseconds: whole(1_000n),
    Milliseconds: whole(1_000_000n),
    Seconds: parts(1_000_000_000n),
    Minutes: parts(60_000_000_000n),
    Hours: parts(3_600_000_000_000n),
    Abs: () => goDuration(ns < 0n ? -ns : ns),
    Truncate: (unit: Value) => goDuration(truncated(ns, nanosecondsOf(unit))),
    Round: (unit: Value) => goDuration(rounded(ns, nanosecondsOf(unit))),
  };
}

/** @param seconds kept to the nanosecond */
export function goDurationOf(seconds: number): Value {
  const whole = Math.trunc(seconds);
  if (!Number.isFinite(whole)) throw new Error(`${seconds} cannot be represented as a duration since it overflows`);
  return goDuration(BigInt(whole) * 1_000_000_000n + BigInt(Math.round((seconds - whole) * 1e9)));
}

/** Of a duration, or of an integer, which Go takes for one. */
export function nanosecondsOf(v: Value): bigint {
  const ns = plainOf(v);
  if (typeof ns !== "bigint") throw new Error("wrong type for value; expected time.Duration");
  return ns;
}

/** To a multiple towards zero; a unit of zero or less leaves it as it is. */
export function truncated(ns: bigint, unit: bigint): bigint {
  return unit <= 0n ? ns : ns - (ns % unit);
}

/** To the nearest multiple, halves away from zero. */
export function rounded(ns: bigint, unit: bigint): bigint {
  if (unit <= 0n) return ns;
  const rest = ns % unit;
  const abs = rest < 0n ? -rest : rest;
  if (abs + abs < unit) return ns - rest;
  return ns - rest + (ns < 0n ? -unit : unit);
}

function durationText(ns: bigint): string {
  if (ns === 0n) return "0s";
  const sign = ns < 0n ? "-" : "";
  const abs = ns < 0n ? -ns : ns;
  if (abs < 1_000n) return `${sign}${abs}ns`;
  if (abs < 1_000_000n) return `${sign}${fraction(abs, 3)}µs`;
  if (abs < 1_000_000_000n) return `${sign}${fraction(abs, 6)}ms`;
  const seconds = abs / 1_000_000_000n;
  const s = `${fraction(abs % 60_000_000_000n, 9)}s`;
  const [h, m] = [seconds / 3600n, (seconds / 60n) % 60n];
  return sign + (h > 0n ? `${h}h${m}m${s}` : m > 0n ? `${m}m${s}` : s);
}

/** `value` divided by ten to the power of `digits`, without zeros at the end. */
function fraction(value: bigint, digits: number): string {
  const text = String(value).padStart(digits + 1, "0");
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`.replace(/\.?0+$/, "");
}
