import { readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Ends a nats-server that an earlier process left behind on the same files: the one named in the pid file, if its command
 * line has the same configuration file. Resolves to its process id, or undefined when there was none. The caller holds the
 * data directory's lock, so nobody uses that server.
 */
export async function endStaleServer(pidFile: string, confFile: string, graceMs = 5_000): Promise<number | undefined> {
  const pid = Number((await readFile(pidFile, "utf8").catch(() => "")).trim());
  if (!Number.isInteger(pid) || pid <= 1 || !(await isServerOf(pid, confFile))) {
    await rm(pidFile, { force: true });
    return undefined;
  }
  process.kill(pid, "SIGTERM");
  for (let waited = 0; await isServerOf(pid, confFile); waited += 50) {
    if (waited >= graceMs) process.kill(pid, "SIGKILL");
    await sleep(50);
  }
  await rm(pidFile, { force: true });
  return pid;
}

async function isServerOf(pid: number, confFile: string): Promise<boolean> {
  // Empty for a zombie, absent for no process at all.
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.split("\0").includes(confFile);
}
