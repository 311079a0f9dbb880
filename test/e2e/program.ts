import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, tempDir, until } from "./tocsin.ts";

/** A program of somebody else's that a test runs Tocsin against. */
export interface Program {
  readonly url: string;
  readonly dir: string;
  output(): string;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();

/** Ends what a failed test has left running; for afterAll. */
export function killPrograms(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** Starts a server and waits until `readyPath` answers 2xx. */
export async function startProgram(
  path: string,
  args: readonly string[],
  at: { readonly port: number; readonly dir: string; readonly readyPath: string },
): Promise<Program> {
  const child = spawn(path, args, { stdio: ["ignore", "pipe", "pipe"], cwd: at.dir });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (piece: string) => {
      output += piece;
    });
  }
  let over = false;
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => {
      over = true;
      running.delete(child);
      resolve();
    });
  });
  const url = `http://127.0.0.1:${at.port}`;
  await until(async () => {
    if (over) return true;
    return (await fetch(url + at.readyPath)).ok;
  }, `${path} answers`);
  if (over) throw new Error(`${path} ended:\n${output}`);
  return {
    url,
    dir: at.dir,
    output: () => output,
    stop: () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

/** A real Prometheus on an empty data dir that takes remote writes and keeps samples of any age. */
export async function startPrometheus(path: string, config: string, args: readonly string[] = []): Promise<Program> {
  const dir = tempDir();
  const port = await freePort();
  writeFileSync(join(dir, "prometheus.yml"), config);
  return startProgram(
    path,
    [
      `--config.file=${join(dir, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      "--storage.tsdb.retention.time=100y",
      `--web.listen-address=127.0.0.1:${port}`,
      "--web.enable-remote-write-receiver",
      ...args,
    ],
    { port, dir, readyPath: "/-/ready" },
  );
}
