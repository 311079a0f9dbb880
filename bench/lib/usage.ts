/** What a server has used between two moments, and how much of the machine's time was not its own. */
import { readFileSync } from "node:fs";
import { type TreeUsage, threadSeconds, treeUsage } from "./process-tree.ts";

export interface Usage {
  readonly tree: TreeUsage;
  /** CPU seconds of the first process's threads. */
  readonly threads: ReadonlyMap<string, number>;
  readonly machine: MachineTicks;
}

export interface MachineTicks {
  readonly all: number;
  /** Time in which this machine had work, but another one had its processor. */
  readonly stolen: number;
}

export function usageOf(pid: number): Usage {
  return { tree: treeUsage(pid), threads: threadSeconds(pid), machine: machineTicks() };
}

/** All processors' time since the machine started, from the first line of /proc/stat (proc(5)). */
export function machineTicks(stat: string = readFileSync("/proc/stat", "utf8")): MachineTicks {
  // User, nice, system, idle, iowait, irq, softirq, steal; time of guests is in user and nice already.
  const ticks = stat.slice(0, stat.indexOf("\n")).trim().split(/\s+/).slice(1, 9).map(Number);
  return { all: ticks.reduce((sum, n) => sum + n, 0), stolen: ticks[7] ?? 0 };
}

/** The share of the processors' time since then that went to other machines: how far a figure can be trusted. */
export function stolenSince(before: MachineTicks, after: MachineTicks = machineTicks()): string {
  return `${((100 * (after.stolen - before.stolen)) / Math.max(1, after.all - before.all)).toFixed(1)} %`;
}

/** CPU microseconds a sample by name, what took less than 0.1 s left out. */
export function microsecondsBy(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  samples: number,
): string {
  return [...after]
    .map(([name, seconds]) => [name, seconds - (before.get(name) ?? 0)] as const)
    .filter(([, seconds]) => seconds > 0.1)
    .map(([name, seconds]) => `${name} ${((seconds / samples) * 1e6).toFixed(2)}`)
    .join(", ");
}
