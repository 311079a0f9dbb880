import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { testReceiver } from "../../src/cli/test-receiver.ts";
import type { ProviderAnswer } from "../actors/notify/provider-server.ts";
import { providerServer, smtpServer } from "../actors/notify/provider-server.ts";
import { freshFolder } from "../actors/rule/fixtures.ts";
import { freePort } from "../support/free-port.ts";
import { heard } from "./heard.ts";

interface Case {
  readonly section: (url: string) => string;
  readonly answer: ProviderAnswer;
  /** Behind `r/`, before and after the time. */
  readonly name: string;
  readonly says: string;
}

/** What each provider answers to a mistake, by its documentation. */
const CASES: readonly Case[] = [
  {
    section: (url) => `webhook_configs: [{url: "${url}"}]`,
    answer: { status: 403, body: "the token\nis not valid" },
    name: "webhook[0]",
    says: "unexpected status code 403: the token is not valid",
  },
  {
    section: (url) => `webhook_configs: [{url: "${url}"}]`,
    answer: { status: 502, body: "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>" },
    name: "webhook[0]",
    says: "unexpected status code 502: 502 Bad Gateway",
  },
  {
    section: (url) => `pagerduty_configs: [{url: "${url}/v2/enqueue", routing_key: abc}]`,
    answer: {
      status: 400,
      body: { status: "invalid event", message: "Event object is invalid", errors: ["'routing_key' is missing"] },
    },
    name: "pagerduty[0]",
    says: "unexpected status code 400: Event object is invalid: 'routing_key' is missing",
  },
  {
    section: (url) => `slack_configs: [{api_url: "${url}/services/T/B/X", channel: "#c"}]`,
    answer: { status: 404, body: "no_service" },
    name: "slack[0]",
    says: 'channel "#c": unexpected status code 404: no_service',
  },
  {
    section: (url) => `slack_configs: [{api_url: "${url}/api/chat.postMessage", channel: "#c"}]`,
    answer: { status: 200, body: { ok: false, error: "channel_not_found" } },
    name: "slack[0]  failed (status 200)",
    says: 'channel "#c": error response from Slack: channel_not_found',
  },
  {
    section: (url) => `opsgenie_configs: [{api_url: "${url}", api_key: key}]`,
    answer: {
      status: 422,
      body: { message: "Request body is not processable", errors: { alias: "is too long" }, took: 0.1, requestId: "x" },
    },
    name: "opsgenie[0]",
    says: "unexpected status code 422: Request body is not processable: alias is too long",
  },
  {
    section: (url) => `msteams_configs: [{webhook_url: "${url}/x"}]`,
    answer: { status: 400, body: "Summary or Text is required." },
    name: "msteams[0]",
    says: "unexpected status code 400: Summary or Text is required.",
  },
  {
    section: (url) => `msteamsv2_configs: [{webhook_url: "${url}/x"}]`,
    answer: { status: 401, body: { error: { code: "AuthorizationRequired", message: "It must be signed." } } },
    name: "msteamsv2[0]",
    says: "unexpected status code 401: AuthorizationRequired: It must be signed.",
  },
  {
    section: (url) => `discord_configs: [{webhook_url: "${url}/x"}]`,
    answer: { status: 404, body: { message: "Unknown Webhook", code: 10015 } },
    name: "discord[0]",
    says: "unexpected status code 404: Unknown Webhook",
  },
  {
    section: (url) => `telegram_configs: [{api_url: "${url}", bot_token: "1:t", chat_id: -1}]`,
    answer: { status: 400, body: { ok: false, error_code: 400, description: "Bad Request: chat not found" } },
    name: "telegram[0]",
    says: "unexpected status code 400: Bad Request: chat not found",
  },
  {
    section: (url) => `victorops_configs: [{api_url: "${url}/alert/", api_key: key, routing_key: team}]`,
    answer: { status: 401, body: { result: "failure", message: "invalid api key" } },
    name: "victorops[0]",
    says: "unexpected status code 401: invalid api key",
  },
];

async function test(section: string) {
  const dir = freshFolder();
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "alertmanager.yml");
  writeFileSync(file, `route: {receiver: r}\nreceivers:\n- name: r\n  ${section}\n`);
  return heard(() => testReceiver("r", { config: file, url: "", resolve: true, output: "table" }));
}

it.each(CASES)("$name: $says", async ({ section, answer, name, says }) => {
  const server = await providerServer(() => answer);
  onTestFinished(() => server.close());
  const { code, out, err } = await test(section(server.url));
  const head = name.includes("failed") ? name : `${name}  failed`;
  expect(out.replace(/ after \d+ ms/, "")).toBe(`r/${head}: ${says}\n`);
  expect([code, err]).toEqual([1, ""]);
});

it("tells no secret that a provider says back with escaped slashes", async () => {
  let secret = "";
  const body = () => `{"message":"no webhook ${secret.replaceAll("/", "\\/")}"}`;
  const server = await providerServer(() => ({ status: 404, body: body() }));
  onTestFinished(() => server.close());
  secret = `${server.url}/services/T/B/verysecret`;
  const { out } = await test(`slack_configs: [{api_url: "${secret}", channel: "#c"}]`);
  expect(out).toContain("no webhook");
  expect(out).not.toContain("verysecret");
});

it("mail that the server refuses, and a port that takes no TLS", async () => {
  const smtp = await smtpServer({ reply: (c) => (c.startsWith("RCPT") ? "550 5.1.1 no such user here" : undefined) });
  onTestFinished(() => smtp.close());
  const mail = `{to: a@x.y, from: b@x.y, smarthost: "127.0.0.1:${smtp.port}"`;
  const { code, out } = await test(`email_configs: [${mail}, require_tls: false}, ${mail}, force_implicit_tls: true}]`);
  const [refused, plain, end] = out.replace(/ after \d+ ms/g, "").split("\n");
  expect(refused).toMatch(/^r\/email\[0\] {2}failed: smtp: .*550 5\.1\.1 no such user here$/);
  expect(plain).toBe("r/email[1]  failed: TLS does not come about: that port does not take it");
  expect([code, end]).toEqual([1, ""]);
});

it("one integration that works beside one that nothing listens for", async () => {
  const server = await providerServer();
  onTestFinished(() => server.close());
  const { code, out } = await test(
    `webhook_configs: [{url: "${server.url}/"}, {url: "http://127.0.0.1:${await freePort()}/secret"}]`,
  );
  expect(out.replace(/ \d+ ms/g, "").split("\n")).toEqual([
    "r/webhook[0]  delivered (status 200) in",
    "r/webhook[1]  failed after: connection refused: nothing listens at that address and port (ECONNREFUSED)",
    "",
  ]);
  expect(code).toBe(1);
});

it("a name that no receiver has, and a label without a value", async () => {
  const dir = freshFolder();
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "alertmanager.yml");
  writeFileSync(file, "route: {receiver: r}\nreceivers: [{name: r}, {name: s}]\n");
  const options = { config: file, url: "", resolve: true, output: "table" };
  expect(await heard(() => testReceiver("x", options))).toEqual({
    code: 1,
    out: "",
    err: 'error: there is no receiver "x"; there are: r, s\n',
  });
  expect(await heard(() => testReceiver("r", options))).toMatchObject({
    code: 1,
    err: expect.stringContaining("no integrations"),
  });
  expect(await heard(() => testReceiver("r", { ...options, label: ["severity"] }))).toMatchObject({
    code: 2,
    err: 'error: --label "severity": write it as name=value\n',
  });
});
