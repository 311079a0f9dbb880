/** Parts of a UTC date from Unix seconds (fractions cut off). Not a finite number: NaN. */
const DAY = 86_400;

/** Whole days since the epoch. */
function days(seconds: number): number {
  return Math.floor(Math.trunc(seconds) / DAY);
}

function date(seconds: number): Date {
  return new Date(days(seconds) * DAY * 1000);
}

export function dayOfWeek(seconds: number): number {
  return (((days(seconds) + 4) % 7) + 7) % 7;
}

export function dayOfMonth(seconds: number): number {
  return date(seconds).getUTCDate();
}

export function month(seconds: number): number {
  return date(seconds).getUTCMonth() + 1;
}

export function year(seconds: number): number {
  return date(seconds).getUTCFullYear();
}

export function dayOfYear(seconds: number): number {
  const d = date(seconds);
  const first = new Date(0);
  first.setUTCFullYear(d.getUTCFullYear(), 0, 1);
  return Math.round((d.getTime() - first.getTime()) / (DAY * 1000)) + 1;
}

export function daysInMonth(seconds: number): number {
  const d = date(seconds);
  const last = new Date(0);
  last.setUTCFullYear(d.getUTCFullYear(), d.getUTCMonth() + 1, 0);
  return last.getUTCDate();
}
