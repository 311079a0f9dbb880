import { access, constants, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type FetchedServer, fetchFromDebian } from "./debian-package.ts";
import { messageOf, NatsError } from "./nats-error.ts";
import { fetchPinnedArchive, type PinnedArchive } from "./release-download.ts";
import { releasePin } from "./release-pins.ts";
import { type Say, saySilently } from "./say.ts";
import { COST_OF_OLD_VERSION, compareVersions, isWantedVersion, versionOfBinary } from "./server-version.ts";

export interface NatsBinary {
  /** Absolute path. */
  readonly binary: string;
  /** Such as "2.15.1". */
  readonly version: string;
  /** Where it is from, for people: "PATH", "Debian package, suite testing". */
  readonly origin: string;
}

export interface ObtainOptions {
  /** Folder of the project's cache; default `$XDG_CACHE_HOME/tocsin` or `~/.cache/tocsin`. */
  readonly cacheDir?: string;
  /** PATH, HOME, XDG_CACHE_HOME, TOCSIN_NATS_URL and TOCSIN_NATS_SHA256 are read; default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly say?: Say;
  readonly signal?: AbortSignal;
  /** Where apt's sources are; default /etc/apt. */
  readonly etcApt?: string;
}

/**
 * Finds a nats-server program or obtains one. The first that is 2.10 or newer of: one on PATH; the cache; the official
 * release, pinned by SHA-256 (TOCSIN_NATS_URL and TOCSIN_NATS_SHA256 name another archive); Debian's package, newest suite
 * first. An older one is taken only when there is no better, with a warning that says what it costs. Says in one line what
 * was chosen. Rejects with NatsError "no_server_binary" that says what was tried and what to do.
 */
export async function obtainNatsServer(options: ObtainOptions = {}): Promise<NatsBinary> {
  const env = options.env ?? process.env;
  const say = options.say ?? saySilently;
  const cache = join(options.cacheDir ?? defaultCacheDir(env), "nats-server");

  const onPath = await findOnPath(env.PATH ?? "");
  if (onPath !== undefined && isWantedVersion(onPath.version)) return chosen(onPath, say);
  const cached = await newestCached(cache);
  if (cached !== undefined && isWantedVersion(cached.version)) return chosen(cached, say);

  const reasons: string[] = [];
  let unlock: (() => Promise<void>) | undefined;
  try {
    unlock = await lockCache(cache, options.signal);
    // Another process may have filled the cache while this one waited.
    const now = await newestCached(cache);
    if (now !== undefined && isWantedVersion(now.version)) return chosen(now, say);
    say("info", "no nats-server 2.10 or newer on PATH or in the cache: fetching one");
    const fetched = await fetchIntoCache(cache, env, reasons, options);
    if (fetched !== undefined && isWantedVersion(fetched.version)) return chosen(fetched, say);
    const old = [onPath, cached, fetched]
      .filter((s) => s !== undefined)
      .sort((a, b) => compareVersions(b.version, a.version))[0];
    if (old !== undefined) return chosen(old, say);
  } catch (error) {
    options.signal?.throwIfAborted();
    reasons.push(`cache ${cache}: ${messageOf(error)}`);
    if (onPath !== undefined) return chosen(onPath, say);
  } finally {
    await unlock?.();
  }
  throw new NatsError(
    "no_server_binary",
    `no nats-server found on PATH and none could be fetched (${reasons.join("; ")}). Install nats-server 2.10 or newer ` +
      "(https://nats.io/download) so that it is on PATH, or name a running server with --nats nats://HOST:4222",
  );
}

export function defaultCacheDir(env: Readonly<Record<string, string | undefined>>): string {
  const xdg = env.XDG_CACHE_HOME;
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(env.HOME || homedir(), ".cache"), "tocsin");
}

function chosen(server: NatsBinary, say: Say): NatsBinary {
  say("info", `nats-server ${server.version} (${server.origin}): ${server.binary}`);
  if (!isWantedVersion(server.version))
    say("warn", `nats-server ${server.version} is older than 2.10: ${COST_OF_OLD_VERSION}`);
  return server;
}

