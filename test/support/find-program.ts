import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** A program on PATH, in Debian's sbin folders or in the folder that PEERS_BIN names; undefined where there is none. */
export function findProgram(...names: readonly string[]): string | undefined {
  const dirs = [process.env.PEERS_BIN, ...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  for (const name of names) {
    for (const dir of dirs) if (dir !== undefined && dir !== "" && existsSync(join(dir, name))) return join(dir, name);
  }
  return undefined;
}

/**
 * As findProgram, but only one whose `--version` tells at least the given version (`3.5`): what an older peer does
 * differently is not what is compared with.
 */
export function findPeer(atLeast: string, ...names: readonly string[]): string | undefined {
  const program = findProgram(...names);
  if (program === undefined) return undefined;
  const { stdout, stderr } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const version = /version (\d+(?:\.\d+)*)/.exec(stdout + stderr)?.[1];
  return version !== undefined && compareVersions(version, atLeast) >= 0 ? program : undefined;
}

function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map((v) => v.split(".").map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (x?.[i] ?? 0) - (y?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
