import type {
  DiscordConfig,
  MsteamsConfig,
  Msteamsv2Config,
  SlackAction,
  SlackConfig,
  TelegramConfig,
  WebhookConfig,
} from "./integration-config.ts";
import type { Fields } from "./load-fields.ts";
import { type IntegrationInput, overHttp, standard } from "./load-integration-base.ts";

export function readWebhook(input: IntegrationInput): WebhookConfig {
  const { f } = input;
  const url = f.secretUrl("url");
  if (url === "") f.problem(undefined, "one of url or url_file must be configured");
  const payload = f.payload("payload");
  return {
    kind: "webhook",
    ...overHttp(input),
    url,
    maxAlerts: f.integer("max_alerts", 0),
    ...(payload === undefined ? {} : { payload }),
  };
}

export function readSlack(input: IntegrationInput): SlackConfig {
  const { f, global } = input;
  const text = (key: string, what = key.replaceAll("_", "")) => f.template(key, standard("slack", what));
  const ownUrl = f.secretUrl("api_url");
  const ownToken = f.secret("app_token");
  const appUrl = f.url("app_url", global.slackAppUrl);
  if (ownUrl !== "" && ownToken !== "")
    f.problem("app_token", "at most one of api_url/api_url_file & app_token/app_token_file must be configured");
  const token = ownToken || (ownUrl === "" ? global.slackAppToken : "");
  const url = ownUrl || (token === "" ? global.slackUrl : appUrl);
  if (url === "") f.problem(undefined, "no global Slack API URL set either inline or in a file");
  for (const key of ["update_message", "post_updates_to_thread"]) {
    if (f.boolean(key, false)) f.problem(key, `${key} is not supported: every notification is a message of its own`);
  }
  const base = overHttp(input);
  const withToken = { ...base.http, headers: { ...base.http.headers, authorization: `Bearer ${token}` } };
  const short = f.boolean("short_fields", false);
  return {
    kind: "slack",
    ...base,
    http: token === "" ? base.http : withToken,
    url,
    channel: f.template("channel"),
    username: text("username"),
    color: text("color"),
    title: text("title"),
    titleLink: text("title_link"),
    pretext: text("pretext"),
    text: text("text"),
    messageText: f.template("message_text"),
    footer: text("footer"),
    fallback: text("fallback"),
    callbackId: text("callback_id"),
    iconEmoji: text("icon_emoji"),
    iconUrl: text("icon_url"),
    imageUrl: f.template("image_url"),
    thumbUrl: f.template("thumb_url"),
    linkNames: f.boolean("link_names", false),
    markdownIn: f.has("mrkdwn_in") ? f.strings("mrkdwn_in") : ["fallback", "pretext", "text"],
    fields: f.list("fields", "a Slack field", (field) => ({
      title: needed(field, "title", "Slack field"),
      value: needed(field, "value", "Slack field"),
      short: field.boolean("short", short),
    })),
    actions: f.list("actions", "a Slack action", readSlackAction),
  };
}

function readSlackAction(f: Fields): SlackAction {
  const url = f.template("url");
  const name = f.template("name");
  const value = f.template("value");
  if (url === "" && name === "") f.problem(undefined, "missing name or url in Slack action configuration");
  const confirm = f.inner("confirm", "a Slack confirmation", (c) => ({
    text: needed(c, "text", "Slack confirmation"),
    title: c.template("title"),
    okText: c.template("ok_text"),
    dismissText: c.template("dismiss_text"),
  }));
  const base = {
    type: needed(f, "type", "Slack action"),
    text: needed(f, "text", "Slack action"),
    style: f.template("style"),
  };
  // A link takes no part in interaction.
  if (url !== "") return { ...base, url, name: "", value: "" };
  return { ...base, url: "", name, value, ...(confirm === undefined ? {} : { confirm }) };
}

function needed(f: Fields, key: string, what: string): string {
  const text = f.template(key);
  if (text === "") f.problem(undefined, `missing ${key} in ${what} configuration`);
  return text;
}

function webhookUrl(f: Fields): string {
  const url = f.secretUrl("webhook_url");
  if (url === "") f.problem(undefined, "one of webhook_url or webhook_url_file must be configured");
  return url;
}

export function readMsteams(input: IntegrationInput): MsteamsConfig {
  const { f } = input;
  return {
    kind: "msteams",
    ...overHttp(input),
    url: webhookUrl(f),
    title: f.template("title", standard("msteams", "title")),
    summary: f.template("summary", standard("msteams", "summary")),
    text: f.template("text", standard("msteams", "text")),
  };
}

export function readMsteamsv2(input: IntegrationInput): Msteamsv2Config {
  const { f } = input;
  return {
    kind: "msteamsv2",
    ...overHttp(input),
    url: webhookUrl(f),
    title: f.template("title", standard("msteamsv2", "title")),
    text: f.template("text", standard("msteamsv2", "text")),
  };
}

export function readDiscord(input: IntegrationInput): DiscordConfig {
  const { f } = input;
  return {
    kind: "discord",
    ...overHttp(input),
    url: webhookUrl(f),
    content: f.template("content", standard("discord", "content")),
    title: f.template("title", standard("discord", "title")),
    message: f.template("message", standard("discord", "message")),
    username: f.string("username"),
    avatarUrl: f.string("avatar_url"),
  };
}

export function readTelegram(input: IntegrationInput): TelegramConfig {
  const { f, global } = input;
  const botToken = f.secret("bot_token", global.telegramToken);
  const chatId = f.text("chat_id");
  if (botToken === "") f.problem(undefined, "missing bot_token or bot_token_file on telegram_config");
  if (chatId === "" || chatId === "0") f.problem(undefined, "missing chat_id or chat_id_file on telegram_config");
  else if (!/^-?\d+$/.test(chatId)) f.problem("chat_id", `chat_id must be a number, not ${JSON.stringify(chatId)}`);
  return {
    kind: "telegram",
    ...overHttp(input),
    url: f.url("api_url", global.telegramUrl).replace(/\/$/, ""),
    botToken,
    chatId,
    messageThreadId: f.integer("message_thread_id", 0),
    message: f.template("message", standard("telegram", "message")),
    disableNotifications: f.boolean("disable_notifications", false),
    parseMode: f.oneOf("parse_mode", ["", "HTML", "Markdown", "MarkdownV2"], "HTML"),
  };
}
