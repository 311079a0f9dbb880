/**
 * Long synchronous work that can be ended from far inside it. What a shard does for a query is one call on a thread of its own;
 * loops deep in the storage say with `spend` how much they have done, and now and then that asks whether to go on, whoever
 * started the work. Outside of `watched` nothing is asked.
 */

/** Work between two questions; a unit is about a nanosecond, so that they are some milliseconds apart. */
const ASK_EVERY = 2_000_000;

let left = ASK_EVERY;
let ask: (() => void) | undefined;

/** Does the work; `check` is called now and then meanwhile, and ends it by throwing. */
export function watched<T>(check: () => void, work: () => T): T {
  const outer = ask;
  ask = check;
  left = ASK_EVERY;
  try {
    return work();
  } finally {
    ask = outer;
  }
}

/** Says that about so many nanoseconds of work are about to be done, or were. Throws what the check throws: keep state whole. */
export function spend(work: number): void {
  left -= work;
  if (left > 0) return;
  left = ASK_EVERY;
  ask?.();
}
