import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** A request that a provider got. */
export interface Got {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body, when it is JSON. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface ProviderAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface ProviderServer {
  readonly url: string;
  readonly got: Got[];
  /** Decides the answers; 200 and `ok` otherwise. */
  answer: (got: Got) => ProviderAnswer | undefined;
  waitFor(count: number): Promise<void>;
  close(): Promise<void>;
}

/** An HTTP server on a free loopback port that answers as a provider does. */
export async function providerServer(answer: ProviderServer["answer"] = () => undefined): Promise<ProviderServer> {
  const waiting: { count: number; resolve: () => void }[] = [];
  const http = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://x");
      const text = Buffer.concat(parts).toString();
      const got: Got = {
        method: request.method ?? "",
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        text,
        json: parsed(text),
      };
      server.got.push(got);
      const { status = 200, headers = {}, body = "ok" } = server.answer(got) ?? {};
      const json = typeof body === "string" ? {} : { "content-type": "application/json" };
      response.writeHead(status, { ...json, ...headers }).end(typeof body === "string" ? body : JSON.stringify(body));
      for (const w of waiting) if (server.got.length >= w.count) w.resolve();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const server: ProviderServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    got: [],
    answer,
    waitFor: (count) =>
      server.got.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
  return server;
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** What the client called itself. */
  readonly hello: string;
  /** `PLAIN <base64>` and the like; the lines of the exchange after AUTH. */
  readonly auth: readonly string[];
  readonly raw: string;
}

export interface SmtpServer {
  readonly port: number;
  readonly mails: ReceivedMail[];
  waitFor(count: number): Promise<void>;
  close(): Promise<void>;
}

export interface SmtpBehaviour {
  /** Advertised, as `PLAIN LOGIN`; none: no AUTH. */
  readonly auth?: string;
  /** Takes TLS: after STARTTLS, or from the start. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly implicit: boolean };
  /** Replies by command (`RCPT TO:<no@x>`, `DATA`, `.`) in place of the usual. */
  readonly reply?: (command: string) => string | undefined;
}

/** An SMTP server on a free loopback port that takes every mail. */
export async function smtpServer(behaviour: SmtpBehaviour = {}): Promise<SmtpServer> {
  const mails: ReceivedMail[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const sockets = new Set<Socket>();
  const tcp = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    const secured = behaviour.tls?.implicit ? secure(socket, behaviour.tls) : socket;
    serveSmtp(secured, behaviour, (mail) => {
      mails.push(mail);
      for (const w of waiting) if (mails.length >= w.count) w.resolve();
    });
  });
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  return {
    port: (tcp.address() as AddressInfo).port,
    mails,
    waitFor: (count) =>
      mails.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        tcp.close(() => resolve());
      }),
  };
}

function secure(socket: Socket, { key, cert }: NonNullable<SmtpBehaviour["tls"]>): TLSSocket {
  const secured = new TLSSocket(socket, { isServer: true, key, cert });
  secured.on("error", () => {});
  return secured;
}

