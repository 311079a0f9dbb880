import type { PagerdutyConfig, Payload } from "../alert/integration-config.ts";
import {
  type Attempt,
  answeredObject,
  jsonRequest,
  judgeStatus,
  type OutgoingRequest,
  type ProviderAnswer,
} from "./attempt.ts";
import { groupHash } from "./group-hash.ts";
import { fillPayload } from "./payload.ts";
import { RenderError, type Renderer, withErrors } from "./template/render.ts";
import { statusOf } from "./template/template-data.ts";
import { truncate } from "./truncate.ts";

const MAX_SUMMARY = 1024;
/** Of the whole event, in bytes. */
const MAX_EVENT = 512_000;
const SEVERITIES = ["critical", "error", "warning", "info"];

/** One event of the group; its deduplication key is the hash of the group's key. */
export function pagerdutyRequests(config: PagerdutyConfig, r: Renderer): readonly OutgoingRequest[] {
  const details: Record<string, Payload> = {};
  for (const [name, value] of Object.entries(config.details)) details[name] = fillPayload(value, r.text);
  const event = config.version === 1 ? eventV1 : eventV2;
  const whole = jsonRequest(config.url, event(config, r, details));
  if (Buffer.byteLength(whole.body) <= MAX_EVENT) return [whole];
  const error = "Custom details have been removed because the original event exceeds the maximum size of 512KB";
  return [jsonRequest(config.url, event(config, r, { error }))];
}

function eventV2(config: PagerdutyConfig, r: Renderer, details: Readonly<Record<string, Payload>>): unknown {
  const severity = r.choice(config.severity, "error");
  const images = config.images
    .map((i) => ({ src: r.choice(i.src, ""), alt: r.text(i.alt), href: r.choice(i.href, "") }))
    .filter((i) => i.src !== "");
  const links = config.links
    .map((l) => ({ href: r.choice(l.href, ""), text: r.text(l.text) }))
    .filter((l) => l.href !== "");
  const optional = { class: r.text(config.class), component: r.text(config.component), group: r.text(config.group) };
  const client = { client: r.text(config.client), client_url: r.choice(config.clientUrl, "") };
  return {
    routing_key: keyOf(config, r, "routing"),
    dedup_key: groupHash(r.notification.groupKey),
    event_action: actionOf(r),
    ...filled(client),
    payload: {
      summary: truncate(withErrors(r, r.text(config.description)), MAX_SUMMARY),
      source: r.text(config.source),
      severity: SEVERITIES.includes(severity) || r.errors.length === 0 ? severity : "error",
      ...filled(optional),
      custom_details: details,
    },
    ...(images.length === 0 ? {} : { images }),
    ...(links.length === 0 ? {} : { links }),
  };
}

function eventV1(config: PagerdutyConfig, r: Renderer, details: Readonly<Record<string, Payload>>): unknown {
  const action = actionOf(r);
  const client = { client: r.text(config.client), client_url: r.choice(config.clientUrl, "") };
  return {
    service_key: keyOf(config, r, "service"),
    incident_key: groupHash(r.notification.groupKey),
    event_type: action,
    description: truncate(withErrors(r, r.text(config.description)), MAX_SUMMARY),
    ...(action === "trigger" ? filled(client) : {}),
    details,
    event_action: "",
    payload: null,
  };
}

function actionOf(r: Renderer): "trigger" | "resolve" {
  return statusOf(r.notification.alerts) === "firing" ? "trigger" : "resolve";
}

function keyOf(config: PagerdutyConfig, r: Renderer, what: "routing" | "service"): string {
  const key = r.must(config.key, `${what}_key`).trim();
  if (key === "") throw new RenderError(`${what} key cannot be empty`);
  return key;
}

function filled(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""));
}

/** The old API tells with 403 that it is asked too much. */
export function judgePagerduty(version: 1 | 2): (answer: ProviderAnswer) => Attempt {
  return (answer) => {
    const { message, errors } = answeredObject(answer);
    const said =
      message === undefined ? answer.text : `${String(message)}: ${Array.isArray(errors) ? errors.join(",") : ""}`;
    return judgeStatus(answer, version === 1 ? [403] : [], said);
  };
}
