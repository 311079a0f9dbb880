import type { SlackConfig } from "../alert/integration-config.ts";
import {
  type Attempt,
  answeredObject,
  jsonRequest,
  judgeStatus,
  type OutgoingRequest,
  type ProviderAnswer,
} from "./attempt.ts";
import { type Renderer, withErrors } from "./template/render.ts";
import { truncate } from "./truncate.ts";

const MAX_TITLE = 1024;

/** A message with one attachment, for an incoming webhook or chat.postMessage. */
export function slackRequests(config: SlackConfig, r: Renderer): readonly OutgoingRequest[] {
  const color = r.choice(config.color, "danger");
  const fields = config.fields.map((f) => ({ title: r.text(f.title), value: r.text(f.value), short: f.short }));
  const actions = config.actions.map((a) => slackAction(a, r));
  const request = {
    ...filled({
      channel: r.must(config.channel, "channel"),
      username: r.text(config.username),
      icon_emoji: r.choice(config.iconEmoji, ""),
      icon_url: r.choice(config.iconUrl, ""),
      text: r.text(config.messageText),
    }),
    ...(config.linkNames ? { link_names: true } : {}),
  };
  const links = filled({
    title_link: r.choice(config.titleLink, ""),
    image_url: r.choice(config.imageUrl, ""),
    thumb_url: r.choice(config.thumbUrl, ""),
  });
  const attachment = {
    ...filled({ title: truncate(r.text(config.title), MAX_TITLE), pretext: r.text(config.pretext), color }),
    ...links,
    text: withErrors(r, r.text(config.text)),
    fallback: r.text(config.fallback),
    callback_id: r.text(config.callbackId),
    footer: r.text(config.footer),
    ...(fields.length === 0 ? {} : { fields }),
    ...(actions.length === 0 ? {} : { actions }),
    ...(config.markdownIn.length === 0 ? {} : { mrkdwn_in: config.markdownIn }),
  };
  return [jsonRequest(config.url, { ...request, attachments: [attachment] })];
}

function slackAction(a: SlackConfig["actions"][number], r: Renderer): unknown {
  const confirm =
    a.confirm &&
    filled({
      text: r.text(a.confirm.text),
      title: r.text(a.confirm.title),
      ok_text: r.text(a.confirm.okText),
      dismiss_text: r.text(a.confirm.dismissText),
    });
  return {
    ...filled({
      type: r.text(a.type),
      text: r.text(a.text),
      url: r.text(a.url),
      style: r.text(a.style),
      name: r.text(a.name),
      value: r.text(a.value),
    }),
    ...(confirm === undefined ? {} : { confirm }),
  };
}

/** Without the empty ones, which Slack refuses in some places. */
function filled(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""));
}

/** Slack tells errors with status 200 too: in JSON, or as a text that is not `ok`. */
export function judgeSlack(channel: string): (answer: ProviderAnswer) => Attempt {
  return (answer) => {
    const attempt = judgeStatus(answer);
    if (!attempt.ok) return { ...attempt, reason: `channel ${JSON.stringify(channel)}: ${attempt.reason}` };
    if (answer.headers["content-type"]?.startsWith("application/json") !== true)
      return answer.text === "ok" ? attempt : refused(channel, answer.text);
    const { ok, error } = answeredObject(answer);
    return ok === true ? attempt : refused(channel, String(error ?? answer.text));
  };
}

const PASSING = /^(rate_?limited|internal_error|fatal_error|service_unavailable|request_timeout)$/;

function refused(channel: string, error: string): Attempt {
  const reason = `channel ${JSON.stringify(channel)}: error response from Slack: ${error}`;
  return { ok: false, retry: PASSING.test(error), reason };
}
