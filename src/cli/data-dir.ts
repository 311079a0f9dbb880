import { access, constants, mkdir, stat } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname, join, resolve } from "node:path";
import { realDisk as disk } from "../lib/disk.ts";
import { readLayout, writeLayout } from "./data-layout.ts";

/** The data dir cannot be used; the message says why and what to do. */
export class DataDirError extends Error {
  override name = "DataDirError";
}

export interface DataDir {
  readonly path: string;
  /** Fixed when the data dir was made. */
  readonly partitions: number;
  readonly nats: string;
  readonly alerting: string;
  readonly rules: string;
  readonly shard: (partition: number) => string;
  /** Lets another process have the folder. */
  release(): Promise<void>;
}

/** Opens a data dir for this process alone, and makes it where there is none. Rejects with DataDirError. */
export async function openDataDir(dir: string, wantedPartitions: number): Promise<DataDir> {
  const path = resolve(dir);
  try {
    await makeFolder(path);
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code ?? String(e);
    throw new DataDirError(
      `cannot write to the data dir ${path} (${code}): make it writable for this user or name another with --data-dir`,
    );
  }
  const lock = await lockDir(path);
  try {
    const partitions = await settleLayout(path, wantedPartitions);
    return {
      path,
      partitions,
      nats: join(path, "nats"),
      alerting: join(path, "alerting"),
      rules: join(path, "rules"),
      shard: (partition) => join(path, "shards", String(partition)),
      release: () => unlock(lock),
    };
  } catch (e) {
    lock.close();
    throw e;
  }
}

/**
 * Keeps other processes from a folder that is there, without a look at what is in it; resolves to what ends that. Rejects with
 * DataDirError.
 */
export async function holdDir(dir: string): Promise<() => Promise<void>> {
  const lock = await lockDir(resolve(dir));
  return () => unlock(lock);
}

const unlock = (lock: Server): Promise<void> => new Promise((done) => lock.close(() => done()));

/**
 * Makes the folder and its parents; rejects with the system's error. Node's recursive mkdir never ends where a folder can
 * be seen and nothing be made in it (/proc).
 */
async function makeFolder(path: string): Promise<void> {
  const make = () =>
    mkdir(path).catch(async (e: NodeJS.ErrnoException) => {
      if (e.code !== "EEXIST" || !(await stat(path)).isDirectory()) throw e;
    });
  try {
    await make();
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== "ENOENT" || dirname(path) === path) throw e;
    await makeFolder(dirname(path));
    await make();
  }
}

/**
 * One process a data dir: an abstract Unix socket named by the folder's device and inode. The kernel gives the name to one
 * process only and takes it back when that ends, however it ends, so there is no stale lock.
 */
async function lockDir(path: string): Promise<Server> {
  const { dev, ino } = await stat(path);
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return new Promise((done, fail) => {
    server.once("error", (e: NodeJS.ErrnoException) => {
      const why =
        e.code === "EADDRINUSE"
          ? `another tocsin process uses the data dir ${path}: stop it or name another with --data-dir`
          : `cannot lock the data dir ${path}: ${e.message}`;
      fail(new DataDirError(why));
    });
    server.listen(`\0tocsin-data-dir-${dev}-${ino}`, () => done(server));
  });
}

/** The number of partitions that the data dir has, or is made with here. */
async function settleLayout(path: string, wanted: number): Promise<number> {
  const layout = await readLayout(disk, path);
  if (layout.kind === "bad") throw new DataDirError(layout.problem);
  if (layout.kind === "none") {
    await writeLayout(disk, path, wanted).catch((error: Error) => {
      throw new DataDirError(`cannot write to the data dir ${path}: ${error.message}`);
    });
    return wanted;
  }
  // One without a checksum is of an earlier version. It has served so far, also where nothing can be written now.
  if (!layout.hasChecksum) await writeLayout(disk, path, layout.partitions).catch(() => undefined);
  return layout.partitions;
}
