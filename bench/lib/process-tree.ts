import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second in /proc/<pid>/stat on Linux. */
const TICKS = 100;

export interface TreeUsage {
  /** User and system time of the process and all its descendants, the reaped ones included. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly byName: ReadonlyMap<string, number>;
}

/** What a process and everything below it has used so far. */
export function treeUsage(root: number): TreeUsage {
  const children = new Map<number, number[]>();
  const rows = new Map<number, { name: string; cpu: number; rss: number }>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
      const f = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const pid = Number(entry);
      const parent = Number(f[1]);
      // Fields 14 to 17 of proc(5): utime, stime, cutime, cstime; 24: rss in pages.
      const cpu = (Number(f[11]) + Number(f[12]) + Number(f[13]) + Number(f[14])) / TICKS;
      rows.set(pid, { name, cpu, rss: Number(f[21]) * 4096 });
      children.set(parent, [...(children.get(parent) ?? []), pid]);
    } catch {
      // The process ended between the listing and the reading.
    }
  }
  const byName = new Map<string, number>();
  let cpuSeconds = 0;
  let rssBytes = 0;
  const pending = [root];
  for (let pid = pending.pop(); pid !== undefined; pid = pending.pop()) {
    const row = rows.get(pid);
    if (row === undefined) continue;
    cpuSeconds += row.cpu;
    rssBytes += row.rss;
    byName.set(row.name, (byName.get(row.name) ?? 0) + row.cpu);
    pending.push(...(children.get(pid) ?? []));
  }
  return { cpuSeconds, rssBytes, byName };
}

/** CPU seconds of a process's threads, by name (those of one name together). */
export function threadSeconds(pid: number): ReadonlyMap<string, number> {
  const byName = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8");
      const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
      const f = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      byName.set(name, (byName.get(name) ?? 0) + (Number(f[11]) + Number(f[12])) / TICKS);
    } catch {
      // The thread ended between the listing and the reading.
    }
  }
  return byName;
}

/** A process and all its descendants. */
export function treeIds(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // The process ended between the listing and the reading.
    }
  }
  const ids = [root];
  for (let i = 0; i < ids.length; i++) ids.push(...(children.get(ids[i] as number) ?? []));
  return ids;
}
