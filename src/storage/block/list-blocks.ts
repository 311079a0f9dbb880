import { type Disk, ifThere } from "../../lib/disk.ts";
import { isBlockId, TEMPORARY } from "./block-id.ts";

export interface TierFolder {
  /** Ids of finished blocks, ascending: in order of making. */
  readonly blocks: readonly string[];
  /** Names of folders that a crash left half written: to be removed. */
  readonly leftovers: readonly string[];
  /** What else there is, and is nobody's here. */
  readonly others: readonly string[];
}

/** What is in a tier's folder; nothing when there is none. Rejects with `DiskError`. */
export async function listBlocks(disk: Disk, tierDir: string): Promise<TierFolder> {
  const names = (await ifThere(disk.list(tierDir))) ?? [];
  const temporary = (name: string): boolean => name.startsWith(TEMPORARY);
  return {
    blocks: names.filter(isBlockId),
    leftovers: names.filter(temporary),
    others: names.filter((name) => !temporary(name) && !isBlockId(name)),
  };
}
