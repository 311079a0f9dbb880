import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadAlertmanagerConfig, parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { ConfigError } from "../../../src/model/config.ts";
import { findPeer } from "../../support/find-program.ts";

const whole = (receiver: string, global = "{}") =>
  `global: ${global}\nroute: {receiver: a}\nreceivers:\n  - name: a\n    ${receiver}\n`;

function problems(text: string): string[] {
  try {
    parseAlertmanagerConfig("/etc/am.yml", text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((p) => `${p.line}:${p.column}: ${p.message}`);
  }
}

const first = (receiver: string, global = "{}") =>
  parseAlertmanagerConfig("/etc/am.yml", whole(receiver, global)).receivers[0]?.integrations[0];

describe("integrations", () => {
  it("are named and ordered as Alertmanager's, with its send_resolved of each kind", () => {
    const text = whole(
      [
        "slack_configs: [{api_url: http://s}, {api_url: http://t, send_resolved: true}]",
        "email_configs: [{to: a@x, from: b@x, smarthost: 'h:25'}]",
        "webhook_configs: [{url: http://w}]",
        "pagerduty_configs: [{routing_key: k}]",
        "opsgenie_configs: [{api_key: k}]",
        "victorops_configs: [{api_key: k, routing_key: r}]",
        "pushover_configs: [{user_key: u, token: t}]",
        "telegram_configs: [{bot_token: t, chat_id: 1}]",
        "discord_configs: [{webhook_url: http://d}]",
        "msteams_configs: [{webhook_url: http://m}]",
        "msteamsv2_configs: [{webhook_url: http://m}]",
      ].join("\n    "),
    );
    const { receivers } = parseAlertmanagerConfig("/etc/am.yml", text);
    expect(receivers[0]?.integrations.map((i) => `${i.name} ${i.kind} ${i.sendResolved}`)).toEqual([
      "webhook[0] webhook true",
      "email[0] email false",
      "pagerduty[0] pagerduty true",
      "opsgenie[0] opsgenie true",
      "slack[0] slack false",
      "slack[1] slack true",
      "victorops[0] victorops true",
      "pushover[0] pushover true",
      "telegram[0] telegram true",
      "discord[0] discord true",
      "msteams[0] msteams true",
      "msteamsv2[0] msteamsv2 true",
    ]);
  });

  it("take global settings where they have none", () => {
    expect(first("slack_configs: [{}]", "{slack_api_url: http://s/}")).toMatchObject({ url: "http://s/" });
    expect(first("pagerduty_configs: [{routing_key: k}]", "{pagerduty_url: http://p/}")).toMatchObject({
      url: "http://p/",
    });
    expect(first("opsgenie_configs: [{}]", "{opsgenie_api_key: k, opsgenie_api_url: http://o}")).toMatchObject({
      url: "http://o/",
      apiKey: "k",
    });
    expect(first("victorops_configs: [{routing_key: r}]", "{victorops_api_key: k}")).toMatchObject({
      url: "https://alert.victorops.com/integrations/generic/20131114/alert/",
      apiKey: "k",
    });
    expect(
      first("telegram_configs: [{chat_id: -1}]", "{telegram_bot_token: t, telegram_api_url: http://t/}"),
    ).toMatchObject({
      url: "http://t",
      botToken: "t",
      chatId: "-1",
    });
    const smtp =
      "{smtp_smarthost: 'h:465', smtp_from: f@x, smtp_auth_username: u, smtp_auth_password: p, smtp_hello: me, smtp_tls_config: {server_name: n}, http_config: {follow_redirects: false}}";
    expect(first("email_configs: [{to: a@x}]", smtp)).toMatchObject({
      host: "h",
      port: 465,
      implicitTls: true,
      requireTls: true,
      from: "f@x",
      hello: "me",
      auth: { username: "u", password: "p" },
      tls: { serverName: "n" },
      headers: { To: "a@x", From: "f@x", Subject: '{{ template "email.default.subject" . }}' },
    });
    expect(first("webhook_configs: [{url: http://x}]", smtp)).toMatchObject({ http: { followRedirects: false } });
  });

  it("name what is wrong with its place, templates included", () => {
    expect(
      problems(
        whole(
          `slack_configs: [{api_url: http://s, title: "{{ .Status", fields: [{title: t}], actions: [{type: t, text: x}], update_message: true}]
    email_configs: [{smarthost: nope, headers: {a: b, A: c}, threading: {enabled: true}}]
    opsgenie_configs: [{responders: [{type: nobody}]}]
    telegram_configs: [{bot_token: t, chat_id: x, parse_mode: html}]
    sns_configs: [{}]`,
          "{slack_api_url: x}",
        ),
      ),
    ).toEqual([
      '1:25: unsupported URL "x": it must begin with http:// or https://',
      "5:48: title: template: :1:3: unclosed action",
      "5:71: missing value in Slack field configuration",
      "5:94: missing name or url in Slack action configuration",
      expect.stringMatching(/^5:131: update_message is not supported/),
      "6:21: missing to address in email config",
      "6:21: no global SMTP from set",
      '6:33: smarthost must be host:port, not "nope"',
      '6:48: duplicate header "A" in email config',
      "6:73: threading.thread_by_date must be either 'none' or 'daily'",
      "7:24: no global OpsGenie API Key set either inline or in a file",
      "7:38: a responder has to have at least one of id, username or name specified",
      expect.stringMatching(/^7:45: a responder's type must be one of/),
      '8:48: chat_id must be a number, not "x"',
      '8:63: parse_mode must be one of "", "HTML", "Markdown", "MarkdownV2", not "html"',
      expect.stringMatching(/^9:18: sns_configs is not supported/),
    ]);
  });

  it("read templates from files, which come before the built-in ones; a bad one is told", () => {
    const folder = mkdtempSync(join(tmpdir(), "tocsin-am-"));
    const file = join(folder, "am.yml");
    const text = `templates: ['*.tmpl']\n${whole("webhook_configs: [{url: http://x}]")}`;
    writeFileSync(file, text);
    const none = loadAlertmanagerConfig(file);
    writeFileSync(join(folder, "a.tmpl"), '{{ define "__subject" }}own{{ end }}{{ define "x" }}y{{ end }}');
    const some = loadAlertmanagerConfig(file);
    const templates = some.receivers[0]?.integrations[0]?.templates;
    expect(templates?.get("__subject")?.text).toContain("own");
    expect(templates?.has("slack.default.title")).toBe(true);
    expect(some.hash).not.toBe(none.hash);
    expect(loadAlertmanagerConfig(file).hash).toBe(some.hash);
    writeFileSync(
      file,
      `${text}    slack_configs: [{api_url: http://s, text: '{{ template "x" . }}'}, {api_url: http://s, text: '{{ template "z" . }}'}]\n`,
    );
    expect(() => loadAlertmanagerConfig(file)).toThrow(/am\.yml:7:\d+: text: template "z" is not defined$/);
    writeFileSync(file, text);
    writeFileSync(join(folder, "b.tmpl"), '{{ define "b" }}{{ if .X }}{{ template "z" . }}{{ end }}{{ end }}');
    expect(() => loadAlertmanagerConfig(file)).toThrow(/am\.yml:1:12: template "b" calls "z", which is not defined/);
    writeFileSync(join(folder, "b.tmpl"), "{{ define }}");
    expect(() => loadAlertmanagerConfig(file)).toThrow(/am\.yml:1:13: .*b\.tmpl: template/);
  });

  it("are written as docs/alerting.md shows", () => {
    const folder = mkdtempSync(join(tmpdir(), "tocsin-am-"));
    const text = /```yaml\n([\s\S]*?)```/.exec(readFileSync("docs/alerting.md", "utf8"))?.[1] ?? "";
    for (const [, file] of text.matchAll(/_file: ([\w-]+)/g))
      writeFileSync(join(folder, file as string), "http://secret/");
    writeFileSync(join(folder, "hook-token"), "secret");
    writeFileSync(join(folder, "am.yml"), text);
    expect(loadAlertmanagerConfig(join(folder, "am.yml")).receivers[0]?.integrations.map((i) => i.kind)).toHaveLength(
      12,
    );
  });

  it("are shown without their secrets", () => {
    const secrets = `slack_configs: [{api_url: "http://s3cret/x", http_config: {basic_auth: {username: u, password: s3cret}}}]
    pagerduty_configs: [{routing_key: s3cret}]
    email_configs: [{to: a@x, from: f@x, smarthost: "h:25", auth_username: u, auth_password: s3cret}]
    webhook_configs: [{url: "http://s3cret/", http_config: {http_headers: {A: {secrets: [s3cret], values: [open]}}}}]
    telegram_configs: [{bot_token: s3cret, chat_id: 1}]
    pushover_configs: [{user_key: s3cret, token: s3cret}]`;
    const { text } = parseAlertmanagerConfig("/etc/am.yml", whole(secrets, "{opsgenie_api_key: s3cret}"));
    expect(text).not.toContain("s3cret");
    expect(text).toContain("values: [open]");
    expect(text.match(/<secret>/g)).toHaveLength(10);
    // What was shown can be checked again.
    expect(problems(text)).toEqual([]);
  });
});

// Alertmanager's own tool as the judge of what is a valid integration.
const amtool = findPeer("0.33", "amtool");
describe.skipIf(amtool === undefined)("against amtool (needs 0.33 or newer on PATH or in PEERS_BIN)", () => {
  const bad = "http_config: {nope: 1}";
  const cases = [
    "slack_configs: [{}]",
    "slack_configs: [{api_url: http://x}]",
    "slack_configs: [{api_url: http://x, api_url_file: /x}]",
    "slack_configs: [{api_url: ftp://x}]",
    "slack_configs: [{api_url: http://x, app_token: t}]",
    "slack_configs: [{app_token: t, channel: c}]",
    "slack_configs: [{api_url: http://x, fields: [{title: t, value: v, short: true}]}]",
    "slack_configs: [{api_url: http://x, fields: [{title: t}]}]",
    "slack_configs: [{api_url: http://x, actions: [{type: button, text: t, url: u}]}]",
    "slack_configs: [{api_url: http://x, actions: [{type: button, text: t}]}]",
    "slack_configs: [{api_url: http://x, actions: [{type: button, text: t, name: n, confirm: {}}]}]",
    "slack_configs: [{api_url: http://x, color: c, username: u, title: t, title_link: l, pretext: p, text: t, message_text: m, short_fields: true, footer: f, fallback: b, callback_id: i, icon_emoji: e, icon_url: u, image_url: m, thumb_url: h, link_names: true, mrkdwn_in: [text], timeout: 5s}]",
    `slack_configs: [{api_url: http://x, ${bad}}]`,
    "pagerduty_configs: [{}]",
    "pagerduty_configs: [{routing_key: k}]",
    "pagerduty_configs: [{service_key: k}]",
    "pagerduty_configs: [{routing_key: k, routing_key_file: /x}]",
    "pagerduty_configs: [{routing_key: k, url: x}]",
    "pagerduty_configs: [{routing_key: k, client: c, client_url: u, description: d, details: {a: b, c: [d, {e: f}]}, images: [{src: s, alt: a, href: h}], links: [{href: h, text: t}], source: s, severity: e, class: c, component: o, group: g, timeout: 1s}]",
    "pagerduty_configs: [{routing_key: k, images: [{url: s}]}]",
    "email_configs: [{}]",
    "email_configs: [{to: a@x}]",
    "email_configs: [{to: a@x, from: f@x, smarthost: 'h:25'}]",
    "email_configs: [{to: a@x, from: f@x, smarthost: 'h'}]",
    "email_configs: [{to: a@x, from: f@x, smarthost: 'h:25', headers: {a: b, A: c}}]",
    "email_configs: [{to: a@x, from: f@x, smarthost: 'h:25', hello: h, auth_username: u, auth_password: p, auth_secret: s, auth_identity: i, html: h, text: t, require_tls: false, tls_config: {insecure_skip_verify: true}, force_implicit_tls: true}]",
    "email_configs: [{to: a@x, from: f@x, smarthost: 'h:25', threading: {enabled: true, thread_by_date: daily}}]",
    "email_configs: [{to: a@x, from: f@x, smarthost: 'h:25', threading: {enabled: true}}]",
    "email_configs: [{to: a@x, from: f@x, smarthost: 'h:25', threading: {enabled: true, thread_by_date: none}, headers: {references: x}}]",
    "opsgenie_configs: [{}]",
    "opsgenie_configs: [{api_key: k}]",
    "opsgenie_configs: [{api_key: k, responders: [{type: team}]}]",
    "opsgenie_configs: [{api_key: k, responders: [{name: n, type: TEAM}, {id: i, type: '{{ .X }}'}]}]",
    "opsgenie_configs: [{api_key: k, responders: [{name: n, type: nobody}]}]",
    "opsgenie_configs: [{api_key: k, api_url: http://x, message: m, description: d, source: s, details: {a: b}, entity: e, actions: a, tags: t, note: n, priority: P1, update_alerts: true}]",
    "msteams_configs: [{}]",
    "msteams_configs: [{webhook_url: http://x, title: t, summary: s, text: t}]",
    "msteamsv2_configs: [{webhook_url: http://x, title: t, text: t}]",
    "msteamsv2_configs: [{webhook_url: http://x, summary: t}]",
    "discord_configs: [{}]",
    "discord_configs: [{webhook_url: http://x, content: c, title: t, message: m, username: u, avatar_url: a}]",
    "telegram_configs: [{bot_token: t}]",
    "telegram_configs: [{bot_token: t, chat_id: 1, api_url: http://x, message: m, disable_notifications: true, parse_mode: MarkdownV2, message_thread_id: 3}]",
    "telegram_configs: [{bot_token: t, chat_id: 1, parse_mode: markdown}]",
    "telegram_configs: [{chat_id: 1}]",
    "victorops_configs: [{api_key: k}]",
    "victorops_configs: [{api_key: k, routing_key: r, message_type: m, state_message: s, entity_display_name: e, monitoring_tool: t, custom_fields: {a: b}}]",
    "victorops_configs: [{api_key: k, routing_key: r, custom_fields: {entity_id: b}}]",
    "victorops_configs: [{routing_key: r}]",
    "pushover_configs: [{}]",
    "pushover_configs: [{user_key: u}]",
    "pushover_configs: [{user_key: u, token: t, title: t, message: m, url: u, url_title: x, device: d, sound: s, priority: '1', retry: 1m, expire: 1h, ttl: 1h, html: true}]",
    "pushover_configs: [{user_key: u, token: t, html: true, monospace: true}]",
    "webhook_configs: [{url: http://x, payload: {a: [b, {c: 1}]}}]",
    "webhook_configs: [{url: 'http://x/{{ .Status }}'}]",
    "webhook_configs: [{url: http://x, http_config: {oauth2: {client_id: i, client_secret: s, token_url: http://t, scopes: [a], endpoint_params: {a: b}, tls_config: {insecure_skip_verify: true}}}}]",
    "webhook_configs: [{url: http://x, http_config: {oauth2: {client_id: i}}}]",
    "webhook_configs: [{url: http://x, http_config: {oauth2: {client_id: i, client_secret: s, token_url: http://t}, bearer_token: x}}]",
    "webhook_configs: [{url: http://x, http_config: {proxy_url: http://p, no_proxy: a.b}}]",
    "webhook_configs: [{url: http://x, http_config: {no_proxy: a.b}}]",
    "webhook_configs: [{url: http://x, http_config: {proxy_from_environment: true}}]",
    "webhook_configs: [{url: http://x, http_config: {proxy_from_environment: true, proxy_url: http://p}}]",
    "webhook_configs: [{url: http://x, http_config: {tls_config: {min_version: TLS12, max_version: TLS13, server_name: n}}}]",
    "webhook_configs: [{url: http://x, http_config: {tls_config: {min_version: TLS9}}}]",
    "webhook_configs: [{url: http://x, http_config: {tls_config: {nope: 1}}}]",
    "webhook_configs: [{url: http://x, http_config: {enable_http2: false, http_headers: {X-A: {values: [a], secrets: [b]}}}}]",
    "webhook_configs: [{url: http://x, http_config: {http_headers: {X-A: {nope: [a]}}}}]",
    "nope_configs: []",
  ].map((receiver) => whole(receiver));
  const globals = [
    "{slack_api_url: http://x, slack_api_url_file: /x}",
    "{slack_api_url: x}",
    "{smtp_auth_password: p, smtp_auth_password_file: /x}",
    "{smtp_smarthost: 'h:25', smtp_from: f, smtp_hello: h, smtp_require_tls: false, smtp_force_implicit_tls: true, smtp_tls_config: {}}",
    "{opsgenie_api_url: x}",
    "{victorops_api_url: http://x, telegram_api_url: http://y, pagerduty_url: http://z}",
    "{nope: 1}",
  ].map((global) => whole("webhook_configs: [{url: http://x}]", global));

  it.each([...cases, ...globals])("%s", (text) => {
    const folder = mkdtempSync(join(tmpdir(), "tocsin-am-"));
    writeFileSync(join(folder, "am.yml"), text);
    const judged = spawnSync(amtool!, ["check-config", join(folder, "am.yml")], { encoding: "utf8" });
    const ours = problems(text);
    expect({ valid: ours.length === 0, because: ours }).toEqual({
      valid: judged.status === 0,
      because: judged.status === 0 ? [] : ours.length > 0 ? ours : [`Alertmanager: ${judged.stdout}`],
    });
  });
});
