import { setTimeout as sleep } from "node:timers/promises";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { type ConnectionOptions, connect, type NatsConnection } from "@nats-io/transport-node";
import { messageOf, NatsError } from "./nats-error.ts";
import { type Say, saySilently } from "./say.ts";

/** A connection to a NATS server with JetStream. It reconnects for ever by itself. */
export interface Bus {
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  /** Without credentials, for people. */
  readonly url: string;
  /** How it connects: credentials and encryption. */
  readonly connection: ConnectionOptions;
  /** False from the moment the connection is lost until it is back: what is published meanwhile is dropped by the client. */
  connected(): boolean;
  /** Resolves when connected, at once if it is. Rejects with NatsError "closed" when it will never be. */
  ready(): Promise<void>;
  /** Calls back after each reconnect; returns what stops that. */
  onReconnect(listener: () => void): () => void;
  /** Sends what is buffered, then closes. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** Seen in the server's connection list. */
  readonly name?: string;
  /** How long to wait for a server that is not there, default for ever. */
  readonly waitMs?: number;
  /** Wait also for a server that refuses the credentials or has no JetStream: somebody may mend that. Default false. */
  readonly insist?: boolean;
  /** Hears of each attempt that failed, for people. */
  readonly onRefused?: (why: string) => void;
  readonly say?: Say;
  readonly signal?: AbortSignal;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;
/** How long closing waits for a server that does not answer. */
const DRAIN_MS = 2_000;
/** While waiting for the server, the line that says so is repeated this often. */
const REMIND_MS = 30_000;

/**
 * Connects to the server(s) at `url`: `nats://[user:password@]HOST[:4222]` or `tls://…`, several with commas. Waits for one
 * that is not there yet, and says so. Rejects with NatsError: "unreachable" after `waitMs`, "unauthorized", "no_jetstream".
 */
export async function connectBus(url: string, options: ConnectOptions = {}): Promise<Bus> {
  const say = options.say ?? saySilently;
  const { shown, connection } = parseBusUrl(url);
  const start = performance.now();
  let said = Number.NEGATIVE_INFINITY;
  let saidWhy = "";
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)) {
    options.signal?.throwIfAborted();
    try {
      return await connectOnce(shown, { ...connection, name: options.name ?? "tocsin" }, say);
    } catch (error) {
      const refused = error instanceof NatsError;
      if (refused && options.insist !== true) throw error;
      const now = performance.now();
      const left = (options.waitMs ?? Number.POSITIVE_INFINITY) - (now - start);
      const why = refused ? error.message : `no NATS server answers at ${shown} (${describe(error)})`;
      options.onRefused?.(why);
      if (left <= 0) throw refused ? error : new NatsError("unreachable", why, { cause: error });
      if (now - said > REMIND_MS || (refused && why !== saidWhy)) {
        say(refused ? "error" : "warn", `${why}: waiting for it`);
        said = now;
        saidWhy = why;
      }
      await sleep(Math.min(retryMs, left), undefined, options.signal === undefined ? {} : { signal: options.signal });
    }
  }
}

async function connectOnce(shown: string, connection: ConnectionOptions, say: Say): Promise<Bus> {
  const nc = await connect({
    ...connection,
    timeout: 5_000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
    reconnectJitter: 100,
    pingInterval: 10_000,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
  }).catch((error: unknown) => {
    if (/authorization violation|authentication/i.test(messageOf(error))) {
      throw new NatsError("unauthorized", `the NATS server at ${shown} refuses the credentials`, { cause: error });
    }
    throw error;
  });
  try {
    const jsm = await managerOf(nc, shown);
    return makeBus(nc, jsm, shown, connection, say);
  } catch (error) {
    await nc.close();
    throw error;
  }
}

async function managerOf(nc: NatsConnection, shown: string): Promise<JetStreamManager> {
  const off = (cause?: unknown) =>
    new NatsError(
      "no_jetstream",
      `the NATS server at ${shown} runs without JetStream, which Tocsin needs: start it with -js (or with a jetstream block ` +
        "in its configuration), or leave out the URL to use the embedded server",
      { cause },
    );
  if (nc.info?.jetstream !== true) throw off();
  try {
    return await jetstreamManager(nc);
  } catch (error) {
    if (/jetstream.*not.*enabled/i.test(`${messageOf(error)} ${error instanceof Error ? error.name : ""}`))
      throw off(error);
    throw error;
  }
}

function makeBus(
  nc: NatsConnection,
  jsm: JetStreamManager,
  shown: string,
  connection: ConnectionOptions,
  say: Say,
): Bus {
  let up = true;
  let closing = false;
  const listeners = new Set<() => void>();
  const onReconnect = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const watch = async () => {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") {
        up = false;
        if (!closing) say("warn", `connection to NATS at ${shown} is lost: reconnecting`);
      } else if (status.type === "reconnect") {
        up = true;
        say("info", `connected to NATS at ${shown} again`);
        for (const listener of [...listeners]) listener();
      }
    }
  };
  watch().catch((error: unknown) => say("error", `NATS connection status: ${messageOf(error)}`));
  return {
    nc,
    jsm,
    url: shown,
    connection,
    connected: () => up && !nc.isClosed(),
    ready: () =>
      new Promise((resolve, reject) => {
        if (nc.isClosed()) return reject(new NatsError("closed", `the connection to NATS at ${shown} is closed`));
        if (up) return resolve();
        const stop = onReconnect(() => {
          stop();
          resolve();
        });
        nc.closed().then(() => reject(new NatsError("closed", `the connection to NATS at ${shown} is closed`)), reject);
      }),
    onReconnect,
    close: async () => {
      closing = true;
      // Draining needs the server; without it there is nothing to wait for.
      if (up && !nc.isClosed()) {
        const patience = new AbortController();
        const drained = nc.drain().finally(() => patience.abort());
        await Promise.race([drained, sleep(DRAIN_MS, undefined, { signal: patience.signal })]).catch(() => {});
      }
      await nc.close();
    },
  };
}

/** Splits URLs into servers and credentials. Throws NatsError "unreachable" for what is not a NATS URL. */
export function parseBusUrl(url: string): { readonly shown: string; readonly connection: ConnectionOptions } {
  const servers: string[] = [];
  let credentials: ConnectionOptions = {};
  let tls = false;
  for (const part of url.split(",")) {
    const text = part.trim();
    let u: URL;
    try {
      u = new URL(/^[a-z]+:\/\//i.test(text) ? text : `nats://${text}`);
    } catch {
      throw notUrl(text);
    }
    if ((u.protocol !== "nats:" && u.protocol !== "tls:") || u.hostname === "") throw notUrl(text);
    if (u.protocol === "tls:") tls = true;
    servers.push(`${u.hostname}:${u.port || "4222"}`);
    if (u.password !== "") credentials = { user: decodeURIComponent(u.username), pass: decodeURIComponent(u.password) };
    else if (u.username !== "") credentials = { token: decodeURIComponent(u.username) };
  }
  const scheme = tls ? "tls" : "nats";
  return {
    shown: servers.map((s) => `${scheme}://${s}`).join(","),
    connection: { servers, ...credentials, ...(tls ? { tls: {} } : {}) },
  };
}

function notUrl(text: string): NatsError {
  const shown = text.replace(/\/\/[^@/]*@/, "//…@");
  return new NatsError("unreachable", `${JSON.stringify(shown)} is not a NATS URL (nats://HOST:4222)`);
}

function describe(error: unknown): string {
  const code = (error as { code?: unknown; cause?: { code?: unknown } })?.cause?.code;
  return typeof code === "string" ? `${messageOf(error)}, ${code}` : messageOf(error);
}
