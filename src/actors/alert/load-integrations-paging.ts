import type {
  OpsgenieConfig,
  PagerdutyConfig,
  Payload,
  PushoverConfig,
  VictoropsConfig,
} from "./integration-config.ts";
import type { Fields } from "./load-fields.ts";
import { type IntegrationInput, overHttp, standard } from "./load-integration-base.ts";

const PAGERDUTY_V1_URL = "https://events.pagerduty.com/generic/2010-04-15/create_event.json";

/** What the details of an event hold unless they are set. */
const PAGERDUTY_DETAILS: Readonly<Record<string, string>> = {
  firing: "{{ .Alerts.Firing | toJson }}",
  resolved: "{{ .Alerts.Resolved | toJson }}",
  num_firing: "{{ .Alerts.Firing | len }}",
  num_resolved: "{{ .Alerts.Resolved | len }}",
};

export function readPagerduty(input: IntegrationInput): PagerdutyConfig {
  const { f, global } = input;
  const routing = f.secret("routing_key");
  const service = f.secret("service_key");
  if (routing === "" && service === "") f.problem(undefined, "missing service or routing key in PagerDuty config");
  const client = f.template("client", standard("pagerduty", "client"));
  const details = f.payload("details") ?? {};
  if (typeof details !== "object" || details === null || Array.isArray(details))
    f.problem("details", "details must be a mapping");
  const url = f.url("url", global.pagerdutyUrl);
  return {
    kind: "pagerduty",
    ...overHttp(input),
    version: service === "" ? 2 : 1,
    url: service === "" ? url : PAGERDUTY_V1_URL,
    key: service || routing,
    client,
    clientUrl: f.template("client_url", standard("pagerduty", "clientURL")),
    description: f.template("description", standard("pagerduty", "description")),
    details: { ...PAGERDUTY_DETAILS, ...(details as Readonly<Record<string, Payload>>) },
    images: f.list("images", "a PagerDuty image", (i) => ({
      src: i.template("src"),
      alt: i.template("alt"),
      href: i.template("href"),
    })),
    links: f.list("links", "a PagerDuty link", (l) => ({ href: l.template("href"), text: l.template("text") })),
    source: f.template("source", client) || client,
    severity: f.template("severity", "error") || "error",
    class: f.template("class"),
    component: f.template("component"),
    group: f.template("group"),
  };
}

const RESPONDERS = /^(team|teams|user|escalation|schedule)$/;

export function readOpsgenie(input: IntegrationInput): OpsgenieConfig {
  const { f, global } = input;
  const apiKey = f.secret("api_key", global.opsgenieKey);
  if (apiKey === "") f.problem(undefined, "no global OpsGenie API Key set either inline or in a file");
  return {
    kind: "opsgenie",
    ...overHttp(input),
    url: withSlash(f.url("api_url", global.opsgenieUrl)),
    apiKey,
    message: f.template("message", standard("opsgenie", "message")),
    description: f.template("description", standard("opsgenie", "description")),
    source: f.template("source", standard("opsgenie", "source")),
    details: f.templateMap("details"),
    entity: f.template("entity"),
    responders: f.list("responders", "an OpsGenie responder", readResponder),
    actions: f.template("actions"),
    tags: f.template("tags"),
    note: f.template("note"),
    priority: f.template("priority"),
    updateAlerts: f.boolean("update_alerts", false),
  };
}

function readResponder(f: Fields): OpsgenieConfig["responders"][number] {
  const [id, name, username] = [f.template("id"), f.template("name"), f.template("username")];
  if (id === "" && name === "" && username === "")
    f.problem(undefined, "a responder has to have at least one of id, username or name specified");
  const type = f.template("type");
  if (!type.includes("{{") && !RESPONDERS.test(type.toLowerCase()))
    f.problem(
      "type",
      `a responder's type must be one of team, teams, user, escalation, schedule, not ${JSON.stringify(type)}`,
    );
  return { id, name, username, type };
}

const VICTOROPS_RESERVED =
  "routing_key message_type state_message entity_display_name monitoring_tool entity_id entity_state";

export function readVictorops(input: IntegrationInput): VictoropsConfig {
  const { f, global } = input;
  const apiKey = f.secret("api_key", global.victoropsKey);
  if (apiKey === "") f.problem(undefined, "no global VictorOps API Key set either inline or in a file");
  const routingKey = f.template("routing_key");
  if (routingKey === "") f.problem(undefined, "missing Routing key in VictorOps config");
  const customFields = f.templateMap("custom_fields");
  for (const key of VICTOROPS_RESERVED.split(" ")) {
    if (Object.hasOwn(customFields, key))
      f.problem("custom_fields", `custom field ${key} cannot be used as it conflicts with the fixed fields`);
  }
  return {
    kind: "victorops",
    ...overHttp(input),
    url: withSlash(f.url("api_url", global.victoropsUrl)),
    apiKey,
    routingKey,
    messageType: f.template("message_type", "CRITICAL"),
    stateMessage: f.template("state_message", standard("victorops", "state_message")),
    entityDisplayName: f.template("entity_display_name", standard("victorops", "entity_display_name")),
    monitoringTool: f.template("monitoring_tool", standard("victorops", "monitoring_tool")),
    customFields,
  };
}

export function readPushover(input: IntegrationInput): PushoverConfig {
  const { f } = input;
  const userKey = f.secret("user_key");
  const token = f.secret("token");
  if (userKey === "") f.problem(undefined, "one of user_key or user_key_file must be configured");
  if (token === "") f.problem(undefined, "one of token or token_file must be configured");
  const html = f.boolean("html", false);
  const monospace = f.boolean("monospace", false);
  if (html && monospace) f.problem("monospace", "at most one of monospace & html must be configured");
  return {
    kind: "pushover",
    ...overHttp(input),
    url: "https://api.pushover.net/1/messages.json",
    userKey,
    token,
    title: f.template("title", standard("pushover", "title")),
    message: f.template("message", standard("pushover", "message")),
    supplementaryUrl: f.template("url", standard("pushover", "url")),
    urlTitle: f.template("url_title"),
    device: f.template("device"),
    sound: f.template("sound"),
    priority: f.template("priority", '{{ if eq .Status "firing" }}2{{ else }}0{{ end }}'),
    retryMs: f.duration("retry", 60_000),
    expireMs: f.duration("expire", 3_600_000),
    ttlMs: f.duration("ttl", 0),
    html,
    monospace,
  };
}

function withSlash(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}
