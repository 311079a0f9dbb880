import { QueryError } from "../model/query.ts";

/**
 * Lets so many queries run at a time; the others wait, tenants taking turns, so that one with a thousand panels does not keep the
 * others from their one. What waits is bounded.
 */
export interface QueryQueue {
  /**
   * Resolves to what must be called when the query is done. Rejects with the signal's reason when it is aborted before its turn, and
   * with `QueryError` ("unavailable") when too many wait.
   */
  enter(tenant: string, signal: AbortSignal): Promise<() => void>;
  stats(): { readonly running: number; readonly waiting: number };
}

export interface QueueBounds {
  readonly maxRunning: number;
  readonly maxWaiting: number;
}

interface Waiting {
  readonly start: () => void;
}

export function makeQueryQueue({ maxRunning, maxWaiting }: QueueBounds): QueryQueue {
  let running = 0;
  let waiting = 0;
  /** Tenants that wait, the one whose turn is next first; each with its queries in the order of their arrival. */
  const turns = new Map<string, Set<Waiting>>();

  const leave = (tenant: string, entry: Waiting): void => {
    const own = turns.get(tenant);
    if (own?.delete(entry) !== true) return;
    waiting--;
    if (own.size === 0) turns.delete(tenant);
  };

  const startNext = (): void => {
    const next = turns.entries().next();
    if (next.done === true || running >= maxRunning) return;
    const [tenant, own] = next.value;
    const entry = own.values().next().value as Waiting;
    leave(tenant, entry);
    if (own.size > 0) {
      turns.delete(tenant);
      turns.set(tenant, own);
    }
    entry.start();
  };

  const release = (): (() => void) => {
    let done = false;
    return () => {
      if (done) return;
      done = true;
      running--;
      startNext();
    };
  };

  return {
    enter: (tenant, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (running < maxRunning) {
          running++;
          return resolve(release());
        }
        if (waiting >= maxWaiting) {
          const text = `${running} queries are running and ${waiting} are waiting, the most there may be (limits.max_concurrent_queries, limits.max_queued_queries): try again later`;
          return reject(new QueryError("unavailable", text));
        }
        const onAbort = (): void => {
          leave(tenant, entry);
          reject(signal.reason);
        };
        const entry: Waiting = {
          start: () => {
            signal.removeEventListener("abort", onAbort);
            running++;
            resolve(release());
          },
        };
        signal.addEventListener("abort", onAbort, { once: true });
        const own = turns.get(tenant);
        if (own === undefined) turns.set(tenant, new Set([entry]));
        else own.add(entry);
        waiting++;
      }),
    stats: () => ({ running, waiting }),
  };
}
