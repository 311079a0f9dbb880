import { QueryError } from "../../model/query.ts";

/** Lets so many in at a time, the others in the order in which they came. */
export interface Gate {
  /** Resolves with the function to call when done. Rejects when the signal is aborted while it waits. */
  enter(signal: AbortSignal): Promise<() => void>;
}

export function makeGate(limit: number): Gate {
  let inside = 0;
  const waiting: (() => void)[] = [];
  const leave = () => {
    const next = waiting.shift();
    if (next === undefined) inside--;
    else next();
  };
  /** Only the first call counts. */
  const once = () => {
    let left = false;
    return () => {
      if (!left) leave();
      left = true;
    };
  };
  return {
    async enter(signal) {
      if (signal.aborted) throw gone();
      if (inside < limit) {
        inside++;
        return once();
      }
      await new Promise<void>((resolve, reject) => {
        const enter = () => {
          signal.removeEventListener("abort", stop);
          resolve();
        };
        const stop = () => {
          waiting.splice(waiting.indexOf(enter), 1);
          reject(gone());
        };
        waiting.push(enter);
        signal.addEventListener("abort", stop, { once: true });
      });
      return once();
    },
  };
}

function gone(): QueryError {
  return new QueryError("canceled", "the client closed the connection");
}
