/**
 * The tables of a merged source: which series there are by their identity, and where each is found. All in typed arrays, made
 * anew (or emptied) for each request.
 */

/** `first` of a series that was just made. */
export const NOWHERE = 0xffff_ffff;

/** Where a merged series is found: chains of (part, id in the part), in the order of the parts. */
export interface Members {
  count: number;
  part: Uint16Array;
  id: Uint32Array;
  /** Next entry of the series + 1. */
  next: Uint32Array;
}

export interface Identities {
  count: number;
  /** Three words a series. */
  words: Uint32Array;
  /** First and last entry of the series' chain. */
  first: Uint32Array;
  last: Uint32Array;
  /** Number of the last `select` that found it. */
  seen: Uint32Array;
  /** Open addressing: series + 1. */
  slots: Uint32Array;
}

export function makeMembers(size: number): Members {
  return { count: 0, part: new Uint16Array(size), id: new Uint32Array(size), next: new Uint32Array(size) };
}

export function makeIdentities(size: number): Identities {
  return {
    count: 0,
    words: new Uint32Array(3 * size),
    first: new Uint32Array(size),
    last: new Uint32Array(size),
    seen: new Uint32Array(size),
    slots: new Uint32Array(2 * size),
  };
}

export function pushMember(members: Members, part: number, id: number): number {
  const e = members.count++;
  if (e === members.id.length) {
    const size = 2 * e;
    const larger = new Uint16Array(size);
    larger.set(members.part);
    members.part = larger;
    members.id = grown(members.id, size);
    members.next = grown(members.next, size);
  }
  members.part[e] = part;
  members.id[e] = id;
  members.next[e] = 0;
  return e;
}

/** Selections over other ranges may find an earlier part later: the chain stays in the order of the parts. */
export function insertInOrder(series: Identities, members: Members, m: number, entry: number): void {
  const part = members.part[entry] as number;
  const last = series.last[m] as number;
  if ((members.part[last] as number) <= part) {
    members.next[last] = entry + 1;
    series.last[m] = entry;
    return;
  }
  const first = series.first[m] as number;
  if ((members.part[first] as number) > part) {
    members.next[entry] = first + 1;
    series.first[m] = entry;
    return;
  }
  let before = first;
  for (;;) {
    const next = (members.next[before] as number) - 1;
    if ((members.part[next] as number) > part) break;
    before = next;
  }
  members.next[entry] = members.next[before] as number;
  members.next[before] = entry + 1;
}

/** The series of an identity; a new one has the highest number and `seen` 0. */
export function obtain(series: Identities, words: Uint32Array): number {
  const a = words[0] as number;
  const b = words[1] as number;
  const c = words[2] as number;
  const mask = series.slots.length - 1;
  let slot = (a ^ (b >>> 7)) & mask;
  for (;;) {
    const found = series.slots[slot] as number;
    if (found === 0) break;
    const at = 3 * (found - 1);
    if (series.words[at] === a && series.words[at + 1] === b && series.words[at + 2] === c) return found - 1;
    slot = (slot + 1) & mask;
  }
  if (series.count === series.first.length) growSeries(series);
  const m = series.count++;
  series.words[3 * m] = a;
  series.words[3 * m + 1] = b;
  series.words[3 * m + 2] = c;
  series.seen[m] = 0;
  series.first[m] = NOWHERE;
  place(series, m);
  return m;
}

function place(series: Identities, m: number): void {
  const mask = series.slots.length - 1;
  let slot = ((series.words[3 * m] as number) ^ ((series.words[3 * m + 1] as number) >>> 7)) & mask;
  while (series.slots[slot] !== 0) slot = (slot + 1) & mask;
  series.slots[slot] = m + 1;
}

function growSeries(series: Identities): void {
  const size = 2 * series.first.length;
  series.words = grown(series.words, 3 * size);
  series.first = grown(series.first, size);
  series.last = grown(series.last, size);
  series.seen = grown(series.seen, size);
  series.slots = new Uint32Array(2 * size);
  for (let m = 0; m < series.count; m++) place(series, m);
}

export function grown(old: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(size);
  next.set(old);
  return next;
}
