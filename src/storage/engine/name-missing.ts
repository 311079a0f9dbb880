/** How data that cannot be read is named to people: what, of which shard, and of which time. */
import type { MissingData } from "./block-set.ts";

/** The largest time that a Date can be, Unix ms. */
const LAST_DATE = 8.64e15;

/** "what (shard 0, 2026-11-22T00:00:00.000Z to 2026-11-22T02:00:00.000Z)"; a bound that is not known is left out. */
export function nameMissing({ what, minT, maxT }: MissingData, shard: string): string {
  const from = Number.isFinite(minT) ? timeText(minT) : undefined;
  const to = Number.isFinite(maxT) ? timeText(maxT) : undefined;
  if (from === undefined && to === undefined) return `${what} (shard ${shard}, of an unknown time)`;
  if (from === undefined) return `${what} (shard ${shard}, up to ${to})`;
  if (to === undefined) return `${what} (shard ${shard}, from ${from} on)`;
  return `${what} (shard ${shard}, ${from} to ${to})`;
}

/** Samples may lie at times for which there is no date. */
export function timeText(t: number): string {
  return Math.abs(t) <= LAST_DATE ? new Date(t).toISOString() : `${t} ms`;
}
