/**
 * Which messages of the stream have samples that still wait for their labels: who is to read what a message brought has to wait for
 * them as well, and the gateways are asked for these labels. After some time neither is done any more: nobody may know the labels.
 *
 * Invariants:
 * - a message is waiting for as long as a hash that it parked samples of is parked, GIVE_UP_MS at most;
 * - giving up changes nothing of what is parked, and so nothing of what is stored: no clock has a part in what a replay gives;
 * - what is remembered is eight bytes for each sample that was parked, and at most twice of those that are.
 */
import type { SampleColumns } from "../../model/sample.ts";
import { isParked, type ParkedSamples, parkedHashes } from "./parked-samples.ts";

/** Hashes, low and high by turns; those behind `length` are not parked any more. */
interface Hashes {
  words: Uint32Array;
  length: number;
  /** When they were parked, in milliseconds of the clock that the caller has. */
  readonly since: number;
}

export interface ParkedMessages {
  /** In the order in which they came. */
  readonly bySequence: Map<number, Hashes>;
  /** Words in all of them. */
  words: number;
  /** Samples that were parked before the shard started, of any message up to this one. */
  earlier: { readonly upTo: number; readonly hashes: Hashes } | undefined;
}

/** So long after samples were parked their labels are waited for. */
export const GIVE_UP_MS = 600_000;

const SWEEP_FROM = 1 << 16;

export function makeParkedMessages(): ParkedMessages {
  return { bySequence: new Map(), words: 0, earlier: undefined };
}

/** Notes that rows of a message were parked at the time `now`: the first `count` of `rows`, numbers of rows in `columns`. */
export function noteParked(
  m: ParkedMessages,
  parked: ParkedSamples,
  sequence: number,
  columns: SampleColumns,
  rows: Uint32Array,
  count: number,
  now: number,
): void {
  const before = m.bySequence.get(sequence);
  const from = before?.length ?? 0;
  const words = new Uint32Array(from + 2 * count);
  if (before !== undefined) words.set(before.words.subarray(0, from));
  for (let i = 0; i < count; i++) {
    const row = rows[i] as number;
    words[from + 2 * i] = columns.hashLo[row] as number;
    words[from + 2 * i + 1] = columns.hashHi[row] as number;
  }
  m.bySequence.set(sequence, { words, length: words.length, since: before?.since ?? now });
  m.words += words.length - (before?.words.length ?? 0);
  if (m.words > SWEEP_FROM && m.words > 4 * parked.length) sweep(m, parked);
}

/** What is parked now came with messages up to this one, and nobody knows with which: call it when the shard has recovered. */
export function noteEarlier(m: ParkedMessages, parked: ParkedSamples, upTo: number, now: number): void {
  m.bySequence.clear();
  m.words = 0;
  const words = parkedHashes(parked);
  m.earlier = words.length === 0 ? undefined : { upTo, hashes: { words, length: words.length, since: now } };
}

/** The sequences are those of another stream from now on. */
export function forgetMessages(m: ParkedMessages): void {
  m.bySequence.clear();
  m.words = 0;
  m.earlier = undefined;
}

/** Whether samples of the message wait for labels. What is found not to wait is not looked at again. */
export function isWaiting(m: ParkedMessages, parked: ParkedSamples, sequence: number, now: number): boolean {
  const hashes = m.bySequence.get(sequence);
  if (hashes !== undefined && isYoung(hashes, now)) {
    if (anyParked(hashes, parked)) return true;
    m.bySequence.delete(sequence);
    m.words -= hashes.words.length;
  }
  if (m.earlier === undefined || sequence > m.earlier.upTo || !isYoung(m.earlier.hashes, now)) return false;
  if (anyParked(m.earlier.hashes, parked)) return true;
  m.earlier = undefined;
  return false;
}

/**
 * Stops to wait for what has waited for GIVE_UP_MS.
 * @returns how many samples that is; of what was parked before the shard started, how many series
 */
export function giveUp(m: ParkedMessages, parked: ParkedSamples, now: number): number {
  let n = 0;
  if (m.earlier !== undefined && !isYoung(m.earlier.hashes, now)) {
    n += countParked(m.earlier.hashes, parked);
    m.earlier = undefined;
  }
  for (const [sequence, hashes] of m.bySequence) {
    if (isYoung(hashes, now)) break;
    n += countParked(hashes, parked);
    m.bySequence.delete(sequence);
    m.words -= hashes.words.length;
  }
  return n;
}

/**
 * Hashes whose labels are waited for, for a request to the gateways: of the newest messages first.
 * @param limit at most so many
 * @returns [lo0, hi0, lo1, hi1, ...]
 */
export function wantedHashes(m: ParkedMessages, parked: ParkedSamples, limit: number): Uint32Array {
  const keys = new Set<number>();
  const out: number[] = [];
  const add = ({ words, length }: Hashes) => {
    for (let i = 0; i < length && keys.size < limit; i += 2) {
      const [lo, hi] = [words[i] as number, words[i + 1] as number];
      // A key may stand for two hashes: then one of them is asked for later.
      const key = (hi % 0x20_0000) * 0x1_0000_0000 + lo;
      if (keys.has(key) || !isParked(parked, lo, hi)) continue;
      keys.add(key);
      out.push(lo, hi);
    }
  };
  for (const hashes of [...m.bySequence.values()].reverse()) {
    if (keys.size === limit) break;
    add(hashes);
  }
  if (m.earlier !== undefined) add(m.earlier.hashes);
  return Uint32Array.from(out);
}

const isYoung = ({ since }: Hashes, now: number): boolean => now - since < GIVE_UP_MS;

function countParked({ words, length }: Hashes, parked: ParkedSamples): number {
  let n = 0;
  for (let i = 0; i < length; i += 2) if (isParked(parked, words[i] as number, words[i + 1] as number)) n++;
  return n;
}

function anyParked(hashes: Hashes, parked: ParkedSamples): boolean {
  const { words } = hashes;
  while (hashes.length > 0) {
    if (isParked(parked, words[hashes.length - 2] as number, words[hashes.length - 1] as number)) return true;
    hashes.length -= 2;
  }
  return false;
}

/** Keeps only what is parked. */
function sweep(m: ParkedMessages, parked: ParkedSamples): void {
  m.words = 0;
  for (const [sequence, { words, length, since }] of m.bySequence) {
    let kept = 0;
    for (let i = 0; i < length; i += 2) {
      if (!isParked(parked, words[i] as number, words[i + 1] as number)) continue;
      words[kept++] = words[i] as number;
      words[kept++] = words[i + 1] as number;
    }
    if (kept === 0) m.bySequence.delete(sequence);
    else m.bySequence.set(sequence, { words: words.slice(0, kept), length: kept, since });
    m.words += kept;
  }
}
