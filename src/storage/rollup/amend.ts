/**
 * Rows whose samples are gone, with samples that came later put in. Which samples made a row nobody knows any more, so that:
 * - a sample at the time of the row's first or last one, or of one between them where these lie evenly, takes nobody's place: it
 *   was counted;
 * - where all samples that are there are as many as the row's, its first and last among them, the row's own came back, and it is
 *   made of them;
 * - any other is one more. Where it lies between the row's samples, counter resets and changes stay those of the row;
 * - when a marker came that ended a row nobody knows: behind the row's samples.
 */
import { firstAfter, firstAt } from "../../lib/search.ts";
import { moveSample } from "../../model/copy-samples.ts";
import { makeRollupBuffer, type RollupBuffer } from "../../model/rollup.ts";
import { isStaleAt, type SampleBuffer } from "../../model/sample.ts";
import { keepRows } from "../block/row-span.ts";
import { mergeRollups } from "../merge/merge-rollups.ts";
import { bucketStart } from "./bucket.ts";
import { rollUp } from "./roll-up.ts";
import { rollUpFurther } from "./roll-up-further.ts";
import { keepOutermost } from "./roll-up-histograms.ts";

/**
 * Replaces the content of `out` by the rows of the buckets that `late` brings something to. `old` are the rows there are, `all` the samples, also
 * those of `late`. All are of one series and ascending; samples that need not be added leave `late`.
 */
export function amendRows(
  late: SampleBuffer,
  all: SampleBuffer,
  old: RollupBuffer,
  widthMs: number,
  out: RollupBuffer,
): void {
  const restored = dropHeld(late, all, old, widthMs);
  const added = makeRollupBuffer(16);
  rollUp(late, widthMs, added);
  const whole = makeRollupBuffer(16);
  if (restored.size > 0) {
    rollUp(all, widthMs, whole);
    dropRows(whole, (i) => !restored.has(whole.start[i] as number));
  }
  if (added.length + whole.length === 0) {
    out.length = 0;
    return;
  }
  // Two rows of one bucket, in the order of their samples: starts a little apart keep both of them.
  const both = makeRollupBuffer(old.length + added.length);
  mergeRollups(both, 0, old);
  for (let i = 0; i < both.length; i++) both.start[i] = (both.start[i] as number) + 0.5;
  const joins: { readonly k: number; readonly r: number; readonly isAmong: boolean }[] = [];
  const starts = new Set(restored);
  for (let k = 0; k < whole.length; k++) whole.start[k] = (whole.start[k] as number) + 0.5;
  mergeRollups(both, 0, whole);
  for (let k = 0; k < added.length; k++) {
    const start = added.start[k] as number;
    starts.add(start);
    const r = rowAt(old, start);
    if (r < 0) continue;
    const isBefore = firstTime(added, k) < firstTime(old, r);
    const isAmong = isBefore ? lastTime(added, k) >= firstTime(old, r) : firstTime(added, k) <= lastTime(old, r);
    joins.push({ k, r, isAmong });
    added.start[k] = start + (isBefore ? 0.25 : 0.75);
  }
  mergeRollups(both, 0, added);
  rollUpFurther(both, widthMs, out);
  for (const { k, r, isAmong } of joins) {
    const o = rowAt(out, old.start[r] as number);
    if (isAmong) keepOrder(old, r, added, k, out, o);
    out.columns.stale[o] = isEnded(late, old, r, widthMs) ? 1 : 0;
  }
  dropRows(out, (i) => !starts.has(out.start[i] as number));
}

/** How many samples a row is made of. */
export function rowCount({ columns, histograms }: RollupBuffer, i: number): number {
  return (columns.count[i] as number) + (histograms?.numbers.count[i] ?? 0);
}

/** The row of the bucket that starts at a time, -1: none. */
export function rowAt(rows: RollupBuffer, start: number): number {
  const i = firstAt(rows.start, 0, rows.length, start);
  return i < rows.length && rows.start[i] === start ? i : -1;
}

function firstTime({ columns, histograms }: RollupBuffer, i: number): number {
  const first = columns.count[i] === 0 ? Number.POSITIVE_INFINITY : (columns.firstT[i] as number);
  const count = histograms?.numbers.count[i] ?? 0;
  return count === 0 ? first : Math.min(first, histograms?.numbers.firstT[i] as number);
}

