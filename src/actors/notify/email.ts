import { isIP } from "node:net";
import { hostname } from "node:os";
import { createTransport } from "nodemailer";
import addressparser from "nodemailer/lib/addressparser";
import type { EmailConfig } from "../alert/integration-config.ts";
import type { Attempt } from "./attempt.ts";
import { groupHash } from "./group-hash.ts";
import { tlsOptions } from "./http-client.ts";
import { RenderError, type Renderer, withErrors } from "./template/render.ts";

/** A mail, filled in. */
export interface Mail {
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
  /** All but what the mailer writes itself: MIME's, and Date. */
  readonly headers: Readonly<Record<string, string>>;
  readonly html: string;
  readonly text: string;
}

/**
 * The mail of a notification. Its Message-Id comes from the notification's key, so that a mail that is sent again is known
 * as the same; with threading all mails of a group refer to one that does not exist, which puts them into one thread.
 */
export function emailOf(config: EmailConfig, r: Renderer, now: number): Mail {
  const [from, ...others] = addresses(r.must(config.from, "from"));
  const to = addresses(r.must(config.to, "to"));
  if (from === undefined || others.length > 0) throw new RenderError("must be exactly one 'from' address");
  if (to.length === 0) throw new RenderError("there is no address in 'to'");
  const headers: Record<string, string> = {};
  for (const [name, template] of Object.entries(config.headers)) {
    const value =
      name === "To" || name === "From" ? r.choice(template, name === "To" ? to.join(", ") : from) : r.text(template);
    // A line feed would begin another header.
    headers[name] = value.replace(/[\r\n]+/g, " ").trim();
  }
  headers["Message-Id"] ??= `<${r.notification.key}@${hostname()}>`;
  if (config.threading !== undefined) {
    const day = config.threading === "daily" ? localDay(now) : "";
    const root = `<alert-${groupHash(r.notification.groupKey).slice(0, 16)}-${day}@alertmanager>`;
    headers.References = root;
    headers["In-Reply-To"] = root;
  }
  const text = config.text === "" ? "" : withErrors(r, r.text(config.text));
  const html = config.html === "" ? "" : r.html(config.html);
  return { envelope: { from, to }, headers, html, text };
}

function addresses(list: string): string[] {
  return addressparser(list, { flatten: true })
    .map((a) => a.address)
    .filter((address) => address !== "");
}

function localDay(now: number): string {
  const at = new Date(now);
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
}

/** Sends a mail once. Never rejects but for the abort of `signal`. */
export async function sendMail(
  config: EmailConfig,
  mail: Mail,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Attempt> {
  const serverName = config.tls.serverName ?? (isIP(config.host) === 0 ? config.host : undefined);
  const transport = createTransport({
    host: config.host,
    port: config.port,
    name: config.hello,
    secure: config.implicitTls,
    requireTLS: config.requireTls && !config.implicitTls,
    ignoreTLS: !config.requireTls,
    tls: { ...tlsOptions(config.tls), ...(serverName === undefined ? {} : { servername: serverName }) },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    ...authOf(config),
  });
  const { Subject, To, From, "Message-Id": messageId, ...headers } = mail.headers;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  try {
    const sending = transport.sendMail({
      envelope: { from: mail.envelope.from, to: [...mail.envelope.to] },
      subject: Subject,
      to: To,
      from: From,
      messageId,
      headers,
      ...(mail.html === "" ? {} : { html: mail.html }),
      ...(mail.text === "" ? {} : { text: mail.text }),
      textEncoding: "quoted-printable",
    });
    const { rejected } = await Promise.race([sending, aborted]);
    if (rejected.length === 0) return { ok: true };
    // The others have it: the same again would tell them twice.
    return { ok: false, retry: false, reason: `the server refused ${rejected.join(", ")}; the others have got it` };
  } catch (error) {
    if (signal.aborted) throw error;
    const { responseCode, message } = error as { responseCode?: number; message: string };
    // 5yz is for good, 4yz and the network are not.
    return { ok: false, retry: responseCode === undefined || responseCode < 500, reason: `smtp: ${message}` };
  } finally {
    transport.close();
  }
}

type TransportAuth = Pick<Exclude<Parameters<typeof createTransport>[0], string | undefined>, never>;

function authOf({ auth }: EmailConfig): TransportAuth {
  if (auth === undefined) return {};
  const { username: user, password, secret, identity } = auth;
  if (password === "" && secret !== "") return { auth: { user, pass: secret, method: "CRAM-MD5" } };
  if (identity === "") return { auth: { user, pass: password } };
  const plain = Buffer.from(`${identity}\0${user}\0${password}`).toString("base64");
  return {
    auth: { type: "custom", method: "PLAIN", user, pass: password },
    customAuth: {
      PLAIN: async (context: { sendCommand: (command: string) => Promise<{ status: number; response: string }> }) => {
        const { status, response } = await context.sendCommand(`AUTH PLAIN ${plain}`);
        if (status !== 235) throw Object.assign(new Error(`Invalid login: ${response}`), { responseCode: status });
      },
    },
  };
}
