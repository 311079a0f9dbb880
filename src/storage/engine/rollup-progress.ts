/**
 * Which stretches of time are rolled up. The unit is a window (w, w + 2 h]; a window is rolled up once all of its samples lie in
 * blocks, and again when a block with more of them appears. Pure; the shard keeps the state in a small file beside its
 * blocks, written after the blocks that it speaks of, so that a crash at most does a window twice, with the same result.
 */
import type { Stretch } from "../../model/series-source.ts";
import type { Amended } from "./jobs.ts";

export const ROLLUP_WINDOW = 2 * 3600_000;
/** Windows one behind another are done in one job up to this length, cut at its multiples. */
const LONGEST_JOB = 24 * 3600_000;

export interface RollupProgress {
  /** Every window up to here is done but the pending ones; undefined before the first block. */
  readonly doneUpTo: number | undefined;
  /** Starts of the windows that have to be done again, ascending. */
  readonly pending: readonly number[];
  /** Raw blocks with samples that are not in the rows of a pending window yet. */
  readonly fresh: readonly { readonly window: number; readonly id: string }[];
  /** Raw blocks whose samples are in the rows, or in a pending window. */
  readonly known: readonly string[];
  /** All samples before this time are in blocks. */
  readonly cutUpTo: number;
  /** Raw samples up to here were dropped, of some series at least; undefined: none. */
  readonly rawGoneUpTo: number | undefined;
}

export const NO_PROGRESS: RollupProgress = {
  doneUpTo: undefined,
  pending: [],
  fresh: [],
  known: [],
  cutUpTo: Number.NEGATIVE_INFINITY,
  rawGoneUpTo: undefined,
};

/** A raw block: its samples lie within [minT, maxT]; `sources` are the blocks that it was merged from. */
export interface RawBlock {
  readonly id: string;
  readonly minT: number;
  readonly maxT: number;
  readonly sources: readonly string[];
}

/** The start of the window (w, w + 2 h] that a time belongs to. */
export function windowOf(t: number): number {
  return (Math.ceil(t / ROLLUP_WINDOW) - 1) * ROLLUP_WINDOW;
}

/** The state with the blocks that are there now: new ones make their windows pending, forgotten ones are no longer known. */
export function accountBlocks(progress: RollupProgress, blocks: readonly RawBlock[]): RollupProgress {
  const known = new Set(progress.known);
  const pending = new Set(progress.pending);
  const doneUpTo = progress.doneUpTo ?? oldestWindow(blocks);
  const there = new Set(blocks.map((b) => b.id));
  const merged = new Map(blocks.flatMap(({ id, sources }) => sources.map((source) => [source, id] as const)));
  const fresh = progress.fresh
    .map(({ window, id }) => ({ window, id: there.has(id) ? id : (merged.get(id) ?? id) }))
    .filter(({ id }) => there.has(id));
  for (const block of blocks) {
    if (known.has(block.id) || isMergeOf(block, known)) continue;
    for (let w = windowOf(block.minT); w <= windowOf(block.maxT); w += ROLLUP_WINDOW) {
      if (doneUpTo === undefined || w >= doneUpTo) continue;
      pending.add(w);
      fresh.push({ window: w, id: block.id });
    }
  }
  return {
    ...progress,
    doneUpTo,
    fresh,
    pending: [...pending].sort((a, b) => a - b),
    known: blocks.map((b) => b.id),
  };
}

/** Merging known blocks brings nothing new. */
function isMergeOf(block: RawBlock, known: ReadonlySet<string>): boolean {
  return block.sources.length > 0 && block.sources.every((id) => known.has(id));
}

function oldestWindow(blocks: readonly RawBlock[]): number | undefined {
  return blocks.length === 0 ? undefined : Math.min(...blocks.map((b) => windowOf(b.minT)));
}

/** The oldest stretch that can be done now, whole windows; undefined when all is done. */
export function nextStretch(progress: RollupProgress): Stretch | undefined {
  const { doneUpTo, cutUpTo } = progress;
  if (doneUpTo === undefined) return undefined;
  // A window's last sample may lie on its end, so the time after it must be in blocks as well.
  const isWhole = (w: number) => w + ROLLUP_WINDOW < cutUpTo;
  const todo = progress.pending.filter(isWhole);
  for (let w = doneUpTo; isWhole(w) && todo.length <= LONGEST_JOB / ROLLUP_WINDOW; w += ROLLUP_WINDOW) todo.push(w);
  const first = todo[0];
  if (first === undefined) return undefined;
  const limit = (Math.floor(first / LONGEST_JOB) + 1) * LONGEST_JOB;
  let until = first + ROLLUP_WINDOW;
  for (let i = 1; todo[i] === until && until < limit; i++) until += ROLLUP_WINDOW;
  return { after: first, until };
}

/** The state once a stretch is done. */
export function stretchDone(progress: RollupProgress, { after, until }: Stretch): RollupProgress {
  const { doneUpTo } = progress;
  return {
    ...progress,
    doneUpTo: doneUpTo === undefined || until > doneUpTo ? until : doneUpTo,
    pending: progress.pending.filter((w) => w < after || w >= until),
    fresh: progress.fresh.filter(({ window: w }) => w < after || w >= until),
  };
}