function lastTime({ columns, histograms }: RollupBuffer, i: number): number {
  const last = columns.count[i] === 0 ? Number.NEGATIVE_INFINITY : (columns.lastT[i] as number);
  const count = histograms?.numbers.count[i] ?? 0;
  return count === 0 ? last : Math.max(last, histograms?.numbers.lastT[i] as number);
}

/** Takes the samples that rows were made of out of `late`; returns the starts of the buckets whose samples all came back. */
function dropHeld(late: SampleBuffer, all: SampleBuffer, old: RollupBuffer, widthMs: number): Set<number> {
  const restored = new Set<number>();
  const { ts, length: n } = late;
  let k = 0;
  let i = 0;
  while (i < n) {
    const start = bucketStart(ts[i] as number, widthMs);
    let j = i + 1;
    while (j < n && (ts[j] as number) <= start + widthMs) j++;
    const r = rowAt(old, start);
    if (r >= 0 && isWhole(all, start, start + widthMs, old, r)) {
      restored.add(start);
      i = j;
    }
    for (; i < j; i++) {
      if (r >= 0 && holds(old, r, ts[i] as number)) continue;
      moveSample(late, i, k++);
    }
  }
  late.length = k;
  return restored;
}

function isWhole(all: SampleBuffer, after: number, until: number, old: RollupBuffer, r: number): boolean {
  const first = firstTime(old, r);
  const last = lastTime(old, r);
  let count = 0;
  let hasFirst = false;
  let hasLast = false;
  for (let i = firstAfter(all.ts, 0, all.length, after); i < all.length && (all.ts[i] as number) <= until; i++) {
    if (isStaleAt(all.words, i)) continue;
    count++;
    hasFirst ||= all.ts[i] === first;
    hasLast ||= all.ts[i] === last;
  }
  return count >= rowCount(old, r) && hasFirst && hasLast;
}

/** Times that lie evenly do so to the millisecond. */
function holds(old: RollupBuffer, r: number, t: number): boolean {
  const first = firstTime(old, r);
  const last = lastTime(old, r);
  if (t <= first || t >= last) return t === first || t === last;
  // In parts of a gap: whole numbers, so that nothing is rounded.
  const span = last - first;
  const gaps = rowCount(old, r) - 1;
  const at = (t - first) * gaps;
  return Math.abs(at - Math.round(at / span) * span) <= gaps;
}

/** What joining two rows one behind the other made wrong in row `o` where their samples lie among each other. */
function keepOrder(old: RollupBuffer, r: number, added: RollupBuffer, k: number, out: RollupBuffer, o: number): void {
  if (old.columns.count[r] !== 0) {
    for (const name of ["resets", "resetCount", "changes"] as const) {
      out.columns[name][o] = old.columns[name][r] as number;
    }
    if (added.columns.count[k] !== 0) keepEnds(old, r, added, k, out, o);
  }
  if (old.histograms !== undefined && added.histograms !== undefined && out.histograms !== undefined) {
    keepOutermost(old.histograms, r, added.histograms, k, out.histograms, o);
  }
}

function keepEnds(old: RollupBuffer, r: number, added: RollupBuffer, k: number, out: RollupBuffer, o: number): void {
  const { columns: a } = added;
  const { columns: b } = old;
  const { columns: c } = out;
  const isFirst = (a.firstT[k] as number) < (b.firstT[r] as number);
  for (const name of ["first", "firstT", "firstStart"] as const)
    c[name][o] = (isFirst ? a[name][k] : b[name][r]) as number;
  const isLast = (a.lastT[k] as number) > (b.lastT[r] as number);
  for (const name of ["last", "lastT", "lastStart"] as const) c[name][o] = (isLast ? a[name][k] : b[name][r]) as number;
}

/** Whether the newest thing of the bucket of row `r`, which late samples were put into, is a staleness marker. */
function isEnded(late: SampleBuffer, old: RollupBuffer, r: number, widthMs: number): boolean {
  const newest = firstAfter(late.ts, 0, late.length, (old.start[r] as number) + widthMs) - 1;
  const isNewer = rowCount(old, r) > 0 && (late.ts[newest] as number) > lastTime(old, r);
  return isNewer ? isStaleAt(late.words, newest) : old.columns.stale[r] !== 0;
}

/** Takes rows out of a buffer. */
export function dropRows(rows: RollupBuffer, drop: (i: number) => boolean): void {
  const starts: number[] = [];
  for (let i = 0; i < rows.length; i++) if (drop(i)) starts.push(rows.start[i] as number);
  for (const start of starts) keepRows(rows, 0, start, start, true);
}
