import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname } from "node:path";
import { DiskError, realDisk, replaceFile } from "../lib/disk.ts";
import { formatDuration, parseDuration } from "../lib/duration.ts";
import {
  deadlineOf,
  dueOf,
  onBeat,
  onPaged,
  onTime,
  onTry,
  readState,
  startWatch,
  steadyClock,
  type WatchState,
} from "./watchdog-core.ts";
import { type Page, type Pager, parsePager, sendPage } from "./watchdog-page.ts";

export interface WatchdogOptions {
  readonly listen: string;
  readonly timeout: string;
  readonly page?: string;
  readonly pageFile?: string;
  readonly state: string;
  readonly name: string;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** How much of a heartbeat's body is looked at. */
const MAX_BODY = 1 << 20;
/** Heartbeats are kept on disk at most so often; a lost one costs at most so much of the timeout after a restart. */
const SAVE_EVERY_MS = 1000;

/**
 * `tocsin watchdog`: expects heartbeats over HTTP and pages when they stop. It uses nothing of the system that it watches: no bus, no
 * data dir, no configuration file. Ends with 1 when what it was given is wrong, with 0 at a signal.
 */
export async function watchdog(options: WatchdogOptions): Promise<void> {
  const now = steadyClock(Date.now(), () => performance.now());
  /** By the wall clock as it is now, for people. */
  const shown = (time: number) => Date.now() - (now() - time);
  let pager: Pager;
  let timeoutMs: number;
  let address: { host: string; port: number };
  let state: WatchState;
  try {
    pager = parsePager(pageTarget(options));
    timeoutMs = parseDuration(options.timeout);
    if (timeoutMs <= 0) throw new Error("--timeout must be more than 0s");
    address = parseAddress(options.listen);
    state = startWatch(storedState(options.state), now());
    await replaceFile(realDisk, options.state, encode(state));
  } catch (e) {
    say(e instanceof DiskError ? `--state: ${e.message}` : (e as Error).message);
    process.exitCode = 1;
    return;
  }

  const counts = { beats: 0, pages: 0, pageFailures: 0, saveFailures: 0 };
  let lastProblem = "";
  let saving = Promise.resolve();
  let savedAt = 0;
  const save = () => {
    savedAt = now();
    saving = saving
      .then(() => replaceFile(realDisk, options.state, encode(state)))
      .catch((e: unknown) => {
        counts.saveFailures++;
        say(`state not saved: ${String(e)}`);
      });
    return saving;
  };
  const move = (next: WatchState) => {
    const incident = next.incident !== state.incident;
    const changed = next !== state;
    state = next;
    if (incident || (changed && now() - savedAt >= SAVE_EVERY_MS)) save();
  };

  let paging = false;
  let pause = FIRST_PAUSE_MS;
  let notBefore = 0;
  const tickMs = Math.min(1000, Math.max(50, timeoutMs / 10));
  let tickedAt = now();
  const tick = async () => {
    const at = now();
    // The process itself stood still: heartbeats that came meanwhile are read before it is decided.
    const stoodStill = at - tickedAt > 3 * tickMs + 1000;
    tickedAt = at;
    if (stoodStill) return;
    const before = state.incident;
    move(onTime(state, at, timeoutMs, randomUUID));
    if (state.incident !== undefined && before === undefined) say("no heartbeat: paging");
    const what = dueOf(state);
    if (what === undefined || paging || at < notBefore || state.incident === undefined) return;
    paging = true;
    const { key, since, over } = state.incident;
    move(onTry(state));
    // Known after a crash, unless the disk takes too long: paging does not wait for it.
    await Promise.race([saving, new Promise((resolve) => setTimeout(resolve, 1000))]);
    const page: Page = { what, key, name: options.name, summary: summaryOf(what), time: shown(over ?? since) };
    try {
      await sendPage(pager, page);
      counts.pages++;
      lastProblem = "";
      pause = FIRST_PAUSE_MS;
      move(onPaged(state, key, what));
      say(what === "trigger" ? "paged" : "told that the heartbeat is back");
    } catch (e) {
      counts.pageFailures++;
      lastProblem = (e as Error).message;
      say(`page not sent, tried again in ${pause / 1000} s: ${lastProblem}`);
      notBefore = now() + pause * (0.75 + Math.random() / 2);
      pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
    }
    paging = false;
  };
  const summaryOf = (what: "trigger" | "resolve") => {
    if (what === "resolve") return `${options.name}: the heartbeat is back`;
    const last =
      state.lastBeat === 0 ? "none was ever heard" : `the last was at ${new Date(shown(state.lastBeat)).toISOString()}`;
    return `${options.name}: no heartbeat for ${formatDuration(timeoutMs)}, ${last}: rules or notifications do not work`;
  };

  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0];
    const answer = (status: number, text: string) => respond(response, status, text);
    if (path === "/healthz") {
      const missing = state.incident !== undefined && state.incident.over === undefined;
      const heard = state.lastBeat === 0 ? "none yet" : new Date(shown(state.lastBeat)).toISOString();
      const lines = [missing ? "heartbeat missing" : "ok", `last heartbeat: ${heard}`];
      if (lastProblem !== "") lines.push(`page not sent: ${lastProblem}`);
      // The status is that of the watchdog itself: one that watches and pages does its work.
      return answer(lastProblem === "" ? 200 : 503, `${lines.join("\n")}\n`);
    }
    if (path === "/metrics") return answer(200, metricsOf(state, timeoutMs, counts, now()));
    if (path !== "/" && path !== "/heartbeat") return answer(404, "not found: heartbeats go to /heartbeat\n");
    if (request.method !== "POST" && request.method !== "PUT") return answer(405, "a heartbeat is a POST\n");
    readBody(request).then(
      (body) => {
        // The end of the alert that always fires is no sign of life.
        if (isResolved(body)) return answer(200, "not a heartbeat: resolved\n");
        counts.beats++;
        const missing = state.incident !== undefined && state.incident.over === undefined;
        if (missing) say("the heartbeat is back");
        move(onBeat(state, now()));
        answer(200, "ok\n");
      },
      () => answer(400, "the heartbeat could not be read\n"),
    );
  });
  server.requestTimeout = 30_000;
  const stopped = Promise.withResolvers<number>();
  server.on("error", (e) => {
    say(`--listen ${options.listen}: ${e.message}`);
    stopped.resolve(1);
  });
  server.listen(address.port, address.host, () => {
    const bound = server.address();
    const port = typeof bound === "object" ? bound?.port : address.port;
    say(
      `watching: heartbeats to http://${options.listen.replace(/:\d+$/, "")}:${port}/heartbeat at least every ${formatDuration(timeoutMs)}`,
    );
  });
  const timer = setInterval(tick, tickMs);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopped.resolve(0));
  const code = await stopped.promise;
  clearInterval(timer);
  server.close();
  server.closeAllConnections();
  await save();
  process.exit(code);
}

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString()} watchdog: ${line}\n`);
}

/** From the option, its file, or the environment, where other users of the machine do not see it. */
function pageTarget({ page, pageFile }: WatchdogOptions): string {
  if (page !== undefined) return page;
  if (pageFile !== undefined) {
    try {
      return readFileSync(pageFile, "utf8").trim();
    } catch (e) {
      throw new Error(`--page-file: ${(e as Error).message}`);
    }
  }
  const { TOCSIN_WATCHDOG_PAGE } = process.env;
  if (TOCSIN_WATCHDOG_PAGE !== undefined && TOCSIN_WATCHDOG_PAGE !== "") return TOCSIN_WATCHDOG_PAGE;
  throw new Error("whom to page: --page, --page-file or TOCSIN_WATCHDOG_PAGE");
}

function parseAddress(text: string): { host: string; port: number } {
  const [, host = "", port = ""] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(text) ?? [];
  if (port === "" || Number(port) > 65_535) throw new Error(`--listen: ${JSON.stringify(text)} is not host:port`);
  return { host: host === "" ? "0.0.0.0" : host, port: Number(port) };
}

function storedState(path: string): WatchState | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Error(`--state ${path}: ${(e as Error).message} (folder ${dirname(path)})`);
  }
  const state = readState(text);
  if (state === undefined) say(`${path} is not a watchdog's state: it begins anew`);
  return state;
}

