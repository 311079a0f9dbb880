import type { PushoverConfig } from "../alert/integration-config.ts";
import type { OutgoingRequest } from "./attempt.ts";
import { type Renderer, withErrors } from "./template/render.ts";
import { truncate } from "./truncate.ts";

const MAX_TITLE = 250;
const MAX_MESSAGE = 1024;
const MAX_URL = 512;

/** Parameters in the URL, as Alertmanager sends them. */
export function pushoverRequests(config: PushoverConfig, r: Renderer): readonly OutgoingRequest[] {
  const priority = r.choice(config.priority, "2");
  const link = truncate(r.choice(config.supplementaryUrl, ""), MAX_URL);
  const device = r.choice(config.device, "");
  const sound = r.choice(config.sound, "");
  // Behind all that takes no text: what failed there is told in the message.
  const { html } = config;
  const message = withErrors(r, html ? r.html(config.message) : r.text(config.message), html);
  const parameters: Record<string, string> = {
    token: r.must(config.token, "token"),
    user: r.must(config.userKey, "user_key"),
    title: truncate(r.text(config.title), MAX_TITLE),
    ...(config.html ? { html: "1" } : {}),
    ...(config.monospace ? { monospace: "1" } : {}),
    // An empty message is refused.
    message: truncate(message, MAX_MESSAGE).trim() || "(no details)",
    url: link,
    url_title: r.text(config.urlTitle),
    priority,
    retry: seconds(config.retryMs),
    expire: seconds(config.expireMs),
    device,
    sound,
    ...(config.ttlMs >= 1000 ? { ttl: seconds(config.ttlMs) } : {}),
  };
  const url = new URL(config.url);
  url.search = new URLSearchParams(parameters).toString();
  return [{ method: "POST", url: url.href, headers: { "content-type": "text/plain" }, body: "" }];
}

function seconds(ms: number): string {
  return String(Math.floor(ms / 1000));
}
