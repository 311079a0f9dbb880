import { runCommand } from "./run-command.ts";

/** From 2.10 on a server can fsync before each acknowledgement (`sync_interval: always`). */
export const WANTED_VERSION = "2.10.0";

/** Said whenever an older server is used. */
export const COST_OF_OLD_VERSION =
  "it acknowledges before data is on disk (fsync every 2 minutes): a power cut can lose acknowledged samples";

/** Order of dotted version numbers; a missing part counts as 0. */
export function compareVersions(a: string, b: string): number {
  const x = a.split(/[.-]/).map(Number);
  const y = b.split(/[.-]/).map(Number);
  for (let i = 0; i < 3; i++) {
    const d = (x[i] || 0) - (y[i] || 0);
    if (d !== 0) return d;
  }
  return 0;
}

export function isWantedVersion(version: string): boolean {
  return compareVersions(version, WANTED_VERSION) >= 0;
}

/** The version in the output of `nats-server --version` ("nats-server: v2.15.1"), undefined when it is something else. */
export function parseVersionOutput(output: string): string | undefined {
  return /^nats-server: v(\d+\.\d+\.\d+\S*)/m.exec(output)?.[1];
}

/** Runs the binary; undefined when it cannot run here or is not a nats-server. */
export async function versionOfBinary(binary: string): Promise<string | undefined> {
  try {
    return parseVersionOutput((await runCommand(binary, ["--version"], { timeoutMs: 10_000 })).stdout);
  } catch {
    return undefined;
  }
}
