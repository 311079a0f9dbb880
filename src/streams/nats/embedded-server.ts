import { randomBytes } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { spawnOnLeash } from "./leash.ts";
import type { ListenAddress } from "./listen-address.ts";
import { messageOf, NatsError } from "./nats-error.ts";
import { type Say, saySilently } from "./say.ts";
import { formatServerConf } from "./server-conf.ts";
import { readServerInfo } from "./server-info.ts";
import { endStaleServer } from "./stale-server.ts";
import { canStore, storeTrouble } from "./store-trouble.ts";

/**
 * Messages stay for seconds, so Go's default of a heap twice as large as what lives would only be memory taken from others.
 * What the environment says has precedence.
 */
const SMALL_HEAP = { GOGC: "40", GOMEMLIMIT: "128MiB" };

export interface EmbeddedServerOptions {
  /** From obtainNatsServer. */
  readonly binary: string;
  readonly version: string;
  /** Folder of its configuration, process id file and JetStream store; made when absent. One server a folder. */
  readonly dir: string;
  /** From chooseListen; stays the same over restarts, so that clients find the server again. */
  readonly listen: ListenAddress;
  /** Upper bound of what all streams together may reserve, bytes; default 1 TiB (the streams have their own bounds). */
  readonly maxStoreBytes?: number;
  readonly say?: Say;
}

export interface EmbeddedServer {
  /** nats://HOST:PORT */
  readonly url: string;
  readonly pid: number;
  /** Resolves when the process has ended, with a line that says how. */
  readonly ended: Promise<string>;
  /** Resolves when it has said that it cannot store any more, with its words: it must be started anew. */
  readonly storeFailed: Promise<string>;
  /** Stops it (SIGTERM, after 5 s SIGKILL, which costs nothing that was acknowledged) and waits for its end. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 5_000;
const PROBE_EVERY_MS = 1_000;

/**
 * Starts a nats-server with JetStream that fsyncs before it acknowledges, as a child that ends with this process. Resolves
 * when it answers. A server that an earlier process left behind in the same folder is ended first. Rejects with NatsError
 * "server_failed" that holds the server's own words.
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const say = options.say ?? saySilently;
  const dir = resolve(options.dir);
  const confFile = join(dir, "nats-server.conf");
  const pidFile = join(dir, "nats-server.pid");
  const serverName = `tocsin-${randomBytes(6).toString("hex")}`;
  try {
    await mkdir(dir, { recursive: true });
    const stale = await endStaleServer(pidFile, confFile);
    if (stale !== undefined) say("warn", `ended a nats-server that an earlier process left behind (pid ${stale})`);
    const conf = formatServerConf({
      serverName,
      ...options.listen,
      storeDir: join(dir, "store"),
      pidFile,
      maxStoreBytes: options.maxStoreBytes ?? 2 ** 40,
      serverVersion: options.version,
    });
    await writeFile(`${confFile}.new`, conf);
    await rename(`${confFile}.new`, confFile);
  } catch (error) {
    throw new NatsError("server_failed", `cannot prepare ${dir} for nats-server: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return await launch(options, serverName, confFile, say);
}

async function launch(
  options: EmbeddedServerOptions,
  serverName: string,
  confFile: string,
  say: Say,
): Promise<EmbeddedServer> {
  const { host, port } = options.listen;
  const child = spawnOnLeash(options.binary, ["-c", confFile], SMALL_HEAP);
  const words: string[] = [];
  let noteTrouble: (words: string) => void = () => {};
  const storeFailed = new Promise<string>((resolve) => {
    noteTrouble = resolve;
  });
  for (const stream of [child.stdout, child.stderr]) if (stream !== null) relayLog(stream, words, say, noteTrouble);
  let running = true;
  let stopping = false;
  const ended = new Promise<string>((done) => {
    child.once("error", (error) => done(`cannot be run: ${error.message}`));
    // "close" comes after the last line of output was read.
    child.once("close", (code, signal) =>
      done(signal === null ? `ended with status ${code}` : `was killed by ${signal}`),
    );
  }).then((how) => {
    running = false;
    const last = words.findLast((w) => /\[(FTL|ERR)\]/.test(w)) ?? words.at(-1);
    return stopping || last === undefined ? `nats-server ${how}` : `nats-server ${how}: ${last}`;
  });
  const stop = async () => {
    if (!running) return;
    stopping = true;
    child.kill("SIGTERM");
    const hard = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
    await ended;
    clearTimeout(hard);
  };

  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const info = await Promise.race([readServerInfo(host, port).catch(() => undefined), ended.then(() => undefined)]);
    if (info?.server_name === serverName) break;
    if (!running) throw new NatsError("server_failed", await ended);
    if (performance.now() > deadline) {
      await stop();
      throw new NatsError(
        "server_failed",
        `nats-server did not answer on ${host}:${port} within ${READY_WITHIN_MS / 1000} s`,
      );
    }
    await Promise.race([sleep(25), ended]);
  }
  const url = `nats://${host.includes(":") ? `[${host}]` : host}:${port}`;
  say("info", `nats-server ${options.version} answers on ${url} (pid ${child.pid}), data in ${resolve(options.dir)}`);
  return { url, pid: child.pid as number, ended, storeFailed, stop };
}

/** Keeps the last lines for error messages, passes warnings and errors on, and notes that the store has failed. */
function relayLog(stream: Readable, words: string[], say: Say, noteTrouble: (words: string) => void): void {
  createInterface({ input: stream }).on("line", (line) => {
    // [pid] 2026/01/31 12:00:00.000000 [LVL] text
    const m = /^\[\d+\] \S+ \S+ (\[([A-Z]{3})\] .*)$/.exec(line);
    words.push(m?.[1] ?? line);
    if (words.length > 20) words.shift();
    const level = m?.[2] === "ERR" || m?.[2] === "FTL" ? "error" : m?.[2] === "WRN" ? "warn" : "debug";
    const trouble = level === "error" || level === "warn" ? storeTrouble(line) : undefined;
    if (trouble !== undefined) noteTrouble(trouble);
    say(level, `nats-server: ${m?.[1]?.slice(6) ?? line}`);
  });
}

/** The server as a resource of a scope: started, and stopped when the scope closes. */
export const embeddedServer = (options: EmbeddedServerOptions): Effect.Effect<EmbeddedServer, NatsError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => startEmbeddedServer(options),
      catch: (e) => (e instanceof NatsError ? e : new NatsError("server_failed", messageOf(e))),
    }),
    (server) => Effect.promise(() => server.stop()),
  );