function encode(state: WatchState): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(state)}\n`);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length <= MAX_BODY) parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function isResolved(body: string): boolean {
  try {
    return (JSON.parse(body) as { status?: unknown } | null)?.status === "resolved";
  } catch {
    return false;
  }
}

function respond(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
}

function metricsOf(
  state: WatchState,
  timeoutMs: number,
  counts: Readonly<Record<"beats" | "pages" | "pageFailures" | "saveFailures", number>>,
  now: number,
): string {
  const missing = state.incident !== undefined && state.incident.over === undefined;
  const waits = dueOf(state) !== undefined;
  const metrics: readonly (readonly [string, "counter" | "gauge", string, number])[] = [
    ["heartbeats_total", "counter", "Heartbeats that came.", counts.beats],
    ["last_heartbeat_timestamp_seconds", "gauge", "When the last heartbeat came; 0: none has.", state.lastBeat / 1000],
    ["deadline_seconds", "gauge", "Time left for the next heartbeat.", (deadlineOf(state, timeoutMs) - now) / 1000],
    ["heartbeat_missing", "gauge", "1 while the heartbeat is missing.", missing ? 1 : 0],
    ["page_waiting", "gauge", "1 while a page, or its end, has not arrived.", waits ? 1 : 0],
    ["pages_total", "counter", "Pages and their ends that arrived.", counts.pages],
    ["page_failures_total", "counter", "Attempts to page that failed.", counts.pageFailures],
    ["state_save_failures_total", "counter", "Times the state could not be kept.", counts.saveFailures],
  ];
  return metrics
    .map(([name, type, help, value]) => {
      const full = `tocsin_watchdog_${name}`;
      return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${full} ${value}\n`;
    })
    .join("");
}
