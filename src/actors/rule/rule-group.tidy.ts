import { basename, join } from "node:path";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { type Disk, ifThere, readWhole } from "../../lib/disk.ts";

/**
 * Removes what is kept on disk of rule groups that are gone. A group that is back within a day (a file that was moved away, a
 * mistake in it, a namespace that was posted again) finds its alerts as they were.
 */
export interface TidyOptions {
  readonly disk: Disk;
  /** Of the state files. */
  readonly folder: string;
  /** The paths of the state files of the groups that there are. */
  readonly inUse: () => readonly string[];
}

/** After an evaluation so long ago all alerts of a group have ended in the alert manager, and are forgotten. */
export const KEPT_MS = 24 * 3_600_000;
const EVERY_MS = 3_600_000;

/** Looks once an hour, for ever. */
export const tidyRuleStates = Effect.fnUntraced(function* (options: TidyOptions) {
  const firstSeen = new Map<string, number>();
  while (true) {
    yield* Effect.sleep(EVERY_MS);
    const now = yield* Clock.currentTimeMillis;
    const removed = yield* Effect.tryPromise(() => tidyOnce(options, now, firstSeen)).pipe(
      Effect.catch((e) =>
        Effect.as(Effect.logWarning(`state of rule groups that are gone not removed (${String(e.cause)})`), 0),
      ),
    );
    if (removed > 0) yield* Effect.logInfo(`state of ${removed} rule groups that are gone was removed`);
  }
});

/**
 * Returns of how many groups the state was removed.
 * @param firstSeen when a group that is gone, and of which nobody knows when it was alive, was found first
 */
export async function tidyOnce(
  { disk, folder, inUse }: TidyOptions,
  now: number,
  firstSeen: Map<string, number>,
): Promise<number> {
  const used = new Set(inUse().map((path) => basename(path, ".json")));
  const gone = new Map<string, string[]>();
  for (const name of await disk.list(folder)) {
    // <group>.json, .json.alive, .json.damaged, .<generation>.log, and what an interrupted write left of them.
    const group = /^([0-9a-f]{24})\./.exec(name)?.[1];
    if (group !== undefined && !used.has(group)) gone.set(group, [...(gone.get(group) ?? []), name]);
  }
  for (const group of firstSeen.keys()) if (!gone.has(group)) firstSeen.delete(group);
  let removed = 0;
  for (const [group, names] of gone) {
    if (!firstSeen.has(group)) firstSeen.set(group, now);
    const lastAlive = await aliveAt(disk, join(folder, `${group}.json.alive`));
    if (now - (lastAlive ?? (firstSeen.get(group) as number)) <= KEPT_MS) continue;
    // Whoever came back meanwhile keeps it.
    if (inUse().some((path) => basename(path, ".json") === group)) continue;
    for (const name of names) await ifThere(disk.remove(join(folder, name)));
    firstSeen.delete(group);
    removed++;
  }
  if (removed > 0) await disk.syncDir(folder);
  return removed;
}

async function aliveAt(disk: Disk, path: string): Promise<number | undefined> {
  const text = new TextDecoder().decode((await readWhole(disk, path)) ?? new Uint8Array()).trim();
  return /^\d{10,16}$/.test(text) ? Number(text) : undefined;
}