function serveSmtp(
  socket: Socket,
  behaviour: SmtpBehaviour,
  received: (mail: ReceivedMail) => void,
  greet = true,
): void {
  let [from, hello, data, buffer] = ["", "", "", ""];
  let to: string[] = [];
  const auth: string[] = [];
  let mode: "command" | "data" | "auth" = "command";
  let challenges: string[] = [];
  const say = (line: string) => socket.write(`${line}\r\n`);
  const b64 = (text: string) => Buffer.from(text).toString("base64");
  if (greet) say("220 test ESMTP");
  const command = (line: string): void => {
    const own = behaviour.reply?.(line);
    if (own !== undefined) return void say(own);
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === "EHLO" || verb === "HELO") {
      hello = line.slice(5);
      const starttls = behaviour.tls !== undefined && !(socket instanceof TLSSocket) ? ["STARTTLS"] : [];
      const extensions = [...starttls, ...(behaviour.auth === undefined ? [] : [`AUTH ${behaviour.auth}`])];
      const lines = ["test", ...extensions];
      for (const [i, text] of lines.entries()) say(`250${i === lines.length - 1 ? " " : "-"}${text}`);
    } else if (verb === "AUTH") {
      auth.push(line.slice(5));
      challenges = /LOGIN/.test(line)
        ? [b64("Username:"), b64("Password:")]
        : /CRAM/.test(line)
          ? [b64("<1@test>")]
          : [];
      if (challenges.length === 0) return void say("235 ok");
      mode = "auth";
      say(`334 ${challenges.shift()}`);
    } else if (verb === "MAIL") {
      from = /<(.*)>/.exec(line)?.[1] ?? "";
      say("250 ok");
    } else if (verb === "RCPT") {
      to.push(/<(.*)>/.exec(line)?.[1] ?? "");
      say("250 ok");
    } else if (verb === "DATA") {
      mode = "data";
      data = "";
      say("354 go on");
    } else if (verb === "STAR") {
      if (behaviour.tls === undefined || socket instanceof TLSSocket) return void say("502 not here");
      say("220 go on");
      socket.removeAllListeners("data");
      serveSmtp(secure(socket, behaviour.tls), behaviour, received, false);
    } else if (verb === "QUIT") {
      say("221 bye");
      socket.end();
    } else say("250 ok");
  };
  const take = (line: string): void => {
    if (mode === "command") command(line);
    else if (mode === "auth") {
      auth.push(line);
      const next = challenges.shift();
      if (next === undefined) mode = "command";
      say(next === undefined ? "235 ok" : `334 ${next}`);
    } else if (line !== ".") data += `${line.startsWith("..") ? line.slice(1) : line}\r\n`;
    else {
      mode = "command";
      const own = behaviour.reply?.(".");
      if (own === undefined) received({ from, to, hello, auth: [...auth], raw: data });
      to = [];
      say(own ?? "250 queued");
    }
  };
  socket.on("data", (part) => {
    buffer += part.toString("latin1");
    for (let end = buffer.indexOf("\r\n"); end >= 0; end = buffer.indexOf("\r\n")) {
      const line = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      take(line);
    }
  });
}

export interface ReadMail {
  /** By lower-case name, decoded. */
  readonly headers: Readonly<Record<string, string>>;
  /** The decoded bodies by content type. */
  readonly parts: Readonly<Record<string, string>>;
}

/** Reads a mail of one or more quoted-printable parts. */
export function readMail(raw: string): ReadMail {
  const { headers, body } = splitPart(raw);
  const boundary = /boundary="?([^";]+)"?/.exec(headers["content-type"] ?? "")?.[1];
  const parts: Record<string, string> = {};
  const pieces = boundary === undefined ? [raw] : body.split(`--${boundary}`).slice(1, -1);
  for (const piece of pieces) {
    const part = splitPart(piece.replace(/^\r\n/, ""));
    const type = (part.headers["content-type"] ?? "text/plain").split(";")[0] as string;
    const encoding = part.headers["content-transfer-encoding"] ?? "";
    parts[type] = decodeBody(part.body, encoding).replaceAll("\r\n", "\n").trim();
  }
  return { headers, parts };
}

function splitPart(raw: string): { headers: Record<string, string>; body: string } {
  const end = raw.indexOf("\r\n\r\n");
  const headers: Record<string, string> = {};
  for (const line of raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, " ")
    .split("\r\n")) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = decodeWords(line.slice(colon + 1).trim());
  }
  return { headers, body: raw.slice(end + 4) };
}

function decodeBody(body: string, encoding: string): string {
  if (encoding === "base64") return Buffer.from(body, "base64").toString();
  if (encoding !== "quoted-printable") return Buffer.from(body, "latin1").toString();
  const bytes = body
    .replace(/=\r\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString();
}

function decodeWords(text: string): string {
  return text
    .replace(/\?=\s+=\?/g, "?==?")
    .replace(/=\?utf-8\?([qb])\?(.*?)\?=/gi, (_, kind: string, word: string) =>
      kind.toLowerCase() === "b"
        ? Buffer.from(word, "base64").toString()
        : decodeBody(word.replaceAll("_", " "), "quoted-printable"),
    );
}
