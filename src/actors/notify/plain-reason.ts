/** What a network's error code means, for somebody who reads why a test did not arrive. */
const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused: nothing listens at that address and port",
  ENOTFOUND: "the host's name is not known: look for a slip in it, or at DNS",
  EAI_AGAIN: "the host's name cannot be looked up now: DNS does not answer",
  ECONNRESET: "the connection was closed before an answer: is it the right port, and does it take http or https?",
  EPIPE: "the connection was closed before an answer: is it the right port, and does it take http or https?",
  ETIMEDOUT: "no connection in time: is a firewall in between?",
  EHOSTUNREACH: "there is no way to that host: is a firewall or a proxy in between?",
  ENETUNREACH: "there is no way to that network",
  EPROTO: "TLS does not come about: does that port take https?",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself: give its authority as tls_config.ca_file",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate's authority is not known: give it as tls_config.ca_file",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate's authority is not known: give it as tls_config.ca_file",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate's authority is not known: give it as tls_config.ca_file",
  CERT_HAS_EXPIRED: "its certificate is no longer valid",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host's name: see tls_config.server_name",
};

const MAX = 300;

/**
 * The reason of a failed attempt on one line, in words: what a provider says in JSON without the JSON, a page of HTML by its title, a
 * network's code with its meaning. What is plain already stays.
 */
export function plainReason(reason: string): string {
  const code = /\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\b/g;
  const known = [...reason.matchAll(code)].map(([found]) => found).find((found) => Object.hasOwn(NETWORK, found));
  if (known !== undefined) {
    const meaning = NETWORK[known] as string;
    return reason === known ? `${meaning} (${known})` : `${oneLine(reason)} (${meaning})`;
  }
  if (/wrong version number/i.test(reason)) return "TLS does not come about: that port does not take it";
  const at = reason.search(/[{<]/);
  if (at < 0) return oneLine(reason);
  const body = reason.slice(at);
  const said = body.startsWith("{") ? ofJson(body) : ofHtml(body);
  return oneLine(said === undefined ? reason : reason.slice(0, at) + said);
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= MAX ? line : `${line.slice(0, MAX)}…`;
}

/** Undefined for what is none, or has nothing that is read as a message. */
function ofJson(text: string): string | undefined {
  try {
    const found = texts(JSON.parse(text), "", true);
    return found.length === 0 ? undefined : [...new Set(found)].join(": ");
  } catch {
    return undefined;
  }
}

const SAYS: readonly string[] = ["message", "description", "error", "errors", "reason", "detail", "title", "code"];

/** Under keys that hold messages; below them, under all. */
function texts(value: unknown, key: string, top: boolean): string[] {
  if (typeof value === "string") return [key === "" ? value : `${key} ${value}`];
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one) => texts(one, key, false));
  const entries = Object.entries(value);
  const chosen = top ? entries.filter(([k]) => SAYS.includes(k)) : entries;
  return chosen.flatMap(([k, v]) => texts(v, SAYS.includes(k) ? "" : k, false));
}

function ofHtml(text: string): string | undefined {
  if (!/^<(!doctype|html|head|body|h\d|p|\?xml)\b/i.test(text)) return undefined;
  const title = /<title[^>]*>([^<]+)<\/title>/i.exec(text)?.[1];
  return title ?? text.replace(/<[^>]*>/g, " ");
}
