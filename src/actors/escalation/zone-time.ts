/**
 * Wall-clock times in time zones. A local time is a number too: the Unix ms that the same clock reading has in UTC, so that
 * days and weeks of the calendar are plain sums on it.
 */
const formats = new Map<string, Intl.DateTimeFormat>();

/** True when the name is a time zone that is known here (IANA). */
export function isZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}

/** What the clocks of the zone show at `t` (Unix ms), as a local time. */
export function toLocal(zone: string, t: number): number {
  const parts = formatOf(zone).formatToParts(t);
  const number = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((p) => p.type === type)?.value);
  const date = Date.UTC(number("year"), number("month") - 1, number("day"));
  const seconds = number("hour") * 3600 + number("minute") * 60 + number("second");
  return date + seconds * 1000 + (((t % 1000) + 1000) % 1000);
}

/**
 * The Unix ms at which the clocks of the zone show `local`: the first time where they show it twice; where they skip it,
 * the moment at which they are put forward. So it never runs backwards as `local` grows.
 */
export function fromLocal(zone: string, local: number): number {
  // The offsets around it; a zone does not change twice within two days.
  const before = toLocal(zone, local - DAY_MS) - (local - DAY_MS);
  const after = toLocal(zone, local + DAY_MS) - (local + DAY_MS);
  const early = local - before;
  if (before === after || toLocal(zone, early) === local) return early;
  const late = local - after;
  if (toLocal(zone, late) === local) return late;
  // Between the two lies the moment from which on they show a later time.
  let [low, high] = [late, early];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (toLocal(zone, middle) > local) high = middle;
    else low = middle;
  }
  return high;
}

export const DAY_MS = 86_400_000;

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  return format;
}
