/**
 * Ticks of something that runs every `intervalMs`: the moments t with `t % intervalMs == offsetMs`. They depend on nothing
 * but the two numbers, so a restart keeps them, and different offsets spread many things over the interval.
 */

/** The first tick after `now` (Unix milliseconds). */
export function nextTick(now: number, intervalMs: number, offsetMs: number): number {
  const tick = Math.floor((now - offsetMs) / intervalMs) * intervalMs + offsetMs;
  return tick + intervalMs;
}

/** An offset in [0, intervalMs) that is always the same for the same text. */
export function tickOffset(key: string, intervalMs: number): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  h ^= h >>> 15;
  return (h >>> 0) % Math.max(1, Math.floor(intervalMs));
}

/**
 * The time to stamp on samples taken at `now` for the tick `due`: the tick itself when they are no more than a hundredth
 * of the interval and 10 ms apart, so that the samples stand at equal distances, which storage codes best.
 */
export function stampTick(now: number, due: number, intervalMs: number): number {
  return Math.abs(now - due) <= Math.min(intervalMs / 100, 10) ? due : now;
}