/**
 * Windows must be done again, because samples in [minT, maxT] were removed; not those before `from`, where there are no raw
 * samples to do it with.
 */
export function stretchRemoved(progress: RollupProgress, minT: number, maxT: number, from: number): RollupProgress {
  const { doneUpTo } = progress;
  if (doneUpTo === undefined) return progress;
  const pending = new Set(progress.pending);
  for (let w = windowOf(Math.max(minT, from)); w <= windowOf(maxT) && w < doneUpTo; w += ROLLUP_WINDOW) pending.add(w);
  return { ...progress, pending: [...pending].sort((a, b) => a - b) };
}

/** The state once raw samples up to a time were dropped. */
export function rawRemoved(progress: RollupProgress, upTo: number): RollupProgress {
  return { ...progress, rawGoneUpTo: Math.max(progress.rawGoneUpTo ?? upTo, upTo) };
}

const HOUR = 3600_000;

/** Buckets are made anew from here on only: of earlier ones the raw samples are gone, and their rows are what there is. */
export function wholeFrom({ rawGoneUpTo }: RollupProgress): number {
  return rawGoneUpTo === undefined ? Number.NEGATIVE_INFINITY : Math.ceil(rawGoneUpTo / HOUR) * HOUR;
}

/**
 * The hours of a stretch whose rows cannot be made anew, since raw samples of them are dropped or (in `gaps`) lost, and the blocks
 * that bring something new to them. By window; what has no rows yet is not among them.
 */
export function amendedIn(progress: RollupProgress, stretch: Stretch, gaps: readonly Stretch[]): Amended[] {
  const { doneUpTo = Number.NEGATIVE_INFINITY, fresh } = progress;
  const without = joined([{ after: Number.NEGATIVE_INFINITY, until: wholeFrom(progress) }, ...gaps]);
  const out: Amended[] = [];
  for (let w = stretch.after; w < Math.min(stretch.until, doneUpTo); w += ROLLUP_WINDOW) {
    const ids = [...new Set(fresh.filter((f) => f.window === w).map((f) => f.id))];
    for (const gap of without) {
      const after = Math.max(gap.after, w);
      const until = Math.min(gap.until, w + ROLLUP_WINDOW);
      if (until > after) out.push({ after, until, ids });
    }
  }
  return out;
}

/** Whole hours in which something lies within one of the spans (times in ms, inclusive), ascending and disjoint. */
export function hoursOf(spans: readonly { readonly minT: number; readonly maxT: number }[]): Stretch[] {
  return joined(
    spans.map(({ minT, maxT }) => ({
      after: (Math.ceil(minT / HOUR) - 1) * HOUR,
      until: Math.ceil(maxT / HOUR) * HOUR,
    })),
  );
}

function joined(stretches: readonly Stretch[]): Stretch[] {
  const out: Stretch[] = [];
  for (const s of [...stretches].sort((a, b) => (a.after < b.after ? -1 : 1))) {
    const last = out.at(-1);
    if (last !== undefined && s.after <= last.until)
      out[out.length - 1] = { ...last, until: Math.max(last.until, s.until) };
    else out.push(s);
  }
  return out;
}

/** Every sample up to here is in rows, or was once. */
export function allRolledUpTo({ doneUpTo, pending }: RollupProgress): number {
  return Math.min(doneUpTo ?? Number.NEGATIVE_INFINITY, pending[0] ?? Number.POSITIVE_INFINITY);
}

/**
 * Where the rows hold every sample: all that is done, before the oldest sample that is not in a block yet; and up to `rawAfter` in
 * any case, since raw samples of before are not kept: rows without a late sample are the best there is.
 */
export function completeStretches(
  progress: RollupProgress,
  oldestInHead: number,
  rawAfter = Number.NEGATIVE_INFINITY,
): Stretch[] {
  const { doneUpTo, pending } = progress;
  if (doneUpTo === undefined) return [];
  const kept = Math.ceil(rawAfter / HOUR) * HOUR;
  const end = Math.min(doneUpTo, Math.max(windowOf(oldestInHead), kept));
  const out: Stretch[] = [];
  let after = Number.NEGATIVE_INFINITY;
  for (const w of pending) {
    const from = Math.max(w, kept);
    if (from >= end) break;
    if (from >= w + ROLLUP_WINDOW) continue;
    if (from > after) out.push({ after, until: from });
    after = w + ROLLUP_WINDOW;
  }
  if (end > after) out.push({ after, until: end });
  return out;
}

/** Whether all samples of a raw block are in rows, so that retention may remove it. */
export function isRolledUp(progress: RollupProgress, block: RawBlock): boolean {
  const { doneUpTo, pending } = progress;
  if (doneUpTo === undefined || windowOf(block.maxT) >= doneUpTo || !progress.known.includes(block.id)) return false;
  const first = windowOf(block.minT);
  const last = windowOf(block.maxT);
  return !pending.some((w) => w >= first && w <= last);
}
