import { formatFloatG } from "../../lib/float-format.ts";

/**
 * Counts of classic buckets that had to be made to ascend, over all samples of which the same is said: Prometheus tells of them
 * in one note, with what they span.
 */
export interface ForcedMonotonicity {
  /** Milliseconds. */
  minT: number;
  maxT: number;
  /** Upper bounds of the buckets that were changed. */
  minBucket: number;
  maxBucket: number;
  /** The most that a count was raised by. */
  maxDiff: number;
  samples: number;
}

/** Takes what one says into another that says the same. */
export function widen(into: ForcedMonotonicity, other: ForcedMonotonicity): void {
  into.minT = Math.min(into.minT, other.minT);
  into.maxT = Math.max(into.maxT, other.maxT);
  into.minBucket = Math.min(into.minBucket, other.minBucket);
  into.maxBucket = Math.max(into.maxBucket, other.maxBucket);
  into.maxDiff = Math.max(into.maxDiff, other.maxDiff);
  into.samples += other.samples;
}

/** What is told after the note's text. */
export function spanText({ minT, maxT, minBucket, maxBucket, maxDiff, samples }: ForcedMonotonicity): string {
  const buckets = `, from buckets ${formatFloatG(minBucket)} to ${formatFloatG(maxBucket)}`;
  const over = `, over ${samples} samples from ${rfc3339(minT)} to ${rfc3339(maxT)}`;
  return `${buckets}, with a max diff of ${formatTwoDigits(maxDiff)}${over}`;
}

/** The time in UTC, fractions of the second cut off; beyond what a date can be, the seconds as they are. */
function rfc3339(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace(".000Z", "Z");
}

/** Go's `%.2g` of a positive number: two significant digits, ties to even, an exponent below 1e-4 and from 1e2 on. */
export function formatTwoDigits(v: number): string {
  if (!Number.isFinite(v) || v === 0) return formatFloatG(v);
  const [mantissa, power] = v.toExponential(99).split("e") as [string, string];
  const digits = mantissa.replace(".", "");
  const half = `5${"0".repeat(digits.length - 3)}`;
  let two = Number(digits.slice(0, 2));
  let exponent = Number(power);
  const rest = digits.slice(2);
  if (rest > half || (rest === half && two % 2 === 1)) two++;
  if (two === 100) {
    two = 10;
    exponent++;
  }
  const whole = Math.floor(two / 10);
  const tenth = two % 10;
  if (exponent >= -4 && exponent < 2) return formatFloatG(Number(`${two}e${exponent - 1}`));
  const sign = exponent < 0 ? "-" : "+";
  return `${whole}${tenth === 0 ? "" : `.${tenth}`}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
