/** Bytes that are reused from request to request, with a view over them. `view` always covers all of `bytes`. */
export interface ByteArena {
  bytes: Uint8Array;
  view: DataView;
}

/** Memory behind the last byte in use that copy loops may overwrite. */
export const ARENA_SLACK = 16;

export function makeArena(capacity: number): ByteArena {
  const bytes = new Uint8Array(capacity + ARENA_SLACK);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** Makes room for `size` bytes and the slack, keeping the first `keep` bytes. */
export function reserveArena(arena: ByteArena, size: number, keep: number): void {
  if (size + ARENA_SLACK <= arena.bytes.length) return;
  const bytes = new Uint8Array(Math.max(size, 2 * keep) + ARENA_SLACK);
  bytes.set(arena.bytes.subarray(0, keep));
  arena.bytes = bytes;
  arena.view = new DataView(bytes.buffer);
}
