/** Keeping a damaged file for people to look at, before anything is done with it. */
import { join } from "node:path";
import { type Disk, DiskError } from "../../lib/disk.ts";
import { readRest } from "./segment-reader.ts";

/**
 * Puts a copy of the file into the folder (made when it is not there) under `name`: another name for it if it will not be
 * changed and the file system can do that, else its readable bytes. Returns the copy's path, also when it was there from an
 * earlier start; undefined when it could not be made.
 */
export async function quarantineFile(
  disk: Disk,
  path: string,
  folder: string,
  name: string,
): Promise<string | undefined> {
  const copy = join(folder, name);
  try {
    await disk.makeDir(folder);
    if ((await disk.list(folder)).includes(name)) return copy;
    try {
      await disk.link(path, copy);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      await copyReadable(disk, path, copy);
    }
    await disk.syncDir(folder);
    return copy;
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}

async function copyReadable(disk: Disk, path: string, copy: string): Promise<void> {
  const from = await disk.open(path, "read");
  try {
    const { bytes } = await readRest(from, 0, await from.size());
    const to = await disk.open(copy, "create");
    try {
      await to.write(bytes, 0);
      await to.sync();
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}
