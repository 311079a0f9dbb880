import type { Unit } from "./unit.ts";

/** Values are divided by `divisor` and told with `suffix`: 1536 as 1.5 KiB. */
export interface Scale {
  readonly divisor: number;
  readonly suffix: string;
}

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface Axis {
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly Tick[];
}

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const LARGE = ["", "k", "M", "G", "T", "P", "E"];
const SMALL = ["", "m", "µ", "n"];
const LONG: readonly (readonly [from: number, divisor: number, suffix: string])[] = [
  [172_800, 86_400, "d"],
  [7200, 3600, "h"],
  [600, 60, "min"],
];

/** The prefix that suits a value, the largest of those that are told together. */
export function scaleFor(largest: number, unit: Unit): Scale {
  const v = Math.abs(largest);
  const per = unit.perSecond && unit.base !== "seconds" ? "/s" : "";
  if (unit.base === "bytes") {
    const k = Math.min(BINARY.length - 1, v < 1024 ? 0 : Math.floor(Math.log2(v) / 10));
    return { divisor: 1024 ** k, suffix: ` ${BINARY[k]}${per}` };
  }
  if (unit.base === "seconds" && !unit.perSecond) {
    const long = LONG.find(([from]) => v >= from);
    if (long !== undefined) return { divisor: long[1], suffix: ` ${long[2]}` };
    const k = v >= 1 || v === 0 ? 0 : Math.min(SMALL.length - 1, Math.ceil(-Math.log10(v) / 3));
    return { divisor: 1000 ** -k, suffix: ` ${SMALL[k]}s` };
  }
  if (v >= 1000) return scaleOf(Math.floor(Math.log10(v) / 3), LARGE, per);
  // Thousandths are read more easily as they are.
  if (v >= 0.001 || v === 0) return { divisor: 1, suffix: per === "" ? "" : ` ${per}` };
  const k = Math.ceil(-Math.log10(v) / 3);
  if (k < SMALL.length) return { divisor: 1000 ** -k, suffix: ` ${SMALL[k]}${per}` };
  return { divisor: 10 ** Math.max(-300, -3 * k), suffix: `e${Math.max(-300, -3 * k)}${per === "" ? "" : ` ${per}`}` };
}

function scaleOf(k: number, prefixes: readonly string[], per: string): Scale {
  if (k < prefixes.length) return { divisor: 1000 ** k, suffix: ` ${prefixes[k]}${per}` };
  return { divisor: 10 ** (3 * k), suffix: `e${3 * k}${per === "" ? "" : ` ${per}`}` };
}

/** A value with its unit to four digits: `1.5 KiB/s`. */
export function formatQuantity(v: number, unit: Unit): string {
  if (!Number.isFinite(v)) return Number.isNaN(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";
  const { divisor, suffix } = scaleFor(v, unit);
  if (suffix.startsWith("e")) return `${v.toExponential(3).replace(/\.?0+e/, "e")}${unit.perSecond ? " /s" : ""}`;
  return `${Number((v / divisor).toPrecision(4))}${suffix}`;
}

/**
 * An axis from at most `min` to at least `max` that begins and ends at a tick. It begins at 0 where the values do not lie close
 * together.
 */
export function valueAxis(min: number, max: number, rows: number, unit: Unit): Axis {
  // Differences of the very largest values would overflow.
  let lo = within(min);
  let hi = within(max);
  const largest = Math.max(Math.abs(lo), Math.abs(hi));
  const isConstant = hi - lo <= largest * 1e-9;
  if (lo > 0 && (isConstant || lo < 0.6 * hi)) lo = 0;
  if (hi < 0 && (isConstant || hi > 0.6 * lo)) hi = 0;
  if (hi === lo) hi = 1;
  const { divisor, suffix } = scaleFor(Math.max(Math.abs(lo), Math.abs(hi)), unit);
  const step = stepOf(lo / divisor, hi / divisor, rows);
  const first = Math.floor(lo / divisor / step);
  const last = Math.max(first + 1, Math.ceil(hi / divisor / step));
  const digits = Math.min(20, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => {
    const scaled = (first + i) * step;
    return { at: scaled * divisor, label: `${(scaled === 0 ? 0 : scaled).toFixed(digits)}${suffix}` };
  });
  return { min: ticks[0]?.at ?? 0, max: ticks.at(-1)?.at ?? 1, ticks };
}

/** Kept away from where sums overflow, and from where quotients vanish. */
function within(v: number): number {
  if (Math.abs(v) < 1e-290) return 0;
  return Math.max(-Number.MAX_VALUE / 8, Math.min(v, Number.MAX_VALUE / 8));
}

/** The distance of ticks: of those with two to four rows a tick the one that leaves the least of the chart empty, the closest of such. */
function stepOf(lo: number, hi: number, rows: number): number {
  let best = Number.POSITIVE_INFINITY;
  let least = Number.POSITIVE_INFINITY;
  const most = Math.max(1, Math.min(8, Math.floor(rows / 2.4)));
  for (let n = Math.max(1, Math.min(most, Math.floor(rows / 4))); n <= most; n++) {
    const step = niceStep((hi - lo) / n);
    const span = (Math.ceil(hi / step) - Math.floor(lo / step)) * step;
    if (Math.ceil(hi / step) - Math.floor(lo / step) <= most + 1 && span < least * (1 + 1e-9))
      [best, least] = [step, span];
  }
  return Number.isFinite(best) ? best : niceStep(hi - lo);
}

/** 1, 2 or 5 times a power of ten, at least as large. */
function niceStep(least: number): number {
  const power = 10 ** Math.max(-300, Math.floor(Math.log10(least)));
  return power * ([1, 2, 5, 10].find((n) => n * power >= least * (1 - 1e-9)) ?? 10);
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIME_STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 30, 90, 365].map((n) => n * DAY),
];

/** Round times (Unix ms, UTC) between two, at most as many as have room in so many columns. */
export function timeTicks(start: number, end: number, columns: number): Tick[] {
  const span = end - start;
  if (span <= 0) return [{ at: start, label: timeLabel(start, SECOND, span) }];
  const step =
    TIME_STEPS.find((s) => (span / s) * (timeLabel(start, s, span).length + 3) <= columns) ??
    Math.ceil((span * 14) / columns / (365 * DAY)) * 365 * DAY;
  const ticks: Tick[] = [];
  for (let t = Math.ceil(start / step) * step; t <= end; t += step)
    ticks.push({ at: t, label: timeLabel(t, step, span) });
  return ticks;
}

function timeLabel(t: number, step: number, span: number): string {
  const date = new Date(t);
  const iso = Number.isNaN(date.getTime()) ? "----------T--:--:--.---" : date.toISOString();
  if (step >= 365 * DAY || span >= 2 * 365 * DAY) return iso.slice(0, 10);
  if (step >= DAY) return iso.slice(5, 10);
  if (span > DAY) return `${iso.slice(5, 10)} ${iso.slice(11, 16)}`;
  if (step >= MINUTE) return iso.slice(11, 16);
  return step >= SECOND ? iso.slice(11, 19) : iso.slice(14, 23);
}
