/**
 * What recovery does where a segment cannot be read further. One fact decides: a commit is only written after the one
 * before it is on disk, and each record says where its commit starts. So damage at an offset that a later good record
 * counts as on disk is damage to durable data; any other damage at the end of the last segment is a write that a crash
 * cut short, which nobody was told had succeeded.
 */

/**
 * The kind of end: of the file behind a whole record, inside a record, zeros to the end, bytes that are no record, bytes that
 * the disk does not give back; or of the segment's header: cut short, damaged, or whole but not of a version that this
 * program reads or not this segment's.
 */
export type Ending =
  | "end"
  | "partialRecord"
  | "zeros"
  | "badRecord"
  | "unreadable"
  | "partialHeader"
  | "damagedHeader"
  | "otherNumber"
  | "otherVersion";

/** Good records behind the damage: none, only such as do not count it as on disk, or one that does. */
export type Behind = "nothing" | "sameCommit" | "laterCommit";

/**
 * - done: nothing is wrong.
 * - truncate: cut the segment off where the damage starts and go on from there.
 * - remake: the segment was being created; make it anew.
 * - salvage: durable records are gone. Go on with the next good record, keep the segment as it is, say what is lost.
 * - refuse: another program's segment. Do not start; nothing is changed on disk.
 */
export type Verdict = "done" | "truncate" | "remake" | "salvage" | "refuse";

export function verdict(last: boolean, ending: Ending, behind: Behind): Verdict {
  if (ending === "end") return "done";
  if (ending === "otherVersion") return "refuse";
  // The next segment is made only when all of this one is on disk. What the disk does not give back was on it.
  if (!last || behind === "laterCommit" || ending === "otherNumber" || ending === "unreadable") return "salvage";
  if (ending !== "partialHeader" && ending !== "damagedHeader") return "truncate";
  // A header is on disk before the first record is written: records behind a bad one mean that it was good once.
  return behind === "nothing" ? "remake" : "salvage";
}
