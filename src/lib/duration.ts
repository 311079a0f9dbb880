import { goQuote } from "./go-quote.ts";

/** A duration text that cannot be read; the message has Prometheus's wording. */
export class DurationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DurationError";
  }
}

/** Units from the largest to the smallest: the order in which they must be written. */
const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ["y", 365 * 86_400_000],
  ["w", 7 * 86_400_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** The longest duration (Go's int64 nanoseconds), in whole milliseconds: about 292 years. */
export const MAX_DURATION_MS = 9_223_372_036_854;

/**
 * Milliseconds of a duration in Prometheus's notation: `5m`, `1h30m`, `1d`, `250ms`, `0`. Units come at most once each
 * and from the largest to the smallest; there are no fractions and no sign. Throws `DurationError`.
 */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  if (text === "") throw new DurationError("empty duration string");
  let total = 0;
  let last = -1;
  let rest = text;
  while (rest !== "") {
    const part = /^([0-9]+)([^0-9]+)/.exec(rest);
    if (part === null) throw notValid(text);
    const unit = part[2] as string;
    const index = UNITS.findIndex((u) => u[0] === unit);
    if (index < 0) throw new DurationError(`unknown unit ${goQuote(unit)} in duration ${goQuote(text)}`);
    if (index <= last) throw notValid(text);
    last = index;
    const count = Number(part[1]);
    if (count >= 2 ** 64) throw notValid(text);
    total += count * (UNITS[index] as readonly [string, number])[1];
    if (total > MAX_DURATION_MS) throw new DurationError("duration out of range");
    rest = rest.slice(part[0].length);
  }
  return total;
}

/**
 * The shortest notation of whole milliseconds that Prometheus prints: years and weeks only when they divide the whole
 * value, otherwise days and smaller. 0 is `0s`. A negative value gets a leading `-`.
 */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  let out = ms < 0 ? "-" : "";
  let rest = Math.abs(Math.trunc(ms));
  for (const [name, size] of UNITS) {
    if ((name === "y" || name === "w") && rest % size !== 0) continue;
    const count = Math.floor(rest / size);
    if (count > 0) out += `${count}${name}`;
    rest -= count * size;
  }
  return out;
}

function notValid(text: string): DurationError {
  return new DurationError(`not a valid duration string: ${goQuote(text)}`);
}
