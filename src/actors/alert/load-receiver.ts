import type { Node } from "yaml";
import type { Receiver } from "./alertmanager-config.ts";
import type { Integration } from "./integration-config.ts";
import { type Fields, type LoadContext, readFields } from "./load-fields.ts";
import type { GlobalSettings } from "./load-global.ts";
import type { IntegrationInput } from "./load-integration-base.ts";
import {
  readDiscord,
  readMsteams,
  readMsteamsv2,
  readSlack,
  readTelegram,
  readWebhook,
} from "./load-integrations-chat.ts";
import { readEmail } from "./load-integrations-email.ts";
import { readOpsgenie, readPagerduty, readPushover, readVictorops } from "./load-integrations-paging.ts";

interface Kind {
  readonly name: string;
  /** Alertmanager's default. */
  readonly sendResolved: boolean;
  readonly timeout: boolean;
  readonly read: (input: IntegrationInput) => Integration;
}

/** In Alertmanager's order, in which a receiver's integrations are told. */
const KINDS: readonly Kind[] = [
  { name: "webhook", sendResolved: true, timeout: true, read: readWebhook },
  { name: "email", sendResolved: false, timeout: false, read: readEmail },
  { name: "pagerduty", sendResolved: true, timeout: true, read: readPagerduty },
  { name: "opsgenie", sendResolved: true, timeout: false, read: readOpsgenie },
  { name: "slack", sendResolved: false, timeout: true, read: readSlack },
  { name: "victorops", sendResolved: true, timeout: false, read: readVictorops },
  { name: "pushover", sendResolved: true, timeout: false, read: readPushover },
  { name: "telegram", sendResolved: true, timeout: true, read: readTelegram },
  { name: "discord", sendResolved: true, timeout: false, read: readDiscord },
  { name: "msteams", sendResolved: true, timeout: false, read: readMsteams },
  { name: "msteamsv2", sendResolved: true, timeout: false, read: readMsteamsv2 },
];

/** Alertmanager's other integrations: known, so that a file that uses one gets told so and not that it has a typo. */
const UNSUPPORTED = ["incidentio", "jira", "mattermost", "rocketchat", "sns", "webex", "wechat"];

export function readReceiver(c: LoadContext, node: Node, global: GlobalSettings): Receiver {
  return readFields(c, node, "the receiver", (f) => {
    const name = f.string("name");
    if (name === "") f.problem(undefined, "missing name in receiver");
    for (const kind of UNSUPPORTED) {
      const key = `${kind}_configs`;
      if (f.nodesOf(key).length > 0)
        f.problem(
          key,
          `${key} is not supported; use webhook_configs with a payload, or one of ${KINDS.map((k) => k.name).join(", ")}`,
        );
    }
    const fallback = f.has("fallback_receiver") ? { fallbackReceiver: f.string("fallback_receiver") } : {};
    const labels = f.has("labels") ? { labels: f.stringMap("labels") } : {};
    if (labels.labels !== undefined && "name" in labels.labels)
      f.problem("labels", 'a receiver\'s label "name" is its name: it cannot be set');
    return { name, ...fallback, ...labels, integrations: KINDS.flatMap((kind) => readKind(c, f, kind, global)) };
  });
}

function readKind(c: LoadContext, receiver: Fields, kind: Kind, global: GlobalSettings): readonly Integration[] {
  return receiver.nodesOf(`${kind.name}_configs`).map((node, i) =>
    readFields(c, node, `the ${kind.name} config`, (f) => {
      const base = {
        name: `${kind.name}[${i}]`,
        sendResolved: f.boolean("send_resolved", kind.sendResolved),
        timeoutMs: kind.timeout ? f.duration("timeout", 0) : 0,
        templates: c.templates,
      };
      return kind.read({ c, f, global, base });
    }),
  );
}
