/**
 * Which messages of the stream have samples that still wait for their labels: who is to read what a message brought has to wait for
 * them as well.
 *
 * Invariants:
 * - a message is waiting for as long as a hash that it parked samples of is parked;
 * - what is remembered is eight bytes for each sample that was parked, and at most twice of those that are.
 */
import type { SampleColumns } from "../../model/sample.ts";
import { isParked, type ParkedSamples, parkedHashes } from "./parked-samples.ts";

/** Hashes, low and high by turns; those behind `length` are not parked any more. */
interface Hashes {
  words: Uint32Array;
  length: number;
}

export interface ParkedMessages {
  readonly bySequence: Map<number, Hashes>;
  /** Words in all of them. */
  words: number;
  /** Samples that were parked before the shard started, of any message up to this one. */
  earlier: { readonly upTo: number; readonly hashes: Hashes } | undefined;
}

const SWEEP_FROM = 1 << 16;

export function makeParkedMessages(): ParkedMessages {
  return { bySequence: new Map(), words: 0, earlier: undefined };
}

/** Notes that rows of a message were parked: the first `count` of `rows`, numbers of rows in `columns`. */
export function noteParked(
  m: ParkedMessages,
  parked: ParkedSamples,
  sequence: number,
  columns: SampleColumns,
  rows: Uint32Array,
  count: number,
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
  m.bySequence.set(sequence, { words, length: words.length });
  m.words += words.length - from;
  if (m.words > SWEEP_FROM && m.words > 4 * parked.length) sweep(m, parked);
}

/** What is parked now came with messages up to this one, and nobody knows with which: call it when the shard has recovered. */
export function noteEarlier(m: ParkedMessages, parked: ParkedSamples, upTo: number): void {
  m.bySequence.clear();
  m.words = 0;
  const words = parkedHashes(parked, parked.seriesCount);
  m.earlier = words.length === 0 ? undefined : { upTo, hashes: { words, length: words.length } };
}

/** The sequences are those of another stream from now on. */
export function forgetMessages(m: ParkedMessages): void {
  m.bySequence.clear();
  m.words = 0;
  m.earlier = undefined;
}

/** Whether samples of the message wait for labels. What is found not to wait is not looked at again. */
export function isWaiting(m: ParkedMessages, parked: ParkedSamples, sequence: number): boolean {
  const hashes = m.bySequence.get(sequence);
  if (hashes !== undefined) {
    if (anyParked(hashes, parked)) return true;
    m.bySequence.delete(sequence);
    m.words -= hashes.words.length;
  }
  if (m.earlier === undefined || sequence > m.earlier.upTo) return false;
  if (anyParked(m.earlier.hashes, parked)) return true;
  m.earlier = undefined;
  return false;
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
  for (const [sequence, { words, length }] of m.bySequence) {
    let kept = 0;
    for (let i = 0; i < length; i += 2) {
      if (!isParked(parked, words[i] as number, words[i + 1] as number)) continue;
      words[kept++] = words[i] as number;
      words[kept++] = words[i + 1] as number;
    }
    if (kept === 0) m.bySequence.delete(sequence);
    else m.bySequence.set(sequence, { words: words.slice(0, kept), length: kept });
    m.words += kept;
  }
}
