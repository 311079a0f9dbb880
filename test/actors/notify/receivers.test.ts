import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { groupHash } from "../../../src/actors/notify/group-hash.ts";
import { integration, integrations, NOW, notification, RESOLVED, send, told } from "./fixtures.ts";
import { type ProviderServer, providerServer } from "./provider-server.ts";

// What each provider documents: what it needs, how long it may be, what it answers with and what that means.
let server: ProviderServer;
beforeEach(async () => {
  server = await providerServer();
});
afterEach(() => server.close());

const last = () => server.got.at(-1)!;
const HASH = groupHash(notification().groupKey);

interface Case {
  readonly kind: string;
  readonly yaml: () => string;
  readonly global?: () => string;
  /** As documented, for what went well. */
  readonly good: { readonly status: number; readonly body: unknown };
}

const CASES: readonly Case[] = [
  { kind: "webhook", yaml: () => `{url: "${server.url}/hook"}`, good: { status: 204, body: "" } },
  { kind: "slack", yaml: () => `{api_url: "${server.url}/services/T/B/X"}`, good: { status: 200, body: "ok" } },
  {
    kind: "pagerduty",
    yaml: () => `{url: "${server.url}/v2/enqueue", routing_key: ${"a".repeat(32)}}`,
    good: { status: 202, body: { status: "success", message: "Event processed", dedup_key: "x" } },
  },
  {
    kind: "opsgenie",
    yaml: () => `{api_url: "${server.url}", api_key: key}`,
    good: { status: 202, body: { result: "Request will be processed", took: 0.1, requestId: "x" } },
  },
  { kind: "msteams", yaml: () => `{webhook_url: "${server.url}/teams"}`, good: { status: 200, body: "1" } },
  { kind: "msteamsv2", yaml: () => `{webhook_url: "${server.url}/teams"}`, good: { status: 202, body: "" } },
  { kind: "discord", yaml: () => `{webhook_url: "${server.url}/api/webhooks/1/x"}`, good: { status: 204, body: "" } },
  {
    kind: "telegram",
    yaml: () => `{api_url: "${server.url}", bot_token: "1:t", chat_id: -1}`,
    good: { status: 200, body: { ok: true, result: { message_id: 1 } } },
  },
  {
    kind: "victorops",
    yaml: () => `{api_url: "${server.url}/alert/", api_key: key, routing_key: team}`,
    good: { status: 200, body: { result: "success", entity_id: "x" } },
  },
];

describe.each(CASES)("$kind", ({ kind, yaml, good }) => {
  const config = (extra = "") => integration(`${kind}_configs: [${yaml().replace(/\}$/, `${extra}}`)}]`);

  it("takes its documented success", async () => {
    server.answer = () => good;
    expect(await send(config())).toEqual({ ok: true });
    expect(server.got).toHaveLength(1);
    expect(last()).toMatchObject({
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": "Tocsin/test" },
    });
  });

  it("tells what may go better later from what will not, and when", async () => {
    server.answer = () => ({ status: 429, headers: { "retry-after": "7" }, body: "slow down" });
    expect(await send(config())).toMatchObject({ ok: false, retry: true, retryAfterMs: 7000 });
    server.answer = () => ({ status: 503, body: "later" });
    expect(await send(config())).toMatchObject({
      ok: false,
      retry: true,
      reason: expect.stringContaining("503: later"),
    });
    server.answer = () => ({ status: 400, headers: { "retry-after": "7" }, body: "bad" });
    const refused = await send(config());
    expect(refused).toMatchObject({ ok: false, retry: false, reason: expect.stringContaining("400: bad") });
    expect(refused).not.toHaveProperty("retryAfterMs");
    await server.close();
    const gone = await send(config());
    expect(gone).toEqual({ ok: false, retry: true, reason: expect.stringMatching(/ECONNREFUSED|ECONNRESET/) });
  });

  it("sends the page when a template fails, with the error in it", async () => {
    server.answer = () => good;
    const field = {
      webhook: 'payload: {text: "{{ index .Alerts 7 }}"}',
      slack: 'text: "{{ index .Alerts 7 }}"',
      pagerduty: 'description: "{{ index .Alerts 7 }}"',
      opsgenie: 'description: "{{ index .Alerts 7 }}"',
      msteams: 'text: "{{ index .Alerts 7 }}"',
      msteamsv2: 'text: "{{ index .Alerts 7 }}"',
      discord: 'message: "{{ index .Alerts 7 }}"',
      telegram: 'message: "{{ index .Alerts 7 }}"',
      victorops: 'state_message: "{{ index .Alerts 7 }}"',
    }[kind];
    expect(await send(config(`, ${field}`))).toEqual({ ok: true });
    expect(last().text).toContain("error expanding template");
    expect(last().text).toContain("index out of range");
  });
});

