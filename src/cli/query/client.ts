import { formatDuration } from "../../lib/duration.ts";
import type { TraceJson } from "./answer.ts";
import { UsageError } from "./times.ts";

/** The server that is asked, and as whom. */
export interface Server {
  readonly url: string;
  readonly tenant?: string;
  readonly timeoutMs?: number;
}

export interface Answer<T> {
  readonly data: T;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  /** Where it was asked for, and the server has one. */
  readonly trace?: TraceJson;
}

/** The server's answer is an error, or none of Prometheus's API. */
export class ServerError extends Error {
  /** Prometheus's errorType; "" where the answer is none of its API. */
  readonly type: string;
  readonly hint: string | undefined;
  constructor(type: string, message: string, hint?: string) {
    super(message);
    this.name = "ServerError";
    this.type = type;
    this.hint = hint;
  }
}

/** What the server may take longer than its own time limit to say so. */
const PATIENCE_MS = 5_000;

/**
 * Calls the HTTP API: a POST form, since queries may be longer than URLs are, or a GET where only that is served.
 * Throws `ServerError`; `UsageError` for a URL that is none.
 */
export async function ask<T>(
  server: Server,
  path: string,
  params: Iterable<readonly [string, string]>,
  method: "GET" | "POST" = "POST",
): Promise<Answer<T>> {
  const base = baseUrl(server.url);
  const form = new URLSearchParams();
  for (const [name, value] of params) form.append(name, value);
  if (server.timeoutMs !== undefined) form.set("timeout", `${server.timeoutMs / 1000}`);
  const target = new URL(`${base.pathname.replace(/\/+$/, "")}${path}`, base.origin);
  if (method === "GET") target.search = form.toString();
  const limit = server.timeoutMs === undefined ? undefined : AbortSignal.timeout(server.timeoutMs + PATIENCE_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetch(target, {
      method,
      headers: headersOf(server, base),
      ...(method === "POST" ? { body: form } : {}),
      ...(limit === undefined ? {} : { signal: limit }),
    });
    text = await response.text();
  } catch (e) {
    throw unreachable(base, e, server.timeoutMs);
  }
  return read<T>(response, text, base);
}

function baseUrl(url: string): URL {
  const withScheme = /^https?:\/\//.test(url) ? url : `http://${url}`;
  if (!URL.canParse(withScheme)) throw new UsageError(`--url: ${JSON.stringify(url)} is no URL`);
  return new URL(withScheme);
}

function headersOf({ tenant }: Server, base: URL): Record<string, string> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (tenant !== undefined) headers["x-scope-orgid"] = tenant;
  if (base.username !== "") {
    const credentials = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`;
    headers.authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  }
  return headers;
}

function unreachable(base: URL, error: unknown, timeoutMs: number | undefined): ServerError {
  const at = `${base.origin}${base.pathname.replace(/\/+$/, "")}`;
  if (error instanceof Error && error.name === "TimeoutError") {
    return new ServerError("timeout", `${at} has not answered within ${formatDuration(timeoutMs ?? 0)}`);
  }
  const cause = (error as { cause?: { code?: string; message?: string; errors?: { code?: string }[] } }).cause;
  const code = cause?.code ?? cause?.errors?.[0]?.code ?? "";
  if (code === "ECONNREFUSED") {
    const hint = "is Tocsin running? Start it with `tocsin serve`, or name another server with --url or TOCSIN_URL";
    return new ServerError("", `nothing listens at ${at} (connection refused)`, hint);
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new ServerError("", `there is no host ${base.hostname}`, "look at --url or TOCSIN_URL");
  }
  const why = cause?.message || (error as Error).message;
  return new ServerError("", `no answer from ${at}: ${why}`);
}

function read<T>(response: Response, text: string, base: URL): Answer<T> {
  let body: { status?: unknown; data?: unknown; error?: unknown; errorType?: unknown } & Record<string, unknown>;
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    body = {};
  }
  if (body?.status === "success" && "data" in body) {
    const trace = isTrace(body.trace) ? { trace: body.trace } : {};
    return { data: body.data as T, warnings: stringsOf(body.warnings), infos: stringsOf(body.infos), ...trace };
  }
  if (typeof body?.error === "string") throw new ServerError(String(body.errorType ?? ""), body.error);
  const start = text.trim().split("\n")[0]?.slice(0, 120) ?? "";
  const said = start === "" ? "" : `: ${start}`;
  const hint = `is ${base.origin} a Tocsin or Prometheus? Look at --url`;
  throw new ServerError("", `HTTP ${response.status} without an answer of Prometheus's API${said}`, hint);
}

function isTrace(value: unknown): value is TraceJson {
  if (typeof value !== "object" || value === null) return false;
  const { name, ms } = value as Partial<TraceJson>;
  return typeof name === "string" && typeof ms === "number";
}

function stringsOf(list: unknown): string[] {
  return Array.isArray(list) ? list.map(String) : [];
}
