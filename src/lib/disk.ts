/**
 * Files as durable storage needs them: explicit positions, explicit syncs, every failure typed. Durable code takes a
 * `Disk` as an argument, so that tests can run it on one that fails, tears writes and loses what was not synced.
 *
 * A write is durable after `sync` of the file; a name (created, renamed, removed) after `syncDir` of its folder.
 */
import { readSync } from "node:fs";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";

export interface Disk {
  /** Makes the folder and its parents; no error when it is there. */
  makeDir(path: string): Promise<void>;
  /** Names in a folder, sorted. */
  list(path: string): Promise<string[]>;
  /** `create` makes an empty file, or empties the one that is there. */
  open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile>;
  remove(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for the file, on the same file system; rejects with code EXDEV across two. */
  link(from: string, to: string): Promise<void>;
  /** Removes a folder with all that is in it; no error when it is not there. */
  removeDir(path: string): Promise<void>;
  syncDir(path: string): Promise<void>;
}

export interface DiskFile {
  /** Reads into the whole of `into`; returns how many bytes there were, fewer only at the end of the file. */
  read(into: Uint8Array, at: number): Promise<number>;
  /** As `read`, but at once: for readers of immutable files inside work that must not be interrupted. */
  readSync(into: Uint8Array, at: number): number;
  /** Writes all of `from`, or rejects; a rejected write may have written a part. */
  write(from: Uint8Array, at: number): Promise<void>;
  size(): Promise<number>;
  truncate(size: number): Promise<void>;
  /** Data and size are on disk when it resolves (fdatasync). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What the operating system said: `code` is the errno name (ENOSPC, EIO, ENOENT, ...). */
export class DiskError extends Error {
  readonly op: string;
  readonly path: string;
  readonly code: string;
  constructor(op: string, path: string, code: string, message: string) {
    super(`${op} ${path}: ${message}`);
    this.name = "DiskError";
    this.op = op;
    this.path = path;
    this.code = code;
  }
}

async function attempt<A>(op: string, path: string, work: () => Promise<A>): Promise<A> {
  try {
    return await work();
  } catch (error) {
    throw diskError(op, path, error);
  }
}

function diskError(op: string, path: string, error: unknown): DiskError {
  const e = error as NodeJS.ErrnoException;
  return new DiskError(op, path, e.code ?? "UNKNOWN", e.message);
}

/** The file system of this machine. */
export const realDisk: Disk = {
  makeDir: (path) => attempt("mkdir", path, async () => void (await fs.mkdir(path, { recursive: true }))),
  list: (path) => attempt("list", path, async () => (await fs.readdir(path)).sort()),
  open: (path, mode) =>
    attempt("open", path, async () => {
      const flags = mode === "read" ? "r" : mode === "write" ? "r+" : "w+";
      return realFile(path, await fs.open(path, flags));
    }),
  remove: (path) => attempt("remove", path, () => fs.unlink(path)),
  rename: (from, to) => attempt("rename", from, () => fs.rename(from, to)),
  link: (from, to) => attempt("link", from, () => fs.link(from, to)),
  removeDir: (path) => attempt("rmdir", path, () => fs.rm(path, { recursive: true, force: true })),
  syncDir: (path) =>
    attempt("syncdir", path, async () => {
      const handle = await fs.open(path, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    }),
};

function realFile(path: string, handle: fs.FileHandle): DiskFile {
  return {
    read: (into, at) =>
      attempt("read", path, async () => {
        let done = 0;
        while (done < into.length) {
          const { bytesRead } = await handle.read(into, done, into.length - done, at + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return done;
      }),
    write: (from, at) =>
      attempt("write", path, async () => {
        let done = 0;
        while (done < from.length) {
          const { bytesWritten } = await handle.write(from, done, from.length - done, at + done);
          done += bytesWritten;
        }
      }),
    readSync: (into, at) => {
      try {
        let done = 0;
        while (done < into.length) {
          const bytesRead = readSync(handle.fd, into, done, into.length - done, at + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return done;
      } catch (error) {
        throw diskError("read", path, error);
      }
    },
    size: () => attempt("stat", path, async () => (await handle.stat()).size),
    truncate: (size) => attempt("truncate", path, () => handle.truncate(size)),
    sync: () => attempt("fdatasync", path, () => handle.datasync()),
    close: () => attempt("close", path, () => handle.close()),
  };
}

/** What an operation on a file or folder gives, undefined when there is none. Rejects with any other error of it. */
export async function ifThere<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (error instanceof DiskError && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The whole file, or undefined when there is none. */
export async function readWhole(disk: Disk, path: string): Promise<Uint8Array | undefined> {
  const file = await ifThere(disk.open(path, "read"));
  if (file === undefined) return undefined;
  try {
    const bytes = new Uint8Array(await file.size());
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** Replaces a small file so that a crash leaves the old or the new content, never a mixture, and the new one durable. */
export async function replaceFile(disk: Disk, path: string, content: Uint8Array): Promise<void> {
  const dir = dirname(path);
  const temporary = join(dir, `.${basename(path)}.tmp`);
  const file = await disk.open(temporary, "create");
  try {
    await file.write(content, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDir(dir);
}
