/**
 * What a shard remembers of its changes, for those who keep answers: not which samples came, but from which time on.
 *
 * Invariants:
 * - a version that was told names everything that changed before; `changesSince` tells the smallest time of what changed after;
 * - what changes the past in another way than by a sample at a time (a deletion, blocks that go or are put together, damage) is a change of everything;
 * - times are joined when there are too many of them: what is told may be too early, never too late.
 */
import { randomUUID } from "node:crypto";
import type { SeriesSource } from "../../model/series-source.ts";
import type { ChangePoint, ShardChanges } from "../../model/shard.ts";
import type { ShardStorage } from "../../storage/engine/shard-storage.ts";

export interface ChangeLog {
  /** Of this life of the shard: another one may have lost or got samples. */
  readonly incarnation: string;
  version: number;
  /** The smallest time of what came since the version; Infinity: nothing did. */
  fresh: number;
  /**
   * Ascending in both: what came after the version before, up to `versions[i]`, has times from `times[i]` on. An entry whose time is not
   * before that of a later one says nothing more than that, and is left out.
   */
  readonly versions: Float64Array;
  readonly times: Float64Array;
  count: number;
}

/** Entries; the older half becomes half as fine when they are full. */
const MOST = 1024;

export function makeChangeLog(incarnation: string = randomUUID()): ChangeLog {
  return {
    incarnation,
    version: 0,
    fresh: Number.POSITIVE_INFINITY,
    versions: new Float64Array(MOST),
    times: new Float64Array(MOST),
    count: 0,
  };
}

/** Samples from this time on (Unix ms) were stored. -Infinity: anything may have changed. */
export function noteChange(log: ChangeLog, from: number): void {
  if (from < log.fresh) log.fresh = from;
}

/** Where the log stands, and the smallest time that changed since a point that was told before; without one anything may have. */
export function changesSince(log: ChangeLog, since?: ChangePoint): Omit<ShardChanges, "agedUpTo"> {
  if (log.fresh < Number.POSITIVE_INFINITY) close(log);
  const { incarnation, version } = log;
  if (since === undefined || since.incarnation !== incarnation || since.version > version) {
    return { incarnation, version, from: Number.NEGATIVE_INFINITY };
  }
  // The first entry after the point has the smallest time of all that are.
  let lo = 0;
  let hi = log.count;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if ((log.versions[mid] as number) > since.version) hi = mid;
    else lo = mid + 1;
  }
  return { incarnation, version, from: lo < log.count ? (log.times[lo] as number) : Number.POSITIVE_INFINITY };
}

function close(log: ChangeLog): void {
  const { versions, times, fresh } = log;
  while (log.count > 0 && (times[log.count - 1] as number) >= fresh) log.count--;
  if (log.count === MOST) thin(log);
  versions[log.count] = ++log.version;
  times[log.count++] = fresh;
  log.fresh = Number.POSITIVE_INFINITY;
}

/** Joins each two neighbours of the older half: the later version, the earlier time. */
function thin(log: ChangeLog): void {
  const { versions, times, count } = log;
  const old = count >> 1;
  let out = 0;
  for (let i = 0; i + 1 < old; i += 2) {
    versions[out] = versions[i + 1] as number;
    times[out++] = times[i] as number;
  }
  for (let i = old - (old & 1); i < count; i++) {
    versions[out] = versions[i] as number;
    times[out++] = times[i] as number;
  }
  log.count = out;
}

/** What a shard answers about its changes: those of its log, and of what its storage is made of. */
export function makeChanges(
  log: ChangeLog,
  storage: () => ShardStorage,
): (since: ChangePoint | undefined) => ShardChanges {
  let before: readonly unknown[] = [];
  return (since) => {
    const { blocks, state, counts, missing, source } = storage();
    const { raw, "1m": m1, "1h": h1 } = blocks.tiers;
    // These are replaced, or grow, with whatever happens to blocks, rollups and lost data.
    const now = [raw, m1, h1, state, missing.length, blocks.setAside.size, counts.cuts, counts.damagedReads];
    if (now.some((it, i) => it !== before[i])) noteChange(log, Number.NEGATIVE_INFINITY);
    before = now;
    return { ...changesSince(log, since), agedUpTo: agedUpTo(source) };
  };
}

function agedUpTo({ rollups }: SeriesSource): number {
  const all = rollups === undefined ? [] : (rollups.coverages?.() ?? [rollups.coverage()]);
  return all.reduce((most, { rawAfter }) => Math.max(most, rawAfter), Number.NEGATIVE_INFINITY);
}
