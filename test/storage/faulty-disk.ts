import { type Disk, DiskError, type DiskFile } from "../../src/lib/disk.ts";

export interface FaultyDisk extends Disk {
  /** Operations so far: opens, writes, syncs, renames, removals, links and so on; not reads and closes. */
  operations: number;
  /** The number of the operation that fails, and the ones after it while `lasting`. */
  failAt: number;
  lasting: boolean;
  code: string;
}

/** A disk that fails at its nth changing operation. */
export function makeFaultyDisk(disk: Disk): FaultyDisk {
  const attempt = async <A>(op: string, path: string, work: () => Promise<A>): Promise<A> => {
    const n = faulty.operations++;
    if (n === faulty.failAt || (faulty.lasting && n > faulty.failAt)) {
      throw new DiskError(op, path, faulty.code, `${faulty.code}: simulated at operation ${n}`);
    }
    return await work();
  };
  const wrap = (path: string, file: DiskFile): DiskFile => ({
    ...file,
    write: (from, at) => attempt("write", path, () => file.write(from, at)),
    truncate: (size) => attempt("truncate", path, () => file.truncate(size)),
    sync: () => attempt("sync", path, () => file.sync()),
  });
  const faulty: FaultyDisk = {
    ...disk,
    operations: 0,
    failAt: Number.POSITIVE_INFINITY,
    lasting: false,
    code: "EIO",
    makeDir: (path) => attempt("mkdir", path, () => disk.makeDir(path)),
    open: (path, mode) =>
      mode === "read"
        ? disk.open(path, mode)
        : attempt("open", path, async () => wrap(path, await disk.open(path, mode))),
    remove: (path) => attempt("remove", path, () => disk.remove(path)),
    rename: (from, to) => attempt("rename", from, () => disk.rename(from, to)),
    link: (from, to) => attempt("link", from, () => disk.link(from, to)),
    syncDir: (path) => attempt("syncdir", path, () => disk.syncDir(path)),
  };
  return faulty;
}
