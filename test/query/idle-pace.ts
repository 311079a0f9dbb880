import type { Pace } from "../../src/query/execute/pace.ts";

/** The pace of a query that has all the time there is: its clock stands still. */
export function idlePace(): Pace {
  return { signal: new AbortController().signal, deadline: 1, now: () => 0, work: 0, turnAt: 0 };
}
