import * as http from "node:http";
import * as https from "node:https";
import type { Readable } from "node:stream";
import { getCACertificates } from "node:tls";
import { createGunzip } from "node:zlib";
import type { ScrapeConfig } from "../../model/config.ts";
import { ScrapeError } from "./scrape-error.ts";

/** The HTTP side of one job: connections are kept between scrapes. */
export interface ScrapeClient {
  /** Fetches a target's metrics; rejects with `ScrapeError`, or when `signal` is aborted. */
  fetch(url: string, timeoutMs: number, signal: AbortSignal): Promise<ScrapeBody>;
  /** Closes the connections that are kept. */
  close(): void;
}

export interface ScrapeBody {
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

type ClientConfig = Pick<
  ScrapeConfig,
  | "basicAuth"
  | "authorization"
  | "bodySizeLimit"
  | "enableCompression"
  | "followRedirects"
  | "httpHeaders"
  | "tls"
  | "scrapeIntervalMs"
>;

/** Makes the client of a job. */
export function makeScrapeClient(config: ClientConfig, userAgent: string): ScrapeClient {
  const { tls } = config;
  const pool = { keepAlive: true, scheduling: "lifo" as const, timeout: config.scrapeIntervalMs * 2 + 5000 };
  const plain = new http.Agent(pool);
  let secureMade: https.Agent | undefined;
  const secure = (): https.Agent => {
    // Made when it is needed first: reading the system's certificates takes some milliseconds.
    secureMade ??= new https.Agent({
      ...pool,
      rejectUnauthorized: !tls.insecureSkipVerify,
      ca: tls.ca ?? trustedBySystem(),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
      ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
      ...(tls.minVersion === undefined ? {} : { minVersion: tls.minVersion }),
      ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
    });
    return secureMade;
  };
  const credentials = authorizationHeader(config);

  const headersFor = (timeoutMs: number, trusted: boolean): Record<string, string> => ({
    ...(trusted ? config.httpHeaders : {}),
    ...(trusted && credentials !== undefined ? { authorization: credentials } : {}),
    accept: "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "accept-encoding": config.enableCompression ? "gzip" : "identity",
    "user-agent": userAgent,
    "x-prometheus-scrape-timeout-seconds": String(timeoutMs / 1000),
  });

  const get = (url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<http.IncomingMessage> =>
    new Promise((resolve, reject) => {
      const isSecure = url.protocol === "https:";
      const options = { headers, signal, agent: isSecure ? secure() : plain };
      const request = (isSecure ? https : http).get(url, options, resolve);
      request.on("error", (error: NodeJS.ErrnoException) => {
        // The server closed a kept connection as we took it up: that says nothing about the target.
        const raced = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
        if (raced && !signal.aborted) get(url, headers, signal).then(resolve, reject);
        else reject(error);
      });
    });

  const follow = async (start: string, timeoutMs: number, signal: AbortSignal): Promise<ScrapeBody> => {
    let url = new URL(start);
    for (let hop = 0; ; hop++) {
      const trusted = url.host === new URL(start).host;
      const response = await get(url, headersFor(timeoutMs, trusted), signal);
      const status = response.statusCode ?? 0;
      const location = response.headers.location;
      if (config.followRedirects && REDIRECTS.has(status) && location !== undefined) {
        response.resume();
        if (hop >= MAX_REDIRECTS) throw new ScrapeError(`stopped after ${MAX_REDIRECTS} redirects`);
        url = redirectUrl(location, url);
        continue;
      }
      if (status !== 200) {
        discard(response);
        throw new ScrapeError(`server returned HTTP status ${status} ${response.statusMessage ?? ""}`.trimEnd());
      }
      const bytes = await readBody(response, config.bodySizeLimit);
      return { bytes, contentType: response.headers["content-type"] ?? "" };
    }
  };

  return {
    fetch: async (url, timeoutMs, signal) => {
      const timeout = new AbortController();
      const timer = setTimeout(() => timeout.abort(), timeoutMs);
      try {
        return await follow(url, timeoutMs, AbortSignal.any([signal, timeout.signal]));
      } catch (error) {
        if (timeout.signal.aborted)
          throw new ScrapeError(`no full answer within the scrape_timeout of ${timeoutMs / 1000}s`);
        throw error instanceof ScrapeError ? error : new ScrapeError(describe(error));
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => {
      plain.destroy();
      secureMade?.destroy();
    },
  };
}

let systemCertificates: string[] | undefined;

/** What the machine trusts, and what Node brings along for machines without a list of their own. */
function trustedBySystem(): string[] {
  systemCertificates ??= [...new Set([...getCACertificates("system"), ...getCACertificates("default")])];
  return systemCertificates;
}

function authorizationHeader(config: ClientConfig): string | undefined {
  if (config.basicAuth !== undefined) {
    const { username, password } = config.basicAuth;
    return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  }
  if (config.authorization === undefined) return undefined;
  return `${config.authorization.type} ${config.authorization.credentials}`;
}

function redirectUrl(location: string, base: URL): URL {
  let url: URL;
  try {
    url = new URL(location, base);
  } catch {
    throw new ScrapeError(`redirect to ${JSON.stringify(location)}, which is no URL`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new ScrapeError(`redirect to ${JSON.stringify(location)}, which is not http or https`);
  }
  return url;
}

/** Reads a small rest so that the connection can be kept; gives up a large one. */
function discard(response: http.IncomingMessage): void {
  let rest = 64 * 1024;
  response.on("data", (chunk: Buffer) => {
    rest -= chunk.length;
    if (rest < 0) response.destroy();
  });
  response.on("error", () => {});
}

/** The body, decompressed; `limit` 0 is none. */
async function readBody(response: http.IncomingMessage, limit: number): Promise<Uint8Array> {
  const encoding = (response.headers["content-encoding"] ?? "identity").toLowerCase();
  let stream: Readable = response;
  if (encoding === "gzip") {
    const gunzip = createGunzip();
    response.on("error", (error) => gunzip.destroy(error));
    stream = response.pipe(gunzip);
  } else if (encoding !== "identity" && encoding !== "") {
    response.destroy();
    throw new ScrapeError(`server used the unknown Content-Encoding ${JSON.stringify(encoding)}`);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (limit > 0 && length > limit)
        throw new ScrapeError(`body is larger than the body_size_limit of ${limit} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    response.destroy();
    throw error;
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);
}

/** A network error in one line. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0]);
  if (code === "ECONNRESET" || error.message === "aborted") return "connection closed in the middle of the response";
  if (code?.startsWith("Z_")) return `gzip body cannot be decompressed: ${error.message}`;
  if (code?.startsWith("HPE_")) return `not an HTTP response: ${error.message}`;
  if (code?.includes("CERT") || code?.startsWith("UNABLE_TO")) {
    return `${error.message.split(";", 1)[0]} (tls_config names certificates to trust)`;
  }
  return error.message === "" ? (code ?? error.name) : error.message;
}

/**
 * What is wrong with a response's Content-Type, or undefined when it is the text format. A blank or unknown type is only
 * read where the job says that it may be (`fallback_scrape_protocol`).
 */
export function contentTypeProblem(contentType: string, fallbackToText: boolean): string | undefined {
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type === "text/plain") return undefined;
  if (fallbackToText) return undefined;
  if (type === "application/openmetrics-text" || type === "application/vnd.google.protobuf") {
    return `server answered with ${type}, which is not supported; text/plain was asked for`;
  }
  const what = type === "" ? "no Content-Type" : `Content-Type ${JSON.stringify(type)}`;
  return `server answered with ${what}; if the body is in the text format, set fallback_scrape_protocol: PrometheusText0.0.4`;
}
