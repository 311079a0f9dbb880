import { QueryError } from "../model/query.ts";

/**
 * Lets so many queries run at a time; the others wait, tenants taking turns, so that one with a thousand panels does not keep the
 * others from their one. What waits is bounded, and when all places are taken it is the tenant with the most that loses one.
 */
export interface QueryQueue {
  /**
   * Resolves to what must be called when the query is done. Rejects with the signal's reason when it is aborted before its turn, and
   * with `QueryError` ("unavailable") when too many wait.
   * @param mostOfTenant how many of the tenant's may run at a time, 0: as many as there may be at all
   */
  enter(tenant: string, signal: AbortSignal, mostOfTenant?: number): Promise<() => void>;
  stats(): { readonly running: number; readonly waiting: number };
}

export interface QueueBounds {
  readonly maxRunning: number;
  readonly maxWaiting: number;
}

interface Waiting {
  readonly most: number;
  readonly start: () => void;
  readonly refuse: () => void;
}

/** Makes a queue. Bounds that are a function are looked at whenever a query comes or goes. */
export function makeQueryQueue(bounds: QueueBounds | (() => QueueBounds)): QueryQueue {
  const now = typeof bounds === "function" ? bounds : () => bounds;
  let running = 0;
  let waiting = 0;
  /** Tenants that wait, the one whose turn is next first; each with its queries in the order of their arrival. */
  const turns = new Map<string, Set<Waiting>>();
  const runningOf = new Map<string, number>();

  const leave = (tenant: string, entry: Waiting): void => {
    const own = turns.get(tenant);
    if (own?.delete(entry) !== true) return;
    waiting--;
    if (own.size === 0) turns.delete(tenant);
  };

  const mayRun = (tenant: string, most: number): boolean =>
    running < now().maxRunning && (most === 0 || (runningOf.get(tenant) ?? 0) < most);

  /** Starts as many as may run: of the tenants in their turn those that have not too many already. */
  const startNext = (): void => {
    for (const [tenant, own] of [...turns]) {
      if (running >= now().maxRunning) return;
      const entry = own.values().next().value as Waiting;
      if (!mayRun(tenant, entry.most)) continue;
      leave(tenant, entry);
      if (own.size > 0) {
        turns.delete(tenant);
        turns.set(tenant, own);
      }
      entry.start();
    }
  };

  const run = (tenant: string): (() => void) => {
    running++;
    runningOf.set(tenant, (runningOf.get(tenant) ?? 0) + 1);
    let done = false;
    return () => {
      if (done) return;
      done = true;
      running--;
      const left = (runningOf.get(tenant) ?? 1) - 1;
      if (left === 0) runningOf.delete(tenant);
      else runningOf.set(tenant, left);
      startNext();
    };
  };

  const full = (): QueryError => {
    const text = `${running} queries are running and ${waiting} are waiting, the most there may be (limits.max_concurrent_queries, limits.max_queued_queries): try again later`;
    return new QueryError("unavailable", text);
  };

  /** Makes room for one more of the tenant: the newest of the one with the most goes. False where that is the tenant itself. */
  const makeRoom = (tenant: string): boolean => {
    let longest: Set<Waiting> | undefined;
    for (const own of turns.values()) if (own.size > (longest?.size ?? 0)) longest = own;
    if (longest === undefined || (turns.get(tenant)?.size ?? 0) + 1 >= longest.size) return false;
    ([...longest].at(-1) as Waiting).refuse();
    return true;
  };

  return {
    enter: (tenant, signal, mostOfTenant = 0) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (mayRun(tenant, mostOfTenant)) return resolve(run(tenant));
        if (waiting >= now().maxWaiting && !makeRoom(tenant)) return reject(full());
        const onAbort = (): void => {
          leave(tenant, entry);
          reject(signal.reason);
        };
        const entry: Waiting = {
          most: mostOfTenant,
          start: () => {
            signal.removeEventListener("abort", onAbort);
            resolve(run(tenant));
          },
          refuse: () => {
            signal.removeEventListener("abort", onAbort);
            const error = full();
            leave(tenant, entry);
            reject(error);
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
