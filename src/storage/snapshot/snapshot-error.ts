/**
 * - damaged: bytes are missing, cannot be read or do not have their checksum. An older snapshot may do.
 * - version: written by another version of this program, whose bytes this one does not read.
 * - layout: whole, but what is in it is not what this program keeps: fields differ by name or type.
 */
export type SnapshotErrorKind = "damaged" | "version" | "layout";

export class SnapshotError extends Error {
  readonly kind: SnapshotErrorKind;
  readonly path: string;
  constructor(kind: SnapshotErrorKind, path: string, message: string, cause?: unknown) {
    super(`${path}: ${message}`, cause === undefined ? {} : { cause });
    this.name = "SnapshotError";
    this.kind = kind;
    this.path = path;
  }
}
