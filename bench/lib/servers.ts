import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { treeIds } from "./process-tree.ts";

/** A server under load: Tocsin or a peer, in the foreground with an empty data folder of its own. */
export interface Server {
  readonly name: string;
  readonly version: string;
  readonly url: string;
  readonly pid: number;
  readonly dir: string;
  stop(): Promise<void>;
  /** Kills the whole process tree at once (SIGKILL) and starts it again on the same data; resolves when it is ready. */
  killAndRestart(): Promise<void>;
  /** Ends it, has `meanwhile` done, and starts it again on the same data. */
  restart(meanwhile?: () => void): Promise<void>;
}

export type ServerName = "tocsin" | "victoria-metrics" | "prometheus";

const ROOT = join(import.meta.dirname, "../..");

/** The peer's binary: from PEERS_BIN, a folder, or PATH; undefined where there is none. */
function findPeer(name: string): string | undefined {
  for (const dir of [process.env.PEERS_BIN, ...(process.env.PATH ?? "").split(":")]) {
    if (dir !== undefined && dir !== "" && existsSync(join(dir, name))) return join(dir, name);
  }
  return undefined;
}

/** The servers to measure: those of BENCH_SERVERS (all where it is not set) that can be found. */
export function serversToMeasure(): ServerName[] {
  const wanted = process.env.BENCH_SERVERS?.split(",");
  const all: readonly ServerName[] = ["tocsin", "victoria-metrics", "prometheus"];
  return all.filter((name) => {
    if (wanted !== undefined && !wanted.includes(name)) return false;
    if (name === "tocsin" || findPeer(name) !== undefined) return true;
    console.log(`${name} is not installed and not measured`);
    return false;
  });
}

export interface StartOptions {
  /** More lines for Tocsin's configuration file. */
  readonly config?: string;
  /** Prometheus's configuration file; by default it has nothing to do by itself. */
  readonly prometheus?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** VictoriaMetrics keeps its cache of results, which is off else. */
  readonly resultsCache?: boolean;
}

export async function startServer(name: ServerName, options: StartOptions = {}): Promise<Server> {
  const dir = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), `bench-${name}-`));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const { command, args, ready } = commandOf(name, dir, port, options);
  const start = async (): Promise<ChildProcess> => {
    const log = openSync(join(dir, "log"), "a");
    const started = spawn(command, args, { stdio: ["ignore", log, log], cwd: dir });
    const dead = new Promise<never>((_, reject) => {
      started.once("exit", (code) => reject(new Error(`${name} ended with ${code}, see ${dir}/log`)));
      started.once("error", reject);
    });
    dead.catch(() => {});
    await Promise.race([untilReady(url + ready), dead]);
    return started;
  };
  let child = await start();
  return {
    name,
    version: versionOf(name, command),
    url,
    get pid() {
      return child.pid as number;
    },
    dir,
    stop: async () => {
      await ended(child);
      rmSync(dir, { recursive: true, force: true });
    },
    killAndRestart: async () => {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      for (const pid of treeIds(child.pid as number)) process.kill(pid, "SIGKILL");
      await gone;
      child = await start();
    },
    restart: async (meanwhile) => {
      await ended(child);
      meanwhile?.();
      child = await start();
    },
  };
}

function commandOf(name: ServerName, dir: string, port: number, options: StartOptions) {
  const listen = `127.0.0.1:${port}`;
  for (const [file, text] of Object.entries(options.files ?? {})) writeFileSync(join(dir, file), text);
  if (name === "tocsin") {
    const config = join(dir, "tocsin.yml");
    writeFileSync(config, `agent: { enabled: false }\nstreams: { listen: "127.0.0.1:0" }\n${options.config ?? ""}`);
    const args = ["serve", "--config", config, "--data-dir", join(dir, "data"), "--listen", listen];
    return { command: join(ROOT, "bin/tocsin"), args, ready: "/-/ready" };
  }
  if (name === "victoria-metrics") {
    const args = [
      `-storageDataPath=${dir}/data`,
      `-httpListenAddr=${listen}`,
      "-retentionPeriod=100y",
      ...(options.resultsCache === true ? [] : ["-search.disableCache"]),
    ];
    return { command: findPeer(name)!, args, ready: "/health" };
  }
  writeFileSync(join(dir, "prometheus.yml"), options.prometheus ?? "global: {}\n");
  const args = [
    `--config.file=${dir}/prometheus.yml`,
    `--storage.tsdb.path=${dir}/data`,
    `--web.listen-address=${listen}`,
    "--web.enable-remote-write-receiver",
    "--web.enable-admin-api",
    "--log.level=warn",
  ];
  return { command: findPeer(name)!, args, ready: "/-/ready" };
}

function versionOf(name: ServerName, command: string): string {
  if (name === "tocsin")
    return JSON.parse(execFileSync("cat", [join(ROOT, "package.json")], { encoding: "utf8" })).version;
  const text = execFileSync(command, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return /(\d+\.\d+(\.\d+)?)/.exec(text)?.[1] ?? packagedVersion(command) ?? "(its build tells no version)";
}

/** The version of the Debian package that a program lies in, installed or unpacked into a folder: its changelog begins with it. */
function packagedVersion(command: string): string | undefined {
  const program = realpathSync(command);
  const changelog = join(dirname(program), "../share/doc", basename(program), "changelog.Debian.gz");
  if (!existsSync(changelog)) return undefined;
  return /\(([^)]+)\)/.exec(gunzipSync(readFileSync(changelog)).toString("utf8", 0, 200))?.[1];
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

async function untilReady(url: string): Promise<void> {
  for (let left = 1200; left > 0; left--) {
    try {
      if ((await fetch(url)).ok) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} did not get ready within 60 s`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await exit;
  clearTimeout(force);
}
