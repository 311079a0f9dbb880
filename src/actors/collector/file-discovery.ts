import { type FSWatcher, globSync, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Queue from "effect/Queue";
import type * as Scope from "effect/Scope";
import { readTargetGroups } from "../../config/target-groups.ts";
import { ConfigError } from "../../model/config.ts";
import type { Discovered } from "./target.ts";

export interface FileDiscoveryOptions {
  /** Absolute; `*` in the last part. */
  readonly files: readonly string[];
  readonly refreshIntervalMs: number;
  /** Hears of a file that cannot be used; its targets stay as they were. */
  readonly onProblem: (message: string) => void;
}

/** Editors and copies write in several steps: wait until a change has settled. */
const SETTLE_MS = 100;
/** A folder that does not exist yet cannot be watched: look again after this time. */
const MISSING_FOLDER_MS = 1000;

/** The targets in files, and what was read of each, so that a file that breaks keeps its last good targets. */
export interface FileTargets {
  /** Reads all files again. */
  read(): Discovered[];
}

export function makeFileTargets(options: FileDiscoveryOptions): FileTargets {
  const good = new Map<string, readonly Discovered[]>();
  return {
    read: () => {
      const files = options.files.flatMap((file) => (file.includes("*") ? globSync(file).sort() : [file]));
      for (const file of good.keys()) if (!files.includes(file)) good.delete(file);
      for (const file of new Set(files)) {
        try {
          good.set(file, toDiscovered(file));
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          options.onProblem(error.message);
          if (error.problems.some((p) => p.message.includes("no such file"))) good.delete(file);
        }
      }
      return [...good.values()].flat();
    },
  };
}

function toDiscovered(file: string): Discovered[] {
  return readTargetGroups(file).flatMap((group) =>
    group.targets.map((address) => ({ address, labels: { ...group.labels, __meta_filepath: file } })),
  );
}

/**
 * Watches the files of one `file_sd_configs` entry as a supervised child; never returns. Tells the targets at once and
 * after each change. What was good last of each file outlives a death.
 */
export function watchFiles<E, R>(
  options: FileDiscoveryOptions,
  onTargets: (targets: readonly Discovered[]) => Effect.Effect<void, E, R>,
): Effect.Effect<never, E, R | Scope.Scope> {
  const files = makeFileTargets(options);
  return Effect.gen(function* () {
    // One place is enough: a change that comes while another waits is read with it.
    const changes = yield* Queue.make<void>({ capacity: 1, strategy: "dropping" });
    const watchers = yield* Effect.acquireRelease(
      Effect.sync(() => new Map<string, FolderWatch>()),
      (map) =>
        Effect.sync(() => {
          for (const { watcher } of map.values()) watcher.close();
        }),
    );
    const folders = new Set(options.files.map((file) => dirname(file)));
    const changed = () => void Queue.offerUnsafe(changes, undefined);
    let readAt = yield* Clock.currentTimeMillis;
    while (true) {
      for (const folder of folders) watchFolder(watchers, folder, changed);
      yield* onTargets(files.read());
      readAt = yield* Clock.currentTimeMillis;
      while (true) {
        const missing = watchers.size < folders.size;
        const now = yield* Clock.currentTimeMillis;
        const left = readAt + options.refreshIntervalMs - now;
        const wait = Math.max(0, missing ? Math.min(left, MISSING_FOLDER_MS) : left);
        const wake = yield* Effect.timeoutOption(Queue.take(changes), wait);
        if (wake._tag === "Some") {
          yield* Effect.sleep(SETTLE_MS);
          yield* Queue.clear(changes);
          break;
        }
        if (left <= wait) break;
        for (const folder of folders) if (watchFolder(watchers, folder, changed)) changed();
      }
    }
  });
}

interface FolderWatch {
  readonly watcher: FSWatcher;
  /** A folder that was deleted and made again is another one under the same name. */
  readonly inode: number;
}

/** Starts to watch a folder; false when it is watched already or does not exist. */
function watchFolder(watchers: Map<string, FolderWatch>, folder: string, changed: () => void): boolean {
  const inode = statSync(folder, { throwIfNoEntry: false })?.ino;
  const before = watchers.get(folder);
  if (before !== undefined && before.inode === inode) return false;
  before?.watcher.close();
  watchers.delete(folder);
  if (inode === undefined) return false;
  try {
    const watcher = watch(folder, { persistent: false }, changed);
    watcher.on("error", () => {
      watcher.close();
      if (watchers.get(folder)?.watcher === watcher) watchers.delete(folder);
      changed();
    });
    watchers.set(folder, { watcher, inode });
    return true;
  } catch {
    return false;
  }
}
