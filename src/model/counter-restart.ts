/**
 * Whether a sample's start timestamp says that the counter began anew after the sample before it. A start time equal to the
 * previous sample's time is a restart only when that sample has a valid start time itself (a delta series); otherwise the
 * start is merely unknown. All are Unix ms; a start of 0 is unknown.
 */
export function restarted(start: number, t: number, previousStart: number, previousT: number): boolean {
  if (start === 0 || start >= t || start < previousT) return false;
  return start > previousT || (previousStart !== 0 && previousStart < previousT);
}