describe("webhook", () => {
  it("sends Alertmanager's body, and the same key whenever it says the same", async () => {
    await send(integration(`webhook_configs: [{url: "${server.url}/x", max_alerts: 1}]`));
    expect(last().headers["idempotency-key"]).toBe("k1");
    expect(last().json).toMatchObject({ version: "4", status: "firing", groupKey: '{}:{alertname="Fire"}' });
  });

  it("keeps a payload's text a text when its template fails", async () => {
    const payload = '{text: "{{ .Nope.X }}", list: ["{{ index .Alerts 7 }}"], "{{ .Nope.Y }}": 1}';
    expect(await send(integration(`webhook_configs: [{url: "${server.url}/", payload: ${payload}}]`))).toEqual({
      ok: true,
    });
    const error = expect.stringMatching(/^<error expanding template: .*>$/s);
    const { text, list, ...others } = last().json as Record<string, unknown>;
    expect([text, list, Object.keys(others)]).toEqual([error, [error], [error]]);
  });

  it("fills in a payload; what reads as YAML becomes its value", async () => {
    const payload = `{a: "{{ len .Alerts }}", b: "{{ toJson .GroupLabels }}", c: [1, true, null, "x {{ .Status }}"], "{{ .Status }}": "1.5"}`;
    await send(integration(`webhook_configs: [{url: "${server.url}/{{ .Status }}", payload: ${payload}}]`));
    expect(last().path).toBe("/firing");
    expect(last().json).toEqual({ a: 1, b: { alertname: "Fire" }, c: [1, true, null, "x firing"], firing: 1.5 });
  });

  it("cannot be sent when its URL fails, and says so", async () => {
    const attempt = await send(integration(`webhook_configs: [{url: "${server.url}/{{ index .Alerts 7 }}"}]`));
    expect(attempt).toMatchObject({ ok: false, retry: false, reason: expect.stringMatching(/template of url fails/) });
    expect(server.got).toEqual([]);
  });
});

describe("slack", () => {
  const config = (more = "") =>
    integration(`slack_configs: [{api_url: "${server.url}/x", send_resolved: true, channel: "#c"${more}}]`);

  it("sends one attachment, the title cut at 1024 characters", async () => {
    await send(config(`, title: "${"ü".repeat(2000)}"`));
    const [attachment] = last().json.attachments as Record<string, unknown>[];
    expect([...String(attachment?.title)]).toHaveLength(1024);
    expect(attachment).toMatchObject({
      color: "danger",
      fallback: "[FIRING:1] Fire (page) | http://tocsin/#/alerts?receiver=r",
      mrkdwn_in: ["fallback", "pretext", "text"],
    });
    await send(config(), notification(RESOLVED));
    expect(last().json.attachments).toMatchObject([{ color: "good" }]);
  });

  it("knows errors that come with status 200", async () => {
    server.answer = () => ({ body: "no_service" });
    expect(await send(config())).toEqual({
      ok: false,
      retry: false,
      reason: 'channel "#c": error response from Slack: no_service',
    });
    server.answer = () => ({ body: { ok: false, error: "channel_not_found" } });
    expect(await send(config())).toMatchObject({ retry: false, reason: expect.stringContaining("channel_not_found") });
    server.answer = () => ({ body: { ok: false, error: "ratelimited" } });
    expect(await send(config())).toMatchObject({ retry: true });
    server.answer = () => ({ body: { ok: true, ts: "1" } });
    expect(await send(config())).toEqual({ ok: true });
  });

  it("posts with an app's token", async () => {
    const global = `{slack_app_token: xoxb-1, slack_app_url: "${server.url}/api/chat.postMessage"}`;
    await send(integration("slack_configs: [{channel: c}]", global));
    expect(last()).toMatchObject({ path: "/api/chat.postMessage", headers: { authorization: "Bearer xoxb-1" } });
  });

  it("tells in the text what failed in a place that takes no text", async () => {
    await send(config(', color: "{{ index .Alerts 7 }}"'));
    const [attachment] = last().json.attachments as Record<string, string>[];
    expect(attachment?.color).toBe("danger");
    expect(attachment?.text).toContain("index out of range");
  });
});

