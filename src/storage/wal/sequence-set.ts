/**
 * Which messages of a stream a shard has taken: a set of sequences, kept as disjoint intervals. A stream read from its
 * beginning to its end is one interval; one whose backlog is read beside its newest messages is a few.
 *
 * Everything up to the set's base is in it: what the stream had before this shard began to read.
 */
import { type Cursor, readVarint, varintLength, writeVarint } from "../../lib/varint.ts";

/** Sequences `from` to `to`, both included. */
export interface SequenceRange {
  readonly from: number;
  readonly to: number;
}

export interface SequenceSet {
  /** False when it was there. */
  add(seq: number): boolean;
  addRange(from: number, to: number): void;
  addAll(other: SequenceSet): void;
  has(seq: number): boolean;
  /** Everything up to here is in the set; at least the base. */
  contiguousEnd(): number;
  /** The highest sequence in the set; the base when there is nothing above it. */
  last(): number;
  /** What is missing up to `upTo` (itself included), ascending. */
  gaps(upTo: number): SequenceRange[];
  /** What is in this set and not in the other, ascending; only sequences above this set's base. */
  without(other: SequenceSet): SequenceRange[];
  /** The intervals above the contiguous end, ascending; for showing and for writing down. */
  islands(): SequenceRange[];
  clone(): SequenceSet;
  encode(): Uint8Array;
}

/** A set of what is at or below `base`. */
export function makeSequenceSet(base = 0): SequenceSet {
  return setOf([0], [base]);
}

/**
 * The intervals are starts[i] to ends[i], ascending, never touching; the first one is the base's. Most additions are right
 * behind the last or the last but one interval (the two lanes that a shard reads), so the search begins at the end.
 */
function setOf(starts: number[], ends: number[]): SequenceSet {
  /** The last interval that starts at or before seq; 0 at least, for the base's starts at 0. */
  const find = (seq: number): number => {
    let i = starts.length - 1;
    if (i > 3 && (starts[i - 3] as number) > seq) {
      let low = 0;
      let high = i - 3;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((starts[middle] as number) <= seq) low = middle + 1;
        else high = middle;
      }
      return low - 1;
    }
    while (i > 0 && (starts[i] as number) > seq) i--;
    return i;
  };
  const set: SequenceSet = {
    add: (seq) => {
      check(seq);
      const i = find(seq);
      if (seq <= (ends[i] as number)) return false;
      const joins = i + 1 < starts.length && starts[i + 1] === seq + 1;
      if ((ends[i] as number) + 1 === seq) {
        ends[i] = joins ? (ends[i + 1] as number) : seq;
        if (joins) remove(i + 1, 1);
      } else if (joins) {
        starts[i + 1] = seq;
      } else {
        insert(i + 1, seq, seq);
      }
      return true;
    },
    addRange: (from, to) => {
      check(from);
      check(to);
      if (to < from) return;
      // From the interval that touches the range at its start to the one that does at its end.
      let first = find(from);
      if ((ends[first] as number) + 1 < from) first++;
      let end = first;
      while (end < starts.length && (starts[end] as number) <= to + 1) end++;
      if (end === first) {
        insert(first, from, to);
        return;
      }
      starts[first] = Math.min(starts[first] as number, from);
      ends[first] = Math.max(ends[end - 1] as number, to);
      remove(first + 1, end - first - 1);
    },
    addAll: (other) => {
      set.addRange(0, other.contiguousEnd());
      for (const { from, to } of other.islands()) set.addRange(from, to);
    },
    has: (seq) => seq <= (ends[find(seq)] as number),
    contiguousEnd: () => ends[0] as number,
    last: () => ends[ends.length - 1] as number,
    gaps: (upTo) => {
      const out: SequenceRange[] = [];
      for (let i = 0; i < ends.length; i++) {
        const from = (ends[i] as number) + 1;
        const to = i + 1 < starts.length ? Math.min((starts[i + 1] as number) - 1, upTo) : upTo;
        if (from > upTo) break;
        out.push({ from, to });
      }
      return out;
    },
    without: (other) => {
      const out: SequenceRange[] = [];
      for (const gap of other.gaps(set.last())) {
        for (let i = find(gap.from); i < starts.length && (starts[i] as number) <= gap.to; i++) {
          const from = Math.max(gap.from, starts[i] as number);
          const to = Math.min(gap.to, ends[i] as number);
          if (from <= to) out.push({ from, to });
        }
      }
      return out;
    },
    islands: () => starts.slice(1).map((from, i) => ({ from, to: ends[i + 1] as number })),
    clone: () => setOf(starts.slice(), ends.slice()),
    encode: () => encode(starts, ends),
  };
  const insert = (at: number, start: number, end: number): void => {
    starts.splice(at, 0, start);
    ends.splice(at, 0, end);
  };
  const remove = (at: number, count: number): void => {
    if (count === 0) return;
    starts.splice(at, count);
    ends.splice(at, count);
  };
  return set;
}

function check(seq: number): void {
  if (!(Number.isSafeInteger(seq) && seq >= 0)) throw new RangeError(`${seq} is no sequence`);
}

/** Varints: the contiguous end, the number of islands, for each the distance from the end before and its length - 1. */
function encode(starts: readonly number[], ends: readonly number[]): Uint8Array {
  const numbers = [ends[0] as number, starts.length - 1];
  for (let i = 1; i < starts.length; i++) {
    numbers.push((starts[i] as number) - (ends[i - 1] as number), (ends[i] as number) - (starts[i] as number));
  }
  const out = new Uint8Array(numbers.reduce((n, value) => n + varintLength(value), 0));
  let at = 0;
  for (const value of numbers) at = writeVarint(out, at, value);
  return out;
}

/** Reads what `encode` wrote. Throws VarintError or RangeError when it is something else. */
export function decodeSequenceSet(bytes: Uint8Array): SequenceSet {
  const cursor: Cursor = { at: 0 };
  const starts = [0];
  const ends = [readVarint(bytes, cursor)];
  const islands = readVarint(bytes, cursor);
  for (let i = 0; i < islands; i++) {
    const distance = readVarint(bytes, cursor);
    const start = (ends[i] as number) + distance;
    const end = start + readVarint(bytes, cursor);
    // Intervals that touch would be one.
    if (distance < 2) throw new RangeError("the intervals of a sequence set overlap");
    check(end);
    starts.push(start);
    ends.push(end);
  }
  if (cursor.at !== bytes.length) throw new RangeError("bytes behind a sequence set");
  return setOf(starts, ends);
}
