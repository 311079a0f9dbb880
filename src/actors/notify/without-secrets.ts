import type { Integration } from "../alert/integration-config.ts";

/** Keys of integrations, and of their HTTP settings, whose values are nobody else's business; of headers every value. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  "url",
  "key",
  "apiKey",
  "botToken",
  "token",
  "userKey",
  "routingKey",
  "password",
  "secret",
  "clientSecret",
]);
/** What is shorter stands in any text. */
const SHORTEST = 6;
const MASKED = "<secret>";

/** A provider's words without the secrets of the integration, should it have said them back. */
export function withoutSecrets(integration: Integration, text: string): string {
  let out = text;
  for (const secret of [...secretsOf(integration)].sort((a, b) => b.length - a.length)) {
    out = out.replaceAll(secret, MASKED);
    const encoded = encodeURIComponent(secret);
    if (encoded !== secret) out = out.replaceAll(encoded, MASKED);
  }
  return out;
}

function secretsOf(integration: Integration): Set<string> {
  const found = new Set<string>();
  const add = (text: string) => {
    if (text.length >= SHORTEST) found.add(text);
  };
  const walk = (value: unknown, within: string): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === "templates") continue;
      if (typeof inner !== "string") walk(inner, key);
      else if (within === "http" && key === "url") add(inner);
      else if (within === "headers" && "http" in integration)
        for (const part of [inner, ...inner.split(" ")]) add(part);
      else if (SECRET_KEYS.has(key)) {
        add(inner);
        if (key === "url") for (const part of partsOf(inner)) add(part);
      }
    }
  };
  walk(integration, "");
  return found;
}

/** What of a URL may be a secret: its path, the parts of that which are long, its parameters, who asks. */
function partsOf(url: string): string[] {
  try {
    const { pathname, search, username, password } = new URL(url);
    const long = pathname.split("/").filter((part) => part.length >= 16);
    return [pathname, search, username, password, ...long].filter((part) => part !== "/");
  } catch {
    return [];
  }
}
