/**
 * Starting a shard from its folder: the newest snapshot that loads, then the log since it. Nothing damaged is thrown away: it
 * goes to the folder `quarantine`.
 */
import { join } from "node:path";
import { type Disk, DiskError } from "../../lib/disk.ts";
import { segmentNumber } from "../wal/format.ts";
import { type OpenedWal, type OpenOptions, openWal } from "../wal/open.ts";
import { type Decision, decide, type Evidence, type Found } from "./decision.ts";
import { type LoadedSnapshot, loadSnapshot } from "./load.ts";
import { SnapshotError } from "./snapshot-error.ts";
import { listSnapshots, removeLeftovers } from "./write.ts";

export interface RecoverOptions extends Omit<OpenOptions, "from" | "quarantine"> {
  readonly disk: Disk;
  /** The shard's folder. */
  readonly dir: string;
  /** A fresh state; what the snapshot holds is put in its place. */
  readonly state: object;
  /** Paths in the state that no snapshot has. */
  readonly skip: ReadonlySet<string>;
}

export interface Recovered {
  readonly opened: OpenedWal;
  /** The snapshot that was loaded, undefined for none. */
  readonly snapshot: LoadedSnapshot | undefined;
  /** Generations that are there and good as far as is known, newest first, with what they need of the log. */
  readonly kept: readonly { readonly generation: number; readonly bytes: number; readonly segment: number }[];
  readonly decision: Decision;
  /** Snapshots that could not be loaded, and where they are now (undefined: still where they were). */
  readonly damaged: readonly { readonly error: SnapshotError; readonly quarantined: string | undefined }[];
  /** Files of unfinished snapshots that were removed. */
  readonly leftovers: number;
}

export const walDir = (dir: string): string => join(dir, "wal");
export const headDir = (dir: string): string => join(dir, "head");
export const quarantineDir = (dir: string): string => join(dir, "quarantine");

/**
 * Recovers a shard. Rejects with SnapshotError of kind version or layout, and WalError of kind version (nothing was changed
 * then: another version of the program wrote the files), or DiskError.
 */
export async function recoverShard(options: RecoverOptions): Promise<Recovered> {
  const { disk, dir, state, skip } = options;
  const heads = headDir(dir);
  await disk.makeDir(heads);
  const leftovers = await removeLeftovers(disk, heads);
  const generations = await listSnapshots(disk, heads);
  const errors: SnapshotError[] = [];
  const found: Found[] = [];
  let snapshot: LoadedSnapshot | undefined;
  for (const generation of generations) {
    try {
      snapshot = await loadSnapshot(disk, heads, generation, state, skip);
      found.push("ok");
      break;
    } catch (error) {
      if (!(error instanceof SnapshotError && error.kind === "damaged")) throw error;
      errors.push(error);
      found.push("damaged");
    }
  }
  const evidence = await judgeLog(options, found, snapshot);
  const decision = decide(evidence);
  const opened = await openWal(walDir(dir), disk, {
    ...options,
    from: snapshot?.position,
    quarantine: quarantineDir(dir),
  });
  const damaged: Recovered["damaged"][number][] = [];
  for (const error of errors) damaged.push({ error, quarantined: await moveAway(disk, dir, error.path) });
  const kept = await describeKept(options, snapshot, generations);
  return { opened, snapshot, kept, decision, damaged, leftovers };
}

/** What the log reaches back to. Of older generations than the second there are none but after a failed removal. */
async function judgeLog(
  { disk, dir }: RecoverOptions,
  found: readonly Found[],
  snapshot: LoadedSnapshot | undefined,
): Promise<Evidence> {
  await disk.makeDir(walDir(dir));
  const first = (await disk.list(walDir(dir))).flatMap((name) => segmentNumber(name) ?? [])[0];
  const reaches = snapshot !== undefined && first !== undefined && first <= snapshot.position.segment;
  // A shard without any file is one that begins.
  const start = first === undefined ? found.length === 0 : first === 1;
  const newest = found[0] ?? "absent";
  const older = newest === "ok" ? "absent" : found.includes("ok") ? "ok" : (found[1] ?? "absent");
  return { newest, older, logReaches: { newest: reaches, older: reaches, start } };
}

async function moveAway(disk: Disk, dir: string, path: string): Promise<string | undefined> {
  const to = join(quarantineDir(dir), path.slice(headDir(dir).length + 1));
  try {
    await disk.makeDir(quarantineDir(dir));
    await disk.rename(path, to);
    await disk.syncDir(quarantineDir(dir));
    await disk.syncDir(headDir(dir));
    return to;
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}

/**
 * The loaded one and the one before it. What the latter needs of the log is not known without reading it: all of the log that
 * is there, until it goes.
 */
async function describeKept(
  { disk, dir }: RecoverOptions,
  snapshot: LoadedSnapshot | undefined,
  generations: readonly number[],
): Promise<Recovered["kept"]> {
  if (snapshot === undefined) return [];
  const first = (await disk.list(walDir(dir))).flatMap((name) => segmentNumber(name) ?? [])[0] ?? 1;
  const { generation, bytes, position } = snapshot;
  const before = generations.find((g) => g < generation);
  const kept = [{ generation, bytes, segment: position.segment }];
  if (before !== undefined) kept.push({ generation: before, bytes: 0, segment: first });
  return kept;
}