async function findOnPath(path: string): Promise<NatsBinary | undefined> {
  let old: NatsBinary | undefined;
  const dirs = path.split(delimiter).filter((d) => isAbsolute(d));
  // Package managers put the server into sbin, which is not on every user's PATH.
  const systemDirs = dirs.filter((d) => /\/bin\/?$/.test(d)).map((d) => d.replace(/bin\/?$/, "sbin"));
  for (const dir of new Set([...dirs, ...systemDirs])) {
    const binary = join(dir, "nats-server");
    const runnable = await access(binary, constants.X_OK).then(
      () => true,
      () => false,
    );
    const version = runnable ? await versionOfBinary(binary) : undefined;
    if (version === undefined) continue;
    const server = { binary, version, origin: "PATH" };
    if (isWantedVersion(version)) return server;
    old ??= server;
  }
  return old;
}

/** The cache holds one folder a server: the program and a file that says where it is from. */
async function newestCached(cache: string): Promise<NatsBinary | undefined> {
  const names = (await readdir(cache).catch(() => [] as string[])).filter((n) => /^\d/.test(n));
  for (const name of names.sort((a, b) => compareVersions(b, a))) {
    const binary = join(cache, name, "nats-server");
    const version = await versionOfBinary(binary);
    if (version === undefined) continue;
    const origin = (await readFile(join(cache, name, "origin"), "utf8").catch(() => "unknown origin")).trim();
    return { binary, version, origin: `cached ${origin}` };
  }
  return undefined;
}

async function fetchIntoCache(
  cache: string,
  env: Readonly<Record<string, string | undefined>>,
  reasons: string[],
  { signal, etcApt }: ObtainOptions,
): Promise<NatsBinary | undefined> {
  const staging = await mkdtemp(join(cache, ".new-"));
  const ways: [string, () => Promise<FetchedServer>][] = [];
  const pin = pinFor(env);
  if (pin instanceof Error) reasons.push(pin.message);
  else if (pin === undefined) reasons.push(`release: none is pinned for ${process.platform}-${process.arch}`);
  else ways.push(["release", () => fetchPinnedArchive(pin, staging, signal)]);
  ways.push(["Debian package", () => fetchFromDebian(staging, signal, etcApt)]);
  try {
    for (const [name, fetchIt] of ways) {
      try {
        return await moveIntoCache(await fetchIt(), cache);
      } catch (error) {
        signal?.throwIfAborted();
        reasons.push(`${name}: ${messageOf(error)}`);
      }
    }
    return undefined;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function moveIntoCache(fetched: FetchedServer, cache: string): Promise<NatsBinary> {
  const entry = await mkdtemp(join(cache, ".entry-"));
  await rename(fetched.binary, join(entry, "nats-server"));
  await writeFile(join(entry, "origin"), `${fetched.origin}\n`);
  const home = join(cache, fetched.version);
  await rm(home, { recursive: true, force: true });
  await rename(entry, home);
  return { binary: join(home, "nats-server"), version: fetched.version, origin: fetched.origin };
}

function pinFor(env: Readonly<Record<string, string | undefined>>): PinnedArchive | Error | undefined {
  const url = env.TOCSIN_NATS_URL;
  const sha256 = env.TOCSIN_NATS_SHA256;
  if (url === undefined || url === "") return releasePin(process.platform, process.arch);
  if (sha256 === undefined || !/^[0-9a-f]{64}$/i.test(sha256)) {
    return new Error("TOCSIN_NATS_URL is not used: TOCSIN_NATS_SHA256 must hold the archive's SHA-256 (64 hex digits)");
  }
  return { url, sha256 };
}

/** One fetch at a time a cache; a lock whose process is gone is taken over. Returns what removes it. */
async function lockCache(cache: string, signal: AbortSignal | undefined): Promise<() => Promise<void>> {
  await mkdir(cache, { recursive: true });
  const lock = join(cache, ".lock");
  for (;;) {
    try {
      await writeFile(lock, String(process.pid), { flag: "wx" });
      return () => rm(lock, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = Number(await readFile(lock, "utf8").catch(() => ""));
    // Same process (two callers) waits as well; an empty file is being written.
    if (owner > 0 && !isAlive(owner)) await rm(lock, { force: true });
    else await sleep(200, undefined, signal === undefined ? {} : { signal });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
