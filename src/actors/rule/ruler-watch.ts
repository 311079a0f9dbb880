import { type FSWatcher, globSync, statSync, watch } from "node:fs";
import { dirname, sep } from "node:path";

/**
 * Looks whether rule files change. The system tells of most changes at once; where it does not (network file systems, folders
 * that are replaced) a look every some seconds finds them.
 */
export interface RuleWatchOptions {
  /** Absolute paths and globs, as they are now. */
  readonly patterns: () => readonly string[];
  /** Called after a change. What it throws is its own matter. */
  readonly onChange: () => void;
  /** Between two looks. */
  readonly everyMs?: number;
  /** From the first sign of a change to the look: files are often written one behind another. */
  readonly settleMs?: number;
}

export interface RuleWatch {
  /** Looks now; true when something had changed. */
  look(): boolean;
  close(): void;
}

const EVERY_MS = 10_000;
const SETTLE_MS = 250;

export function watchRuleFiles(options: RuleWatchOptions): RuleWatch {
  const { patterns, onChange, everyMs = EVERY_MS, settleMs = SETTLE_MS } = options;
  const watchers = new Map<string, FSWatcher>();
  let known = signature(patterns());
  let settling: NodeJS.Timeout | undefined;

  const look = (): boolean => {
    settling = undefined;
    follow();
    const now = signature(patterns());
    if (now === known) return false;
    known = now;
    onChange();
    return true;
  };
  const stir = () => {
    settling ??= setTimeout(look, settleMs).unref();
  };
  /** Watches the folders that the patterns look into now, and no others. */
  const follow = () => {
    const wanted = new Set(patterns().flatMap(foldersOf));
    for (const [folder, watcher] of watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
    for (const folder of wanted) {
      if (watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, stir);
        // A folder that goes takes its watcher along; the next look makes another one.
        watcher.on("error", () => {
          watcher.close();
          watchers.delete(folder);
        });
        watchers.set(folder, watcher);
      } catch {
        // Not there, or no watches left: the regular look remains.
      }
    }
  };
  follow();
  const timer = setInterval(look, everyMs).unref();
  return {
    look,
    close: () => {
      clearInterval(timer);
      clearTimeout(settling);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}

/** The files' names, sizes and times in one text: equal when nothing changed. */
function signature(patterns: readonly string[]): string {
  return patterns.flatMap(filesOf).map(stateOf).join("\n");
}

function filesOf(pattern: string): string[] {
  try {
    return globSync(pattern).sort();
  } catch {
    return [];
  }
}

function stateOf(file: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(file);
    return `${file} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return `${file} -`;
  }
}

/** Folders in which a change may be one of the pattern's files: of what is found, and the last one without a wildcard. */
function foldersOf(pattern: string): string[] {
  const parts = pattern.split(sep);
  const wild = parts.findIndex((part) => /[*?[\]{}]/.test(part));
  const fixed = wild < 0 ? dirname(pattern) : parts.slice(0, wild).join(sep) || sep;
  return [fixed, ...filesOf(pattern).map((file) => dirname(file))];
}
