import { type Disk, DiskError, type DiskFile } from "../../src/lib/disk.ts";
import type { SimDisk } from "../lib/sim-disk.ts";

/** The disk as one process sees it: operations fail as it is told, and none has any effect after the process was killed. */
export interface FailingDisk extends Disk {
  /** Changing operations so far: opens for writing, writes, syncs, renames, links and removals. */
  operations: number;
  /** Number of the operation that fails, and the ones after it while `lasting`. */
  failAt: number;
  lasting: boolean;
  code: string;
  /** Called before each changing operation with its name and path; may throw. */
  before: (op: string, path: string) => void;
  /** Failures so far. */
  failures: number;
  /** From now on no operation does anything, and none comes to an end. */
  kill(): void;
}

export function makeFailingDisk(disk: SimDisk): FailingDisk {
  let killed = false;
  const never = new Promise<never>(() => undefined);
  const change = async <A>(op: string, path: string, work: () => Promise<A>): Promise<A> => {
    if (killed) return never;
    const n = failing.operations++;
    failing.before(op, path);
    if (killed) return never;
    if (n === failing.failAt || (failing.lasting && n > failing.failAt)) {
      failing.failures++;
      // The disk below has to know: what was not on disk then is lost, though it can be read.
      if (op === "sync") {
        disk.failNext("sync", failing.code);
        await work().catch(() => undefined);
      }
      throw new DiskError(op, path, failing.code, `${failing.code}: simulated at operation ${n}`);
    }
    const result = await work();
    return killed ? never : result;
  };
  const look = async <A>(work: () => Promise<A>): Promise<A> => {
    if (killed) return never;
    const result = await work();
    return killed ? never : result;
  };
  const wrap = (path: string, file: DiskFile): DiskFile => ({
    ...file,
    read: (into, at) => look(() => file.read(into, at)),
    size: () => look(() => file.size()),
    write: (from, at) => change("write", path, () => file.write(from, at)),
    truncate: (size) => change("truncate", path, () => file.truncate(size)),
    sync: () => change("sync", path, () => file.sync()),
    close: () => look(() => file.close()),
  });
  const failing: FailingDisk = {
    operations: 0,
    failAt: Number.POSITIVE_INFINITY,
    lasting: false,
    code: "EIO",
    before: () => undefined,
    failures: 0,
    kill: () => {
      killed = true;
    },
    makeDir: (path) => change("mkdir", path, () => disk.makeDir(path)),
    list: (path) => look(() => disk.list(path)),
    open: (path, mode) =>
      mode === "read"
        ? look(async () => wrap(path, await disk.open(path, mode)))
        : change("open", path, async () => wrap(path, await disk.open(path, mode))),
    remove: (path) => change("remove", path, () => disk.remove(path)),
    rename: (from, to) => change("rename", to, () => disk.rename(from, to)),
    link: (from, to) => change("link", to, () => disk.link(from, to)),
    removeDir: (path) => change("rmdir", path, () => disk.removeDir(path)),
    syncDir: (path) => change("syncdir", path, () => disk.syncDir(path)),
  };
  return failing;
}
