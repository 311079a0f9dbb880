import { randomBytes } from "node:crypto";
import { access, constants, mkdir, readdir, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname, join, resolve } from "node:path";

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
  readonly shard: (partition: number) => string;
  /** Lets another process have the folder. */
  release(): Promise<void>;
}

interface Facts {
  readonly format: 1;
  readonly partitions: number;
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
    const facts = await readFacts(path, wantedPartitions);
    return {
      path,
      partitions: facts.partitions,
      nats: join(path, "nats"),
      alerting: join(path, "alerting"),
      shard: (partition) => join(path, "shards", String(partition)),
      release: () => new Promise((done) => lock.close(() => done())),
    };
  } catch (e) {
    lock.close();
    throw e;
  }
}

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

async function readFacts(path: string, wantedPartitions: number): Promise<Facts> {
  const file = join(path, "tocsin.json");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== "ENOENT")
      throw new DataDirError(`cannot read ${file}: ${(e as Error).message}`);
    const shards = await readdir(join(path, "shards")).catch(() => [] as string[]);
    if (shards.length > 0) {
      // With another number of partitions series would be looked for in the wrong shards.
      throw new DataDirError(
        `${file} is missing though ${path} holds the data of ${shards.length} shards: put it back, {"format":1,"partitions":${shards.length}}`,
      );
    }
    return writeFacts(file, { format: 1, partitions: wantedPartitions });
  }
  try {
    const facts = JSON.parse(text) as Facts;
    if (facts.format === 1 && Number.isInteger(facts.partitions) && facts.partitions > 0) return facts;
  } catch {
    // Told below, with the file's name.
  }
  throw new DataDirError(`${file} is not a Tocsin data dir's description: is ${path} the right folder?`);
}

async function writeFacts(file: string, facts: Facts): Promise<Facts> {
  const temporary = `${file}.${randomBytes(4).toString("hex")}`;
  try {
    await writeFile(temporary, `${JSON.stringify(facts, null, 2)}\n`, { flush: true });
    await rename(temporary, file);
  } catch (e) {
    await unlink(temporary).catch(() => {});
    throw new DataDirError(`cannot write ${file}: ${(e as Error).message}`);
  }
  return facts;
}
