import { readdirSync, readFileSync } from "node:fs";

/** Halts a process (SIGSTOP); all its threads stand still when this resolves, which the signal alone does not promise. */
export async function halt(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  while (!isHalted(pid)) await new Promise((resolve) => setImmediate(resolve));
}

/** As Linux tells of each thread. */
function isHalted(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
  });
}
