import { DurationError, formatDuration, parseDuration } from "../../lib/duration.ts";

/** What was typed is wrong; the exit code is 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/**
 * A time on the command line as Unix milliseconds: `now`, a distance from it (`-1h`, `now-1h30m`, `+5m`), Unix seconds, or
 * RFC 3339, where the time of day, its seconds and the zone (UTC) may be left out. Throws `UsageError`.
 */
export function parseWhen(text: string, option: string, now: number): number {
  const trimmed = text.trim();
  const relative = /^(?:now)?([+-])(.+)$/.exec(trimmed);
  if (trimmed === "now") return now;
  if (relative !== null) {
    // `-5` alone would be a Unix time in 1969 as well: neither is likely meant, so that a unit is asked for.
    const ms = durationOf(relative[2] as string, option);
    return relative[1] === "-" ? now - ms : now + ms;
  }
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  const date = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?)?(Z|[+-]\d\d:\d\d)?$/.exec(trimmed);
  if (date !== null) {
    const ms = Date.parse(`${date[1]}T${date[2] ?? "00:00"}${date[3] ?? ":00"}${date[4] ?? "Z"}`);
    if (!Number.isNaN(ms)) return ms;
  }
  throw new UsageError(
    `${option}: ${JSON.stringify(text)} is no time; write -1h, now-30m, 2026-11-22T10:00:00Z or Unix seconds`,
  );
}

/** A duration as milliseconds: `30s`, `1h30m`, or a number of seconds. Throws `UsageError`. */
export function parseSpan(text: string, option: string): number {
  const ms = /^\d+(\.\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : durationOf(text, option);
  if (ms <= 0) throw new UsageError(`${option}: must be more than 0`);
  return ms;
}

function durationOf(text: string, option: string): number {
  try {
    return parseDuration(text);
  } catch (e) {
    if (!(e instanceof DurationError)) throw e;
    throw new UsageError(`${option}: ${e.message}; write 30s, 5m or 1h30m`);
  }
}

const STEPS_MS = [
  ...[1, 2, 5, 10, 15, 20, 30].map((s) => s * 1000),
  ...[1, 2, 5, 10, 15, 20, 30].map((m) => m * 60_000),
  ...[1, 2, 3, 6, 12].map((h) => h * 3_600_000),
];

/** A round step that gives a range some 240 points. */
export function stepFor(spanMs: number): number {
  const least = spanMs / 240;
  return STEPS_MS.find((step) => step >= least) ?? Math.ceil(least / 86_400_000) * 86_400_000;
}

/** A stretch of time in words, not finer than it is long: `1h`, `2d3h`. */
export function formatSpan(ms: number): string {
  const unit = ms >= 86_400_000 ? 3_600_000 : ms >= 3_600_000 ? 60_000 : ms >= 60_000 ? 1000 : 1;
  return formatDuration(Math.round(ms / unit) * unit);
}