/** What a supervised server tells whoever depends on it. */
export interface ServerEvents {
  /** It answers: at each start. */
  readonly onUp?: (server: EmbeddedServer) => void;
  /** It stores nothing for now, in its own words; over at the next `onUp`. */
  readonly onStoreFailed?: (words: string) => void;
}

/**
 * The server as a supervised child: runs until it dies, then fails with how. Whoever uses the bus notices nothing but a
 * pause, because clients reconnect. A server that cannot store any more (a full disk) is ended as soon as the disk takes
 * data again, since only a new one stores again.
 */
export const embeddedServerChild = (
  options: EmbeddedServerOptions,
  events: ServerEvents = {},
): Effect.Effect<never, NatsError, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* embeddedServer(options);
    events.onUp?.(server);
    const how = yield* Effect.promise((signal) => lifeOf(server, options, events, signal));
    return yield* Effect.fail(new NatsError("server_failed", how));
  });

/** Resolves when the server has ended, or has to, with a line that says why. */
async function lifeOf(
  server: EmbeddedServer,
  options: EmbeddedServerOptions,
  events: ServerEvents,
  signal: AbortSignal,
): Promise<string> {
  let ended: string | undefined;
  const end = server.ended.then((how) => {
    ended = how;
  });
  const words = await Promise.race([server.storeFailed, end]);
  if (typeof words !== "string") return await server.ended;
  events.onStoreFailed?.(words);
  const say = options.say ?? saySilently;
  say("error", `nats-server cannot store (${words}): no sample is taken until ${resolve(options.dir)} can be written`);
  while (ended === undefined && !signal.aborted && !(await canStore(options.dir))) {
    await Promise.race([sleep(PROBE_EVERY_MS), end]);
  }
  return ended ?? `nats-server could not store (${words}); the disk takes data again, so it is started anew`;
}
