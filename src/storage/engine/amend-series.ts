/** The new rows of one series: made anew where its raw samples are whole, put into the rows there are where they are gone. */
import { makeRollupBuffer, type RollupBuffer, TIER_MS } from "../../model/rollup.ts";
import { makeSampleBuffer, type SampleBuffer } from "../../model/sample.ts";
import type { Stretch } from "../../model/series-source.ts";
import type { BlockSeries } from "../block/iterate.ts";
import { keepRows, keepSamples } from "../block/row-span.ts";
import { readMergedRows, readMergedSamples } from "../block/series-in-order.ts";
import { mergeRollups } from "../merge/merge-rollups.ts";
import { mergeSamples } from "../merge/merge-samples.ts";
import { amendRows, dropRows, rowAt, rowCount } from "../rollup/amend.ts";
import { bucketStart } from "../rollup/bucket.ts";
import { rollUp } from "../rollup/roll-up.ts";
import { rollUpFurther } from "../rollup/roll-up-further.ts";
import type { RollupJob } from "./jobs.ts";

const MINUTE = TIER_MS["1m"];
const HOUR = TIER_MS["1h"];

/** Buffers for one series after the other. */
export interface SeriesRows {
  readonly minutes: RollupBuffer;
  readonly hours: RollupBuffer;
  readonly samples: SampleBuffer;
}

export function makeSeriesRows(): SeriesRows {
  return { minutes: makeRollupBuffer(256), hours: makeRollupBuffer(16), samples: makeSampleBuffer(4096) };
}

/**
 * Replaces what is in `rows` by the rows of a series for the stretch of the job, out of all blocks that have it. Rows that are
 * there and stay are not among them. Throws `BlockError`.
 */
export function rollUpSeries(job: RollupJob, series: readonly BlockSeries[], rows: SeriesRows): void {
  const { after, until, amend = [] } = job;
  const { minutes, hours, samples } = rows;
  minutes.length = 0;
  hours.length = 0;
  const raw = series.filter((s) => s.meta.tier === "raw");
  if (!isSome(raw)) return;
  const oldMinutes = series.filter((s) => s.meta.tier === "1m");
  const oldHours = series.filter((s) => s.meta.tier === "1h");
  readMergedSamples(raw, samples);
  // A bucket is open to the left, and times are whole milliseconds.
  keepSamples(samples, after + 1, until);
  for (const a of amend) keepSamples(samples, a.after + 1, a.until, true);
  rollUp(samples, MINUTE, minutes);
  rollUpFurther(minutes, HOUR, hours);
  if (oldMinutes.length + oldHours.length === 0 && amend.length === 0) return;
  const there = { minutes: readOld(oldMinutes, after, until), hours: readOld(oldHours, after, until) };
  keepLarger(minutes, there.minutes);
  keepLarger(hours, there.hours);
  const late = makeSampleBuffer(16);
  const all = makeSampleBuffer(16);
  for (const one of amend) {
    if (!raw.some((s) => one.ids.includes(s.meta.id))) continue;
    addSamples(
      late,
      raw.filter((s) => one.ids.includes(s.meta.id)),
      one,
    );
    addSamples(all, raw, one);
  }
  if (late.length > 0) amendBoth(late, all, there, minutes, hours);
}

const isSome = <T>(list: readonly T[]): list is readonly [T, ...T[]] => list.length > 0;

function readOld(series: readonly BlockSeries[], after: number, until: number): RollupBuffer {
  const out = makeRollupBuffer(64);
  if (!isSome(series)) return out;
  readMergedRows(series, out);
  keepRows(out, 0, after, until - 1);
  return out;
}

/** Rows of fewer samples than those there are were made without some: what is there stays. */
function keepLarger(made: RollupBuffer, old: RollupBuffer): void {
  if (old.length === 0) return;
  dropRows(made, (i) => {
    const r = rowAt(old, made.start[i] as number);
    return r >= 0 && rowCount(old, r) > rowCount(made, i);
  });
}

function addSamples(to: SampleBuffer, series: readonly BlockSeries[], { after, until }: Stretch): void {
  if (!isSome(series)) return;
  const piece = makeSampleBuffer(256);
  readMergedSamples(series, piece);
  keepSamples(piece, after + 1, until);
  mergeSamples(to, piece);
}

/** Adds to both tiers' rows those of the buckets that late samples belong to. */
function amendBoth(
  late: SampleBuffer,
  all: SampleBuffer,
  old: { readonly minutes: RollupBuffer; readonly hours: RollupBuffer },
  minutes: RollupBuffer,
  hours: RollupBuffer,
): void {
  const inMinutes = new Set<number>();
  for (let i = 0; i < old.minutes.length; i++) inMinutes.add(hourOf(old.minutes, i));
  const changed = makeRollupBuffer(16);
  amendRows(late, all, old.minutes, MINUTE, changed);
  if (changed.length === 0) return;
  mergeRollups(minutes, 0, changed);
  // Hours are made of their minutes, where these are there: they tell better which samples were counted.
  const byMinute = makeRollupBuffer(16);
  const touched = new Set<number>();
  for (let i = 0; i < changed.length; i++) touched.add(hourOf(changed, i));
  mergeRollups(old.minutes, 0, changed);
  rollUpFurther(old.minutes, HOUR, byMinute);
  dropRows(byMinute, (i) => {
    const start = byMinute.start[i] as number;
    const r = rowAt(old.hours, start);
    if (!touched.has(start)) return true;
    return r >= 0 && (!inMinutes.has(start) || rowCount(byMinute, i) < rowCount(old.hours, r));
  });
  const made = makeRollupBuffer(16);
  amendRows(late, all, old.hours, HOUR, made);
  mergeRollups(made, 0, byMinute);
  mergeRollups(hours, 0, made);
}

const hourOf = (rows: RollupBuffer, i: number): number => bucketStart((rows.start[i] as number) + 1, HOUR);
