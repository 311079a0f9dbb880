/**
 * What recovery does where a segment cannot be read further. One fact decides: a commit is only written after the one
 * before it is on disk, and each record says where its commit starts. So damage at an offset that a later good record
 * counts as on disk is damage to durable data; any other damage at the end of the last segment is a write that a crash
 * cut short, which nobody was told had succeeded.
 */

/**
 * The kind of end: of the file behind a whole record, inside a record, zeros to the end, bytes that are no record; or of the
 * segment's header: cut short, damaged, or whole but not of this program's version or not this segment's.
 */
export type Ending =
  | "end"
  | "partialRecord"
  | "zeros"
  | "badRecord"
  | "partialHeader"
  | "damagedHeader"
  | "foreignHeader";

/** Good records behind the damage: none, only such as do not count it as on disk, or one that does. */
export type Behind = "nothing" | "sameCommit" | "laterCommit";

/**
 * - done: nothing is wrong.
 * - truncate: cut the segment off where the damage starts and go on from there.
 * - remake: the segment was being created; make it anew.
 * - corrupt: refuse to start, name the place. Nothing is changed on disk.
 */
export type Verdict = "done" | "truncate" | "remake" | "corrupt";

export function verdict(last: boolean, ending: Ending, behind: Behind): Verdict {
  if (ending === "end") return "done";
  // The next segment is made only when all of this one is on disk.
  if (!last || behind === "laterCommit" || ending === "foreignHeader") return "corrupt";
  if (ending !== "partialHeader" && ending !== "damagedHeader") return "truncate";
  // A header is on disk before the first record is written: records behind a bad one mean that it was good once.
  return behind === "nothing" ? "remake" : "corrupt";
}
