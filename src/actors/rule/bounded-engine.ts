import type { Engine } from "../../model/query.ts";

/**
 * An engine that is asked at most `most` instant queries at a time; others wait for their turn, in the order in which they came.
 * A shard refuses what is beyond its bound, and a rule must not fail because a thousand others are evaluated with it.
 */
export function boundedEngine(engine: Engine, most: number): Engine {
  const waiting = new Set<() => void>();
  let running = 0;

  const leave = (): void => {
    running--;
    const [next] = waiting;
    if (next === undefined) return;
    waiting.delete(next);
    next();
  };
  const turn = (signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener("abort", giveUp);
        running++;
        resolve();
      };
      const giveUp = (): void => {
        waiting.delete(begin);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      waiting.add(begin);
    });

  return {
    range: (request) => engine.range(request),
    instant: async (request) => {
      request.signal?.throwIfAborted();
      if (running < most) running++;
      else await turn(request.signal);
      try {
        return await engine.instant(request);
      } finally {
        leave();
      }
    },
  };
}
