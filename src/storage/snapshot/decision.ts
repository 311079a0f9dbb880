/**
 * What a start loads. Two snapshots are kept, and the log since the older one; so one damaged file, whichever, costs time but
 * no data.
 */

/** A snapshot: it loads, it does not, there is none. */
export type Found = "ok" | "damaged" | "absent";

export interface Evidence {
  readonly newest: Found;
  /** The one before the newest. */
  readonly older: Found;
  /** Whether the log has everything since a snapshot's position, or ("start") since the shard began. */
  readonly logReaches: { readonly newest: boolean; readonly older: boolean; readonly start: boolean };
}

export interface Decision {
  readonly load: "newest" | "older" | "nothing";
  /** What is in neither snapshot nor log: nothing, what came between the two, all that was before the log. */
  readonly loss: "nothing" | "between" | "before";
}

export function decide({ newest, older, logReaches }: Evidence): Decision {
  if (newest === "ok") return { load: "newest", loss: logReaches.newest ? "nothing" : "between" };
  if (older === "ok") return { load: "older", loss: logReaches.older ? "nothing" : "between" };
  return { load: "nothing", loss: logReaches.start ? "nothing" : "before" };
}

/**
 * Bytes of log that are always worth reading again. Mostly definitions of new series, they take seconds: such a record costs
 * some twenty times what a sample does, and more than fifty times what the series costs in a snapshot.
 */
const LEAST = 64 << 20;

/** Whether so many bytes of log have come since the last snapshot (of so many bytes, 0: none) that the next one is due. */
export function snapshotIsDue(logBytes: number, lastSnapshotBytes: number): boolean {
  return logBytes > Math.max(LEAST, lastSnapshotBytes);
}
