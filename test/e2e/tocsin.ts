import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";

/** A real Tocsin, started as a user starts it, in a folder of its own. */
export interface Tocsin {
  readonly url: string;
  readonly dir: string;
  readonly pid: number;
  /** What it has printed so far. */
  output(): string;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<number | string>;
  /** SIGKILL to the whole process group, and waits for the end of the main process. */
  killGroup(): Promise<void>;
}

export { freePort };

const ROOT = join(import.meta.dirname, "../..");
const running = new Set<ChildProcess>();

/** An empty folder for a test, removed when the process ends. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "tocsin-e2e-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export interface StartOptions {
  /** An existing folder to go on in; a new one where not given. */
  readonly dir?: string;
  readonly config?: string;
  /** More keys of the configuration's streams section, e.g. `max_size: 64MB`. */
  readonly streams?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** A program and its arguments that runs the command behind it, in the same process. */
  readonly wrapper?: (dataDir: string) => readonly string[];
  readonly port?: number;
  /** False: do not wait until it is ready. */
  readonly wait?: boolean;
}

export async function startTocsin(options: StartOptions = {}): Promise<Tocsin> {
  const dir = options.dir ?? tempDir();
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(dir, name), text);
  const config = join(dir, "tocsin.yml");
  const more = options.streams === undefined ? "" : `, ${options.streams}`;
  const bus = `streams: { listen: "127.0.0.1:0"${more} }\n`;
  writeFileSync(config, bus + (options.config ?? "agent: { enabled: false }\n"));
  const args = ["serve", "--config", config, "--data-dir", join(dir, "data"), "--listen", `127.0.0.1:${port}`];
  const wrapper = options.wrapper?.(join(dir, "data")) ?? [];
  const [program = "", ...rest] = [...wrapper, join(ROOT, "bin/tocsin"), ...args, ...(options.args ?? [])];
  const child = spawn(program, rest, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (piece: string) => {
      output += piece;
    });
  }
  const ended = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => {
      running.delete(child);
      resolve(code ?? signal ?? "unknown");
    });
  });
  const tocsin: Tocsin = {
    url,
    dir,
    pid: child.pid!,
    output: () => output,
    ended,
    stop: () => {
      child.kill("SIGTERM");
      return ended;
    },
    killGroup: async () => {
      process.kill(-child.pid!, "SIGKILL");
      await ended;
    },
  };
  if (options.wait !== false) {
    const how = await Promise.race([untilOk(`${url}/-/ready`), ended]);
    if (how !== undefined) throw new Error(`tocsin ended with ${how} before it was ready:\n${output}`);
  }
  return tocsin;
}

/** Ends what a failed test has left running; for afterAll. */
export function killLeftOvers(): void {
  for (const child of running) process.kill(-child.pid!, "SIGKILL");
}

async function untilOk(url: string): Promise<undefined> {
  await until(async () => (await fetch(url)).ok, `${url} answers`);
  return undefined;
}

/**
 * Asks again and again until the condition holds; an error counts as no. What has taken long is asked for less often: a twentieth
 * of the time it has taken so far matters to nobody, and each question costs the server as much as the test.
 */
export async function until(
  condition: () => Promise<boolean> | boolean,
  what: string,
  withinMs = 90_000,
): Promise<void> {
  const start = performance.now();
  const end = start + withinMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (e) {
      last = e;
    }
    const pause = Math.min(500, Math.max(50, (performance.now() - start) / 20));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  throw new Error(`not within ${withinMs} ms: ${what}${last === undefined ? "" : ` (${last})`}`);
}

/** Pushes samples as JSON; the answer's status and text. */
export async function push(
  url: string,
  series: readonly { labels: Record<string, string>; samples: readonly (readonly [number, number])[] }[],
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string; position: string }> {
  const response = await fetch(`${url}/api/v1/ingest`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ series }),
  });
  // The token of what was written, for queries that must see it.
  const position = response.headers.get("x-tocsin-position") ?? "";
  return { status: response.status, text: await response.text(), position };
}

export interface VectorEntry {
  readonly metric: Record<string, string>;
  readonly value: [number, string];
}

/** An instant query's vector. */
export async function query(
  url: string,
  expr: string,
  time = Date.now() / 1000,
  headers: Record<string, string> = {},
): Promise<VectorEntry[]> {
  const params = new URLSearchParams({ query: expr, time: String(time) });
  const response = await fetch(`${url}/api/v1/query?${params}`, { headers });
  const body = (await response.json()) as { status: string; error?: string; data: { result: VectorEntry[] } };
  if (body.status !== "success") throw new Error(body.error);
  return body.data.result;
}

/** Ids of the processes whose command line names the folder. */
export function processesOf(dir: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(dir);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** A program on PATH, in Debian's sbin folders or in PEERS_BIN; undefined where there is none. */
export function findProgram(name: string): string | undefined {
  const dirs = [process.env.PEERS_BIN, ...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  for (const dir of dirs) if (dir !== undefined && dir !== "" && existsSync(join(dir, name))) return join(dir, name);
  return undefined;
}
