import { type Disk, DiskError, type DiskFile } from "../../src/lib/disk.ts";

/** The disk, which does not give back bytes from...to of one file (or all of the file: from 0 to Infinity fails opening). */
export function withBadSectors(
  disk: Disk,
  bad: { readonly path: string; readonly from: number; readonly to: number },
): Disk {
  const error = (op: string): DiskError => new DiskError(op, bad.path, "EIO", "EIO: simulated");
  const check = (length: number, at: number): void => {
    if (at < bad.to && at + length > bad.from && bad.to > bad.from) throw error("read");
  };
  const failing = (file: DiskFile): DiskFile => ({
    ...file,
    read: async (into, at) => {
      check(Math.min(into.length, Math.max(0, (await file.size()) - at)), at);
      return await file.read(into, at);
    },
    readSync: (into, at) => {
      check(into.length, at);
      return file.readSync(into, at);
    },
  });
  return {
    ...disk,
    open: async (path, mode) => {
      if (path !== bad.path) return await disk.open(path, mode);
      if (bad.from === 0 && bad.to === Number.POSITIVE_INFINITY) throw error("open");
      return failing(await disk.open(path, mode));
    },
  };
}
