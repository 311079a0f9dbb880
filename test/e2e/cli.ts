import { spawn } from "node:child_process";
import { join } from "node:path";

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const BIN = join(import.meta.dirname, "../../bin/tocsin");

/** Runs the real program to its end, its output no terminal. */
export function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const child = spawn(BIN, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  const said = { out: "", err: "" };
  child.stdout.on("data", (piece) => {
    said.out += String(piece);
  });
  child.stderr.on("data", (piece) => {
    said.err += String(piece);
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, ...said })));
}
