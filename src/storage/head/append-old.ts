/** Samples that are not newer than the newest of their series: repetitions, late ones, and histograms of either kind. */
import {
  histogramRefOf,
  isHistogramWord,
  ORDINARY_NAN_HI,
  ORDINARY_NAN_LO,
  type SampleColumns,
  writeHistogramRef,
} from "../../model/sample.ts";
import type { AppendOptions, AppendResult } from "./append-result.ts";
import { keepAside } from "./cut-log.ts";
import { findSample, foundWords } from "./find-sample.ts";
import type { Head } from "./head.ts";
import { isSameHistogram, storeHistogram } from "./histogram-arena.ts";
import { appendLate, appendLateRun, FRESH, KEPT, type LateCounts, OTHER, putLate, SAME, stored } from "./late.ts";
import { notePastChange } from "./past-changes.ts";
import { LAST_HI, LAST_LO, LAST_T_F64, LATE, ROW_SHIFT } from "./series-table.ts";

/** Runs of this many late samples of one series are stored together. */
const WORTH_A_RUN = 8;
const late: LateCounts = { fresh: 0, overwritten: 0, same: 0, kept: 0 };

/** A sample that is not newer than its series' newest, and more of the kind behind it; returns how many more were taken. */
export function appendOld(
  head: Head,
  ids: Int32Array,
  id: number,
  cols: SampleColumns,
  words: Int32Array,
  i: number,
  options: AppendOptions,
  result: AppendResult,
): number {
  const { rows, times } = head.series;
  const row = id << ROW_SHIFT;
  const t = cols.ts[i] as number;
  if (!Number.isSafeInteger(t)) {
    result.invalidTime++;
    return 0;
  }
  // An odd NaN was made an ordinary one in a copy.
  const looksTagged = isHistogramWord(words[2 * i + 1] as number);
  const lo = looksTagged ? ORDINARY_NAN_LO : (words[2 * i] as number);
  const hi = looksTagged ? ORDINARY_NAN_HI : (words[2 * i + 1] as number);
  const last = times[(row >> 1) + LAST_T_F64] as number;
  if (t === last && lo === rows[row + LAST_LO] && hi === rows[row + LAST_HI] && rows[row + LATE] === 0) {
    // A sender repeats its last request: common, so spared the search.
    result.duplicates++;
    return 0;
  }
  if (options.anyAge !== true && t < last - head.options.outOfOrderWindowMs) {
    result.tooOld++;
    options.onTooOld?.(id);
    return 0;
  }
  notePastChange(head.past, id);
  const end = runEnd(ids, cols, words, i, last);
  const keep = options.keepExisting === true;
  if (end - i >= WORTH_A_RUN) {
    late.fresh = 0;
    late.overwritten = 0;
    late.same = 0;
    late.kept = 0;
    appendLateRun(head, id, cols.ts, words, i, end, keep, late);
    for (let k = 0; k < stored.length; k++) {
      noteStored(head, id, stored.ts[k] as number, stored.words[2 * k] as number, stored.words[2 * k + 1] as number);
    }
    result.accepted += late.fresh + late.overwritten;
    result.overwritten += late.overwritten;
    result.duplicates += late.same;
    result.kept += late.kept;
    result.outOfOrder += late.fresh + late.overwritten;
    return end - i - 1;
  }
  const outcome = appendLate(head, id, t, lo, hi, keep);
  countLate(outcome, t < last, result);
  if (outcome === FRESH || outcome === OTHER) noteStored(head, id, t, lo, hi);
  return 0;
}

/** The end of the run of rows from i on that are of the same series, ascend, are older than `last`, and no histograms. */
function runEnd(ids: Int32Array, cols: SampleColumns, words: Int32Array, i: number, last: number): number {
  const { ts } = cols;
  const n = cols.length;
  const id = ids[i] as number;
  if (id < 0) return i;
  let end = i;
  let before = Number.NEGATIVE_INFINITY;
  while (end < n && ids[end] === id) {
    const t = ts[end] as number;
    if (!(t > before && t < last && Number.isSafeInteger(t)) || isHistogramWord(words[2 * end + 1] as number)) break;
    before = t;
    end++;
  }
  return end;
}

/** What is older than a cut that goes on is of interest to it. */
function noteStored(head: Head, id: number, t: number, lo: number, hi: number): void {
  if (head.cut !== undefined && t < head.cut.cutoff) keepAside(head.cut, id, t, lo, hi);
}

function countLate(outcome: number, older: boolean, result: AppendResult): void {
  if (outcome === SAME) result.duplicates++;
  else if (outcome === KEPT) result.kept++;
  else {
    result.accepted++;
    if (older) result.outOfOrder++;
    if (outcome === OTHER) result.overwritten++;
  }
}

/** Words of the reference that `takeHistogram` made, as int32. */
export const taken = new Int32Array(2);
const takenWords = new Uint32Array(taken.buffer);

/**
 * Takes a sample whose value looks like a histogram at `at` of the frame's. True: it is to be appended with the value in `taken`, a reference to the
 * histogram in the head's arena, or an ordinary NaN when the frame has no histograms. False: it is done. Of samples that may be
 * there already the bytes are compared, and stored only when they are news.
 */
export function takeHistogram(
  head: Head,
  id: number,
  t: number,
  cols: SampleColumns,
  at: number,
  options: AppendOptions,
  result: AppendResult,
): boolean {
  const bytes = cols.histograms;
  if (bytes === undefined || !Number.isSafeInteger(t)) {
    // What is refused for its time is not stored for it either.
    takenWords[0] = ORDINARY_NAN_LO;
    takenWords[1] = ORDINARY_NAN_HI;
    return true;
  }
  const last = head.series.times[(id << (ROW_SHIFT - 1)) + LAST_T_F64] as number;
  if (t > last) {
    writeHistogramRef(takenWords, 0, storeHistogram(head.histograms, t, bytes, at));
    return true;
  }
  if (options.anyAge !== true && t < last - head.options.outOfOrderWindowMs) {
    result.tooOld++;
    options.onTooOld?.(id);
    return false;
  }
  const known = findSample(head, id, t);
  const stored =
    known && isHistogramWord(foundWords[1] as number)
      ? histogramRefOf(foundWords[0] as number, foundWords[1] as number)
      : -1;
  if (stored >= 0 && isSameHistogram(head.histograms, stored, bytes, at)) result.duplicates++;
  else if (known && options.keepExisting === true) result.kept++;
  else {
    writeHistogramRef(takenWords, 0, storeHistogram(head.histograms, t, bytes, at));
    notePastChange(head.past, id);
    putLate(head, id, t, taken[0] as number, taken[1] as number);
    noteStored(head, id, t, taken[0] as number, taken[1] as number);
    countLate(known ? OTHER : FRESH, t < last, result);
  }
  return false;
}