describe("pagerduty", () => {
  const config = (more: string) => integration(`pagerduty_configs: [{url: "${server.url}/v2/enqueue"${more}}]`);

  it("triggers and resolves one incident a group", async () => {
    await send(config(", routing_key: key"));
    expect(last().json).toMatchObject({
      routing_key: "key",
      dedup_key: HASH,
      event_action: "trigger",
      payload: {
        severity: "error",
        source: "Alertmanager",
        summary: "[FIRING:1] Fire (page)",
        custom_details: { num_firing: 1 },
      },
    });
    expect(HASH.length).toBeLessThanOrEqual(255);
    await send(config(", routing_key: key"), notification(RESOLVED));
    expect(last().json).toMatchObject({ dedup_key: HASH, event_action: "resolve" });
  });

  it("drops the details of an event that is larger than 512 KB", async () => {
    const alerts = Array.from({ length: 600 }, (_, i) =>
      told({ alertname: "Fire", i: String(i) }, { annotations: { text: "x".repeat(1000) } }),
    );
    await send(config(`, routing_key: key, description: "${"d".repeat(2000)}"`), notification({ alerts }));
    expect(last().text.length).toBeLessThan(512_000);
    const { summary, custom_details } = last().json.payload as Record<string, unknown>;
    expect(String(summary)).toHaveLength(1024);
    expect(custom_details).toEqual({ error: expect.stringContaining("exceeds the maximum size") });
  });

  it("names what an event lacks", async () => {
    server.answer = () => ({
      status: 400,
      body: {
        status: "invalid event",
        message: "Event object is invalid",
        errors: ["Length of 'routing_key' is incorrect"],
      },
    });
    expect(await send(config(", routing_key: key"))).toMatchObject({
      retry: false,
      reason: "unexpected status code 400: Event object is invalid: Length of 'routing_key' is incorrect",
    });
    expect(await send(config(', routing_key: "{{ .CommonLabels.none }}"'))).toMatchObject({
      ok: false,
      retry: false,
      reason: "routing key cannot be empty",
    });
  });

  it("speaks the events API of 2010 with a service key", async () => {
    const made = integration(`pagerduty_configs: [{service_key: old}]`);
    expect(made).toMatchObject({ url: "https://events.pagerduty.com/generic/2010-04-15/create_event.json" });
    const config = { ...made, url: `${server.url}/v1` } as typeof made;
    await send(config);
    expect(last().json).toMatchObject({
      service_key: "old",
      event_type: "trigger",
      incident_key: HASH,
      client: "Alertmanager",
    });
    server.answer = () => ({ status: 403 });
    expect(await send(config)).toMatchObject({ retry: true });
  });
});

describe("opsgenie", () => {
  const config = (more = "") => integration(`opsgenie_configs: [{api_url: "${server.url}", api_key: "key "${more}}]`);

  it("creates, updates and closes the alert of the group's alias", async () => {
    await send(config(`, update_alerts: true, message: "${"m".repeat(200)}"`));
    expect(server.got.map((g) => `${g.method} ${g.path}?${new URLSearchParams(g.query)}`)).toEqual([
      "POST /v2/alerts?",
      `PUT /v2/alerts/${HASH}/message?identifierType=alias`,
      `PUT /v2/alerts/${HASH}/description?identifierType=alias`,
    ]);
    expect(server.got[0]?.headers.authorization).toBe("GenieKey key");
    expect(server.got[0]?.json).toMatchObject({ alias: HASH, details: { severity: "page" } });
    expect(String(server.got[0]?.json.message)).toHaveLength(130);
    await send(config(), notification(RESOLVED));
    expect(last()).toMatchObject({ path: `/v2/alerts/${HASH}/close`, query: { identifierType: "alias" } });
  });

  it("stops at the first request that fails", async () => {
    server.answer = () => ({ status: 422, body: "no" });
    expect(await send(config(", update_alerts: true"))).toMatchObject({ ok: false, retry: false });
    expect(server.got).toHaveLength(1);
  });
});

