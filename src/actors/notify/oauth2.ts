import type { OAuth2Config } from "../alert/integration-config.ts";
import { answeredObject, type OutgoingRequest, type ProviderAnswer } from "./attempt.ts";

/** A token is renewed this long before it ends. */
const EARLY_MS = 10_000;

const tokens = new WeakMap<OAuth2Config, { readonly token: string; readonly until: number }>();

/**
 * The access token of the client credentials grant (RFC 6749, 4.4); kept until shortly before it ends.
 * @param send fetches the token
 */
export async function accessToken(
  config: OAuth2Config,
  send: (request: OutgoingRequest) => Promise<ProviderAnswer>,
): Promise<string> {
  const known = tokens.get(config);
  if (known !== undefined && performance.now() < known.until) return known.token;
  const answer = await send(tokenRequest(config));
  const { access_token: token, expires_in: seconds } = answeredObject(answer);
  if (answer.status !== 200 || typeof token !== "string")
    throw new Error(`oauth2: no token from ${new URL(config.tokenUrl).host}: status ${answer.status}: ${answer.text}`);
  const lastsMs = typeof seconds === "number" ? seconds * 1000 : Number.POSITIVE_INFINITY;
  tokens.set(config, { token, until: performance.now() + lastsMs - EARLY_MS });
  return token;
}

/** After a server refused the token. */
export function forgetToken(config: OAuth2Config): void {
  tokens.delete(config);
}

function tokenRequest(config: OAuth2Config): OutgoingRequest {
  const form = new URLSearchParams({ grant_type: "client_credentials", ...config.endpointParams });
  if (config.scopes.length > 0) form.set("scope", config.scopes.join(" "));
  const pair = [config.clientId, config.clientSecret].map(encodeURIComponent).join(":");
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    authorization: `Basic ${Buffer.from(pair).toString("base64")}`,
  };
  return { method: "POST", url: config.tokenUrl, headers, body: form.toString() };
}
