import { vi } from "vitest";

/** Runs a command of the command line here: what it prints, and the exit code that it sets. */
export async function said(command: () => Promise<void>): Promise<{ text: string; code: number }> {
  const lines: string[] = [];
  const hear = (line: unknown) => void lines.push(String(line));
  const spies = [vi.spyOn(console, "log"), vi.spyOn(console, "error")];
  for (const spy of spies) spy.mockImplementation(hear);
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await command();
    return { text: lines.join("\n"), code: process.exitCode };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
