/**
 * Which series have had their past changed: a sample that is not newer than the newest one came, or samples went. Who keeps
 * something of a series' past (src/storage/engine/series-cache.ts) takes these notes before it answers from what it keeps.
 */
export interface PastChanges {
  /** Series by their number, a few of them more than once; in `ids[0..count)`. */
  readonly ids: Uint32Array;
  count: number;
  /** Any series may have changed, and what has a number may have another one now. */
  all: boolean;
}

/** More changes than this between two looks count as a change of everything. */
const MOST = 16_384;

export function makePastChanges(): PastChanges {
  return { ids: new Uint32Array(MOST), count: 0, all: false };
}

export function notePastChange(changes: PastChanges, id: number): void {
  if (changes.all || (changes.count > 0 && changes.ids[changes.count - 1] === id)) return;
  if (changes.count === MOST) changes.all = true;
  else changes.ids[changes.count++] = id;
}

export function notePastChanged(changes: PastChanges): void {
  changes.all = true;
}

/** Begins anew. */
export function forgetPastChanges(changes: PastChanges): void {
  changes.count = 0;
  changes.all = false;
}