describe("chats", () => {
  it("msteams: a card that Teams did not take comes with status 200", async () => {
    const config = integration(`msteams_configs: [{webhook_url: "${server.url}/x"}]`);
    server.answer = () => ({
      body: "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x",
    });
    expect(await send(config)).toMatchObject({ ok: false, retry: true });
  });

  it("discord: limits, and a wait in fractions of a second", async () => {
    const config = integration(
      `discord_configs: [{webhook_url: "${server.url}/x", title: "${"t".repeat(300)}", message: "${"m".repeat(5000)}", content: "${"c".repeat(3000)}"}]`,
    );
    server.answer = () => ({
      status: 429,
      headers: { "retry-after": "65" },
      body: { message: "You are being rate limited.", retry_after: 64.57, global: false },
    });
    expect(await send(config)).toMatchObject({ retry: true, retryAfterMs: 64_570 });
    const [embed] = last().json.embeds as Record<string, string>[];
    expect([embed?.title?.length, embed?.description?.length, String(last().json.content).length]).toEqual([
      256, 4096, 2000,
    ]);
  });

  it("telegram: limits, and a wait in the body", async () => {
    const config = (more: string) =>
      integration(`telegram_configs: [{api_url: "${server.url}", bot_token: "1:t", chat_id: -100${more}}]`);
    server.answer = () => ({
      status: 429,
      body: {
        ok: false,
        error_code: 429,
        description: "Too Many Requests: retry after 5",
        parameters: { retry_after: 5 },
      },
    });
    expect(await send(config(""))).toMatchObject({
      retry: true,
      retryAfterMs: 5000,
      reason: expect.stringContaining("Too Many Requests"),
    });
    expect(last()).toMatchObject({ path: "/bot1:t/sendMessage", json: { chat_id: "-100", parse_mode: "HTML" } });
    server.answer = () => ({
      status: 400,
      body: { ok: false, error_code: 400, description: "Bad Request: chat not found" },
    });
    expect(await send(config(`, parse_mode: "", message: "${"m".repeat(5000)}"`))).toMatchObject({ retry: false });
    expect(String(last().json.text)).toHaveLength(4096);
    await send(config(`, message: "<b>${"m".repeat(5000)}</b>"`));
    expect(last().json.text).toContain("exceeds Telegram limits");
  });

  it("victorops: the entity, and a type that it knows", async () => {
    const yaml = `{api_url: "${server.url}/alert", api_key: key, routing_key: "a b", message_type: nonsense, custom_fields: {x: "{{ .Status }}"}}`;
    const config = integration(`victorops_configs: [${yaml}]`);
    await send(config);
    expect(last()).toMatchObject({
      path: "/alert/key/a%20b",
      json: { message_type: "CRITICAL", entity_id: HASH, x: "firing" },
    });
    await send(config, notification(RESOLVED));
    expect(last().json).toMatchObject({ message_type: "RECOVERY", entity_id: HASH });
  });
});

describe("pushover", () => {
  it("sends its parameters within the limits", async () => {
    const [made] = integrations(
      `pushover_configs: [{user_key: u, token: t, title: "${"t".repeat(300)}", message: "${"m".repeat(2000)}", html: true, ttl: 1h, device: d, sound: s}]`,
    );
    const config = { ...made, url: `${server.url}/1/messages.json` } as NonNullable<typeof made>;
    server.answer = () => ({ body: { status: 1, request: "x" } });
    expect(await send(config)).toEqual({ ok: true });
    const { title, message, ...others } = last().query;
    expect([title?.length, message?.length]).toEqual([250, 1024]);
    expect(others).toMatchObject({
      token: "t",
      user: "u",
      priority: "2",
      retry: "60",
      expire: "3600",
      html: "1",
      ttl: "3600",
      device: "d",
      sound: "s",
    });
    server.answer = () => ({ status: 400, body: { status: 0, errors: ["user key is invalid"] } });
    expect(await send(config)).toMatchObject({
      ok: false,
      retry: false,
      reason: expect.stringContaining("user key is invalid"),
    });
  });
});

it("pushover is told when a template fails, with the error in it", async () => {
  server.answer = () => ({ body: { status: 1, request: "x" } });
  for (const broken of ["title", "message", "url_title", "priority", "url", "device", "sound"]) {
    for (const html of [false, true]) {
      const [made] = integrations(
        `pushover_configs: [{user_key: u, token: t, html: ${html}, ${broken}: "{{ index .Alerts 7 }}"}]`,
      );
      const config = { ...made, url: `${server.url}/1/messages.json` } as NonNullable<typeof made>;
      expect(await send(config), broken).toEqual({ ok: true });
      const { title = "", message = "", url_title = "", priority } = last().query;
      const where = broken === "title" ? title : broken === "url_title" ? url_title : message;
      expect(where, broken).toContain("error expanding template");
      expect(where, broken).toContain("index out of range");
      expect(priority).toBe("2");
      // What a template brings must not be taken for markup.
      if (where === message) expect(where.includes("<"), broken).toBe(!html);
    }
  }
});

it("the clock of templates is the notification's", async () => {
  const payload = '{text: "{{ (index .Alerts 0).StartsAt | since | humanizeDuration }}"}';
  await send(integration(`webhook_configs: [{url: "${server.url}/", payload: ${payload}}]`));
  expect(last().json).toEqual({ text: "1m 0s" });
  expect(NOW).toBeGreaterThan(0);
});
