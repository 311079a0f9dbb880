/**
 * Exemplars: a bounded ring of the newest ones of all series of a head. They are few beside samples, so they are simple.
 *
 * Invariants:
 * - exemplar number s (counted from 0 for ever) lies at s modulo the ring's size while it is one of the last `capacity`;
 * - exemplars of a series, named by all three words of its hash, are chained from the newest to older ones by number;
 * - of a series they ascend by time (at one time by value, then by labels): what comes out of order is refused.
 */
import type { Labels } from "../../model/labels.ts";

export interface ExemplarRing {
  readonly capacity: number;
  /** Exemplars that were ever stored. */
  total: number;
  /** Three words each: the series' hash. */
  series: Uint32Array;
  ts: Float64Array;
  /** Values; two words each, low first. */
  values: Float64Array;
  words: Uint32Array;
  /** Number of the exemplar of the series before this one, -1: none. It may have been overwritten. */
  before: Float64Array;
  /** Labels as JSON: one string an exemplar. */
  readonly labels: string[];
  /** The newest exemplar of a series, by 53 bits of its hash, or of its hash mixed with the check word. */
  readonly newest: Map<number, number>;
  readonly totals: { duplicates: number; outOfOrder: number };
}

export const DEFAULT_EXEMPLARS = 100_000;

export function makeExemplarRing(capacity: number = DEFAULT_EXEMPLARS): ExemplarRing {
  return {
    capacity,
    total: 0,
    ...makeColumns(Math.min(64, capacity)),
    labels: [],
    newest: new Map(),
    totals: { duplicates: 0, outOfOrder: 0 },
  };
}

function makeColumns(size: number): Pick<ExemplarRing, "series" | "ts" | "values" | "words" | "before"> {
  const values = new Float64Array(size);
  return {
    series: new Uint32Array(3 * size),
    ts: new Float64Array(size),
    values,
    words: new Uint32Array(values.buffer),
    before: new Float64Array(size),
  };
}

function grow(ring: ExemplarRing): void {
  const next = makeColumns(Math.min(ring.capacity, 2 * ring.ts.length));
  next.series.set(ring.series);
  next.ts.set(ring.ts);
  next.words.set(ring.words);
  next.before.set(ring.before);
  Object.assign(ring, next);
}

const keyOf = (low: number, high: number) => (low >>> 0) + ((high >>> 0) & 0x1f_ffff) * 0x1_0000_0000;

/** Where a series is found whose key another one has: series with one hash differ in their check words. */
const otherKeyOf = (low: number, high: number, check: number) =>
  keyOf(low ^ Math.imul(check, 0x9e37_79b1), high ^ Math.imul(~check, 0x85eb_ca6b));

/** Number of the series' newest exemplar, -1 when it has none. */
export function newestExemplar(ring: ExemplarRing, low: number, high: number, check: number): number {
  const number = ring.newest.get(keyOf(low, high)) ?? -1;
  if (number >= 0 && isOf(ring, number, low, high, check)) return number;
  const other = ring.newest.get(otherKeyOf(low, high, check)) ?? -1;
  return other >= 0 && isOf(ring, other, low, high, check) ? other : -1;
}

function isOf({ series, ts }: ExemplarRing, number: number, low: number, high: number, check: number): boolean {
  const at = 3 * (number % ts.length);
  return series[at] === low >>> 0 && series[at + 1] === high >>> 0 && series[at + 2] === check >>> 0;
}

/** Stores an exemplar of a series (named by its hash) as the ring's newest; over the oldest when it is full. */
export function appendExemplar(
  ring: ExemplarRing,
  series: { readonly low: number; readonly high: number; readonly check: number },
  ts: number,
  valueLow: number,
  valueHigh: number,
  labels: Labels,
): "stored" | "duplicate" | "out_of_order" {
  const { low, high, check } = series;
  const text = JSON.stringify(labels);
  const before = newestExemplar(ring, low, high, check);
  if (before >= 0) {
    const order = compareTo(ring, before % ring.ts.length, ts, valueLow, valueHigh, text);
    if (order === 0) ring.totals.duplicates++;
    if (order < 0) ring.totals.outOfOrder++;
    if (order <= 0) return order === 0 ? "duplicate" : "out_of_order";
  }
  if (ring.capacity === 0) return "out_of_order";
  if (ring.total === ring.ts.length && ring.ts.length < ring.capacity) grow(ring);
  const number = ring.total++;
  const size = ring.ts.length;
  const at = number % size;
  if (number >= size) forget(ring, number - size);
  ring.series[3 * at] = low;
  ring.series[3 * at + 1] = high;
  ring.series[3 * at + 2] = check;
  ring.ts[at] = ts;
  ring.words[2 * at] = valueLow;
  ring.words[2 * at + 1] = valueHigh;
  ring.before[at] = before;
  ring.labels[at] = text;
  ring.newest.set(keyFor(ring, low, high, check), number);
  return "stored";
}

/** The key under which a series has its newest exemplar, or may have it. */
function keyFor(ring: ExemplarRing, low: number, high: number, check: number): number {
  const key = keyOf(low, high);
  const other = otherKeyOf(low, high, check);
  // Where it has one already: two would be left of it when the first key becomes free.
  const known = ring.newest.get(other);
  if (known !== undefined && isOf(ring, known, low, high, check)) return other;
  const holder = ring.newest.get(key);
  return holder === undefined || isOf(ring, holder, low, high, check) ? key : other;
}

/** An exemplar is overwritten: its series has none when this was its newest. */
function forget({ series, newest, ts }: ExemplarRing, number: number): void {
  const at = 3 * (number % ts.length);
  const [low, high, check] = series.subarray(at, at + 3) as unknown as [number, number, number];
  for (const key of [keyOf(low, high), otherKeyOf(low, high, check)])
    if (newest.get(key) === number) newest.delete(key);
}

const given = new Float64Array(1);
const givenWords = new Uint32Array(given.buffer);

/** Order of an exemplar after the one at `at`: negative when it belongs before it, 0 when it is the same. */
function compareTo(ring: ExemplarRing, at: number, ts: number, low: number, high: number, labels: string): number {
  if (ts !== ring.ts[at]) return ts - (ring.ts[at] as number);
  givenWords[0] = low;
  givenWords[1] = high;
  const value = given[0] as number;
  const there = ring.values[at] as number;
  if (value !== there && !(Number.isNaN(value) && Number.isNaN(there))) return value < there ? -1 : 1;
  const known = ring.labels[at] as string;
  return labels === known ? 0 : labels < known ? -1 : 1;
}
