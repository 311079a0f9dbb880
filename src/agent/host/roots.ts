import { readFileSync } from "node:fs";

/** Where the kernel's files are: `/proc`, `/sys` and `/`, or a host's ones mounted into a container. */
export interface HostRoots {
  readonly proc: string;
  readonly sys: string;
  readonly root: string;
}

export const LOCAL_HOST: HostRoots = { proc: "/proc", sys: "/sys", root: "/" };

/** Takes one sample: metric name, value, and labels as name, value, name, value, ... */
export type Emit = (name: string, value: number, ...labels: readonly string[]) => void;

/** Reads one part of the host and emits its samples; throws when the part cannot be read. */
export type Collect = (emit: Emit, host: HostRoots) => void | Promise<void>;

/** The text of a file; throws the file system's error. Files of /proc are made on reading, so this blocks for microseconds. */
export function readText(path: string): string {
  return readFileSync(path, "utf8");
}

/** The same, undefined when there is no such file or it gives nothing (`EINVAL` of a network device without a link). */
export function tryReadText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** A file that holds one number, decimal or 0x-hexadecimal. */
export function tryReadNumber(path: string): number | undefined {
  const text = tryReadText(path)?.trim();
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  return Number.isNaN(value) ? undefined : value;
}

export function words(line: string): string[] {
  return line.trim().split(/\s+/);
}

export function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
