/**
 * Which blocks of a tier to merge next. Blocks begin as one a 2 h window; windows that are over are merged into larger and
 * larger aligned ranges, because a query pays for each block it touches and an index is cheaper shared. Pure: the shard asks
 * after every change of its blocks.
 */

/** What the planner knows of a block. Times are Unix ms, `end` excluded; `end` - `start` is the aligned range it was made for. */
export interface BlockInfo {
  readonly id: string;
  readonly start: number;
  readonly end: number;
  readonly bytes: number;
  /** When it was made, Unix ms. */
  readonly created: number;
}

export interface CompactionOptions {
  /** Ranges that blocks are merged to, ascending, each a multiple of the one before (ms). */
  readonly ranges: readonly number[];
  /** No window that ends after this is complete. */
  readonly completeUpTo: number;
  readonly now: number;
}

export interface CompactionPlan {
  readonly ids: readonly string[];
  readonly start: number;
  readonly end: number;
}

/** Late data is not worth a large block's rewriting at once: it waits for this many blocks, this share of its bytes, or so long. */
const LATE_BLOCKS = 4;
const LATE_SHARE = 0.1;
const LATE_AGE_MS = 6 * 3600_000;

/** The ranges from 2 h up to `largest`: each three or four times the one before, days kept whole. */
export function compactionRanges(largest: number): number[] {
  const hour = 3600_000;
  const all = [2, 8, 24, 96, 384, 1536, 6144].map((h) => h * hour);
  const fit = all.filter((r) => r <= largest);
  return fit.length === 0 ? all.slice(0, 1) : fit;
}

/** The most useful merge of blocks of one tier, smallest ranges and oldest data first; undefined when there is none. */
export function planCompaction(blocks: readonly BlockInfo[], options: CompactionOptions): CompactionPlan | undefined {
  for (const range of options.ranges) {
    const groups = new Map<number, BlockInfo[]>();
    for (const block of blocks) {
      const start = Math.floor(block.start / range) * range;
      if (block.end > start + range || start + range > options.completeUpTo) continue;
      const group = groups.get(start);
      if (group === undefined) groups.set(start, [block]);
      else group.push(block);
    }
    for (const [start, group] of [...groups].sort(([a], [b]) => a - b)) {
      for (const run of withoutOthersBetween(group, blocks, start, start + range)) {
        if (run.length > 1 && isWorthIt(run, range, options.now)) {
          return { ids: run.map((b) => b.id), start, end: start + range };
        }
      }
    }
  }
  return undefined;
}

/**
 * The group in parts such that no block that overlaps it and stays is newer than one and older than another block of a part: the
 * merged block is as new as its newest, and what wins over its oldest must win over it too.
 */
function withoutOthersBetween(
  group: readonly BlockInfo[],
  blocks: readonly BlockInfo[],
  start: number,
  end: number,
): BlockInfo[][] {
  const others = blocks.filter((b) => !group.includes(b) && b.start < end && b.end > start).map((b) => b.id);
  const parts = new Map<number, BlockInfo[]>();
  for (const block of group) {
    const before = others.filter((id) => id < block.id).length;
    const part = parts.get(before);
    if (part === undefined) parts.set(before, [block]);
    else part.push(block);
  }
  return [...parts.values()];
}

function isWorthIt(group: readonly BlockInfo[], range: number, now: number): boolean {
  const merged = group.filter((b) => b.end - b.start === range);
  // The first merge of a range.
  if (merged.length === 0) return true;
  const largest = merged.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const late = group.filter((b) => b !== largest);
  if (late.length >= LATE_BLOCKS) return true;
  if (late.reduce((sum, b) => sum + b.bytes, 0) >= LATE_SHARE * largest.bytes) return true;
  return late.some((b) => now - b.created >= LATE_AGE_MS);
}
