import { DiskError } from "../../lib/disk.ts";

/**
 * - version: a segment was written by another version of this program. Nothing was changed.
 * - no_space: a commit did not fit the disk. Its records are kept in memory, the next sync tries again.
 * - failed: a write or fsync failed, so what is on disk is not known. The WAL takes nothing more until it is opened again.
 * - closed: used after `walClose`.
 */
export type WalErrorKind = "version" | "no_space" | "failed" | "closed";

export class WalError extends Error {
  readonly kind: WalErrorKind;
  /** Path of the segment. */
  readonly segment: string;
  /** Byte in the segment. */
  readonly offset: number;
  constructor(kind: WalErrorKind, segment: string, offset: number, message: string, cause?: unknown) {
    super(`${segment} at byte ${offset}: ${message}`, cause === undefined ? {} : { cause });
    this.name = "WalError";
    this.kind = kind;
    this.segment = segment;
    this.offset = offset;
  }
}

const OUT_OF_SPACE: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** Whether something could not be written for want of space: the same may succeed later. */
export function isWantOfSpace(error: unknown): boolean {
  if (error instanceof WalError) return error.kind === "no_space";
  return error instanceof DiskError && OUT_OF_SPACE.has(error.code);
}
