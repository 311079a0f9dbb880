import { readFileSync, writeFileSync } from "node:fs";

/** The list of cases that may still fail: names `file:line`, one a line; `#` begins a comment. */
export interface KnownFailures {
  has(name: string): boolean;
  of(file: string): string[];
  /** Writes the list anew: the failures of the files that have been run in full; of others it keeps what it has. */
  rewrite(failed: ReadonlySet<string>, ranInFull: (file: string) => boolean): void;
}

export function readKnownFailures(path: URL): KnownFailures {
  const lines = readFileSync(path, "utf8").split("\n");
  const names = new Set(lines.filter((l) => l !== "" && !l.startsWith("#")));
  const comments = lines.filter((l) => l.startsWith("#"));
  return {
    has: (name) => names.has(name),
    of: (file) => [...names].filter((name) => fileOf(name) === file),
    rewrite(failed, ranInFull) {
      const kept = [...names].filter((name) => !ranInFull(fileOf(name)));
      const now = [...new Set([...kept, ...[...failed].filter((name) => ranInFull(fileOf(name)))])].sort(byPlace);
      writeFileSync(path, [...comments, ...now, ""].join("\n"));
    },
  };
}

const fileOf = (name: string): string => name.slice(0, name.lastIndexOf(":"));
const lineOf = (name: string): number => Number(name.slice(name.lastIndexOf(":") + 1));

/** By file, then by line as a number. */
function byPlace(a: string, b: string): number {
  const [x, y] = [fileOf(a), fileOf(b)];
  if (x !== y) return x < y ? -1 : 1;
  return lineOf(a) - lineOf(b);
}
