/**
 * How far a shard's stream can be queried, in memory that its thread and the main thread share: whoever asks pays one load,
 * and may sleep until it changes.
 */

/** One cell, written by the shard's thread only. */
export type VisibleCell = BigInt64Array<SharedArrayBuffer>;

/** A cell at 0: nothing can be queried yet. */
export function makeVisibleCell(): VisibleCell {
  return new BigInt64Array(new SharedArrayBuffer(8));
}

/** The same cell on the other thread. */
export function visibleCell(shared: SharedArrayBuffer): VisibleCell {
  return new BigInt64Array(shared);
}

/** Says that messages up to this one can be queried, and wakes who waits for that. It may go back: for another stream. */
export function setVisible(cell: VisibleCell, sequence: number): void {
  Atomics.store(cell, 0, BigInt(sequence));
  Atomics.notify(cell, 0);
}

export function visibleUpTo(cell: VisibleCell): number {
  return Number(Atomics.load(cell, 0));
}
