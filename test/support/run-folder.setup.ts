import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A run's folder is named for the process that owns it. */
const NAME = /^tocsin-run-(\d+)-/;

/**
 * vitest globalSetup: what tests put into the system's folder of temporary files goes to one folder of this run, which is removed
 * at its end. A run that was killed cannot do so: the next one does.
 */
export function setup(): (() => void) | undefined {
  const outside = tmpdir();
  // Each project calls it: the first one has done it for all.
  if (NAME.test(outside.slice(outside.lastIndexOf("/") + 1))) return undefined;
  mkdirSync(outside, { recursive: true });
  for (const name of readdirSync(outside)) {
    const owner = NAME.exec(name)?.[1];
    if (owner !== undefined && !isRunning(Number(owner))) remove(join(outside, name));
  }
  const folder = mkdtempSync(join(outside, `tocsin-run-${process.pid}-`));
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  return () => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    remove(folder);
  };
}

function remove(folder: string): void {
  // A server that a failed test has left behind may still write into it.
  rmSync(folder, { recursive: true, force: true, maxRetries: 3, retryDelay: 200 });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
