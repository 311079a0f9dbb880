import { vi } from "vitest";

/** Runs a command of the command line here: its exit code, and what it writes to either output. */
export async function heard(command: () => Promise<number>): Promise<{ code: number; out: string; err: string }> {
  const told = { out: "", err: "" };
  const hear = (where: "out" | "err") => (piece: unknown) => {
    told[where] += String(piece);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation(hear("out")),
    vi.spyOn(process.stderr, "write").mockImplementation(hear("err")),
  ];
  try {
    return { code: await command(), ...told };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
