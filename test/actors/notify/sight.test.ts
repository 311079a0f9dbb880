import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { holdAlert, mergeAlert } from "../../../src/actors/alert/alert-store.ts";
import type { EmailConfig } from "../../../src/actors/alert/integration-config.ts";
import { emailOf } from "../../../src/actors/notify/email.ts";
import { makeRenderer } from "../../../src/actors/notify/template/render.ts";
import { webhookPayload } from "../../../src/actors/notify/webhook-payload.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { integration, NOW, notification, send, told } from "./fixtures.ts";
import { type ProviderServer, providerServer } from "./provider-server.ts";

// A page that comes late, and one whose condition cannot be seen now, say so.
let server: ProviderServer;
beforeEach(async () => {
  server = await providerServer();
});
afterEach(() => server.close());

const LATE = notification({ alerts: [told({ alertname: "Fire" }, { sight: { lateMs: 12 * 60_000 + 4000 } })] });
const UNKNOWN = notification({
  alerts: [told({ alertname: "Fire" }, { sight: { unknownSince: NOW - 90_000, reason: "bus_down" } })],
});

const KINDS: readonly (readonly [string, () => string])[] = [
  ["slack", () => `{api_url: "${server.url}/s"}`],
  ["pagerduty", () => `{url: "${server.url}/v2/enqueue", routing_key: ${"a".repeat(32)}}`],
  ["opsgenie", () => `{api_url: "${server.url}", api_key: key}`],
  ["msteams", () => `{webhook_url: "${server.url}/teams"}`],
  ["msteamsv2", () => `{webhook_url: "${server.url}/teams"}`],
  ["discord", () => `{webhook_url: "${server.url}/d"}`],
  ["victorops", () => `{api_url: "${server.url}/alert/", api_key: key, routing_key: team}`],
  ["telegram", () => `{api_url: "${server.url}", bot_token: "1:t", chat_id: -1}`],
];

describe.each(KINDS)("%s", (kind, yaml) => {
  it("says that it is late, and that it is not known", async () => {
    const config = integration(`${kind}_configs: [${yaml()}]`);
    const bodyOf = async (n: typeof LATE) => {
      await send(config, n);
      return JSON.stringify(server.got.at(-1));
    };
    expect(await bodyOf(LATE)).toMatch(/\[LATE 12m\]|Late: 12m/);
    expect(await bodyOf(UNKNOWN)).toMatch(/\[UNKNOWN\]|Not seen since: 2026-03-01T11:58:30Z/);
    expect(await bodyOf(notification())).not.toMatch(/LATE|Late|UNKNOWN|Not seen/);
  });
});

describe("what a notification knows of its alerts' sight", () => {
  it("is in a mail's subject and text", () => {
    const config = integration(
      "email_configs: [{to: a@example.org, from: b@example.org, smarthost: 'localhost:25'}]",
    ) as EmailConfig;
    const mail = JSON.stringify(emailOf(config, makeRenderer(LATE, config.templates, NOW), NOW));
    expect(mail).toContain("[FIRING:1] [LATE 12m] Fire");
    expect(mail).toContain("Late: 12m");
  });

  it("is a key of its own in the webhook's body, there only when there is something to say", () => {
    const alertsOf = (n: typeof LATE) => (webhookPayload(n, 0) as { alerts: Record<string, unknown>[] }).alerts;
    expect(alertsOf(LATE)[0]?.tocsin).toEqual({ lateSeconds: 724 });
    expect(alertsOf(UNKNOWN)[0]?.tocsin).toEqual({ unknownSince: "2026-03-01T11:58:30Z", reason: "bus_down" });
    expect(alertsOf(notification())[0]).not.toHaveProperty("tocsin");
  });

  it("is that of the last time that its rule was heard", () => {
    const posted = {
      labels: labelsFromObject({ alertname: "Fire" }),
      annotations: {},
      startsAt: 1000,
      generatorUrl: "",
    };
    const before = holdAlert({ ...posted, sight: { unknownSince: 1500 } }, 2000, 60_000);
    expect(before.sight).toEqual({ unknownSince: 1500 });
    expect(mergeAlert(before, holdAlert(posted, 3000, 60_000), 3000).sight).toBeUndefined();
  });
});
