import type { Node } from "yaml";
import { parseDuration } from "../../lib/duration.ts";
import {
  field,
  readBoolean,
  readInteger,
  readList,
  readMap,
  readParsed,
  readString,
  report,
  type YamlReader,
} from "../../lib/yaml-reader.ts";
import type { HttpConfig, Receiver, WebhookConfig } from "./alertmanager-config.ts";
import { readHttpConfig, readSecret } from "./load-http.ts";

/** Alertmanager's other integrations: known, so that a file that uses one gets told so and not that it has a typo. */
const NOT_YET =
  "discord email incidentio jira mattermost msteams msteamsv2 opsgenie pagerduty pushover rocketchat slack sns telegram victorops webex wechat"
    .split(" ")
    .map((kind) => `${kind}_configs`);

export function readReceiver(r: YamlReader, node: Node, folder: string, http: HttpConfig): Receiver {
  const entries = readMap(r, node, "the receiver", ["name", "webhook_configs", ...NOT_YET]);
  const name = field(entries, "name", (n) => readString(r, n, "name")) ?? "";
  if (name === "") report(r, node, "missing name in receiver");
  for (const kind of NOT_YET) {
    const entry = entries.get(kind);
    if (entry !== undefined && readList(r, entry.value, kind).length > 0) {
      report(r, entry.keyNode, `${kind} is not supported yet, use webhook_configs`);
    }
  }
  const webhooks = readList(r, entries.get("webhook_configs")?.value, "webhook_configs");
  return { name, integrations: webhooks.map((n, i) => readWebhook(r, n, `webhook[${i}]`, folder, http)) };
}

const WEBHOOK_KEYS = ["send_resolved", "http_config", "url", "url_file", "max_alerts", "timeout", "payload"];

function readWebhook(r: YamlReader, node: Node, name: string, folder: string, http: HttpConfig): WebhookConfig {
  const entries = readMap(r, node, "the webhook", WEBHOOK_KEYS);
  const payload = entries.get("payload");
  if (payload !== undefined) report(r, payload.keyNode, "a webhook's payload is not supported yet");
  const url = readSecret(r, entries, "url", folder);
  const place = entries.get("url")?.value ?? entries.get("url_file")?.value ?? node;
  if (url === "") report(r, place, "one of url or url_file must be configured");
  else if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    report(r, place, `unsupported URL ${JSON.stringify(url)}: it must begin with http:// or https://`);
  }
  return {
    kind: "webhook",
    name,
    sendResolved: field(entries, "send_resolved", (n) => readBoolean(r, n, "send_resolved")) ?? true,
    url,
    maxAlerts: field(entries, "max_alerts", (n) => readInteger(r, n, "max_alerts")) ?? 0,
    timeoutMs: field(entries, "timeout", (n) => readParsed(r, n, "timeout", parseDuration)) ?? 0,
    http: readHttpConfig(r, entries.get("http_config")?.value, folder, http),
  };
}
