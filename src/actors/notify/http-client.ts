import * as http from "node:http";
import * as https from "node:https";
import { getCACertificates } from "node:tls";
import type { TlsConfig } from "../../model/config.ts";
import type { HttpConfig } from "../alert/integration-config.ts";
import type { OutgoingRequest, ProviderAnswer } from "./attempt.ts";
import { accessToken, forgetToken } from "./oauth2.ts";

const MAX_REDIRECTS = 10;
/** Of an answer that is kept. */
const MAX_TEXT = 64 * 1024;

/**
 * Sends one request by the settings of an `http_config` and follows redirects as Go's client does: 301, 302 and 303 with
 * a GET, 307 and 308 with the same again. Rejects with the network's error, or when `signal` is aborted.
 */
export async function sendHttp(
  config: HttpConfig,
  request: OutgoingRequest,
  userAgent: string,
  signal: AbortSignal,
): Promise<ProviderAnswer> {
  const { oauth2 } = config;
  const fetchToken = (own: HttpConfig) => (asked: OutgoingRequest) => sendHttp(own, asked, userAgent, signal);
  const token = oauth2 === undefined ? undefined : await accessToken(oauth2, fetchToken(oauth2.http));
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  let next: Step = {
    method: request.method,
    url: new URL(request.url),
    headers: { "user-agent": userAgent, ...request.headers, ...config.headers, ...authorization },
    body: request.body,
  };
  for (let hop = 0; ; hop++) {
    const answer = await exchange(config, next, signal);
    if (answer.status === 401 && oauth2 !== undefined) forgetToken(oauth2);
    const redirected = config.followRedirects ? redirect(next, answer) : undefined;
    if (redirected === undefined) return answer;
    if (hop >= MAX_REDIRECTS) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
    next = redirected;
  }
}

interface Step {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

function redirect(step: Step, answer: ProviderAnswer): Step | undefined {
  const location = answer.headers.location;
  if (location === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) return undefined;
  const url = new URL(location, step.url);
  if (!/^https?:$/.test(url.protocol))
    throw new Error(`redirect to ${JSON.stringify(location)}, which is not http or https`);
  const { authorization, ...others } = step.headers;
  // Credentials are not shown to another host.
  const headers = url.host === step.url.host ? step.headers : others;
  if (answer.status >= 307) return { ...step, url, headers };
  const { "content-type": _, ...withoutBody } = headers;
  return { method: "GET", url, headers: withoutBody, body: undefined };
}

function exchange(config: HttpConfig, step: Step, signal: AbortSignal): Promise<ProviderAnswer> {
  return new Promise((resolve, reject) => {
    const secure = step.url.protocol === "https:";
    const { plain, secured } = agentsOf(config);
    const length = step.body === undefined ? {} : { "content-length": String(Buffer.byteLength(step.body)) };
    const request = (secure ? https : http).request(step.url, {
      method: step.method,
      headers: { ...step.headers, ...length },
      agent: secure ? secured : plain,
      signal,
    });
    request.on("error", (error) => {
      // The server closed a kept connection as it was taken up: nothing has been read of the request.
      const code = (error as NodeJS.ErrnoException).code;
      if (request.reusedSocket && (code === "ECONNRESET" || code === "EPIPE") && !signal.aborted)
        exchange(config, step, signal).then(resolve, reject);
      else reject(error);
    });
    request.on("response", (response) => {
      readStart(response).then((text) => {
        const headers = Object.fromEntries(Object.entries(response.headers).map(([k, v]) => [k, String(v)]));
        resolve({ status: response.statusCode ?? 0, headers, text });
      }, reject);
    });
    request.end(step.body);
  });
}

async function readStart(response: http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    if (length >= MAX_TEXT) break;
  }
  return Buffer.concat(parts).subarray(0, MAX_TEXT).toString("utf8").trim();
}

interface Agents {
  readonly plain: http.Agent;
  readonly secured: https.Agent;
}

/** Of each configuration, for as long as it is in use; connections are kept for the next notification. */
const agents = new WeakMap<HttpConfig, Agents>();

function agentsOf(config: HttpConfig): Agents {
  let made = agents.get(config);
  if (made === undefined) {
    const pool = {
      keepAlive: true,
      timeout: 60_000,
      ...(config.proxy === undefined ? {} : { proxyEnv: config.proxy }),
    };
    const secured = new https.Agent({ ...pool, ...(config.tls === undefined ? {} : tlsOptions(config.tls)) });
    made = { plain: new http.Agent(pool), secured };
    agents.set(config, made);
  }
  return made;
}

/** Options for Node's TLS; a server is checked against what the machine trusts unless `ca` is set. */
export function tlsOptions(tls: TlsConfig): https.AgentOptions {
  return {
    rejectUnauthorized: !tls.insecureSkipVerify,
    ca: tls.ca ?? trustedBySystem(),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    ...(tls.minVersion === undefined ? {} : { minVersion: tls.minVersion }),
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
  };
}

let systemCertificates: string[] | undefined;

function trustedBySystem(): string[] {
  systemCertificates ??= [...new Set([...getCACertificates("system"), ...getCACertificates("default")])];
  return systemCertificates;
}
