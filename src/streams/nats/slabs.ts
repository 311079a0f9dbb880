/**
 * Memory for messages that are read and soon done with: slabs that are used again, so that reading makes no garbage (an
 * ArrayBuffer a message costs a thread more in collections than all else that it does with the message).
 *
 * Invariants: a message lies in one slab, its start 8-byte aligned; a slab is used again only when every message in it was
 * let go of.
 */
export interface Slab {
  bytes: Uint8Array<ArrayBuffer>;
  used: number;
  /** Messages in it that nobody has let go of. */
  live: number;
}

export interface Slabs {
  current: Slab | undefined;
  /** Empty, to be used again. */
  readonly free: Slab[];
  /** Bytes of free slabs that are kept. */
  readonly maxFree: number;
}

const SLAB_BYTES = 4 << 20;

export function makeSlabs(maxFree: number): Slabs {
  return { current: undefined, free: [], maxFree };
}

/** Room for a message of so many bytes: in `slab.bytes` from `slab.used` on. It counts as live. */
export function takeRoom(slabs: Slabs, bytes: number): Slab {
  let slab = slabs.current;
  if (slab !== undefined && slab.used + bytes > slab.bytes.length) slab = undefined;
  if (slab === undefined) {
    slab = slabs.free.pop();
    if (slab === undefined || slab.bytes.length < bytes) {
      slab = { bytes: new Uint8Array(Math.max(SLAB_BYTES, bytes)), used: 0, live: 0 };
    }
    const before = slabs.current;
    slabs.current = slab;
    if (before !== undefined && before.live === 0) recycle(slabs, before);
  }
  slab.live++;
  return slab;
}

/** Ends a message at so many bytes behind where its room began. */
export function endRoom(slab: Slab, bytes: number): void {
  slab.used = (slab.used + bytes + 7) & ~7;
}

/** One message of the slab is done with. */
export function letGo(slabs: Slabs, slab: Slab): void {
  if (--slab.live > 0) return;
  if (slab === slabs.current) slab.used = 0;
  else recycle(slabs, slab);
}

function recycle(slabs: Slabs, slab: Slab): void {
  slab.used = 0;
  // A large one was for a rare message.
  if (slab.bytes.length > SLAB_BYTES || SLAB_BYTES * (slabs.free.length + 1) > slabs.maxFree) return;
  slabs.free.push(slab);
}
