/**
 * When a group is evaluated: at fixed times, spread over the interval by the group's identity, so that a restart goes on
 * at the same times and many groups do not start together.
 */
export function firstTick(key: string, intervalMs: number, now: number): number {
  const offset = spread(key) % intervalMs;
  const past = now - ((((now - offset) % intervalMs) + intervalMs) % intervalMs);
  return past === now ? now : past + intervalMs;
}

/** How many ticks, `tick` included, are skipped at `now` so that at most `catchUp` late ones remain. */
export function missedTicks(tick: number, intervalMs: number, now: number, catchUp: number): number {
  const late = Math.floor((now - tick) / intervalMs);
  return Math.max(0, late - catchUp);
}

/** FNV-1a over the UTF-16 code units; only has to spread. */
function spread(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  return h >>> 0;
}
