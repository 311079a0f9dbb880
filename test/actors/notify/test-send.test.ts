import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AlertmanagerConfig } from "../../../src/actors/alert/alertmanager-config.ts";
import { makeAttempt } from "../../../src/actors/notify/make-attempt.ts";
import { makeTestSender, type TestSenderOptions } from "../../../src/actors/notify/test-send.ts";
import { integrations, NOW } from "./fixtures.ts";
import { type ProviderServer, providerServer } from "./provider-server.ts";

let server: ProviderServer;
beforeEach(async () => {
  server = await providerServer();
});
afterEach(() => server.close());

function sender(sections: string, over: Partial<TestSenderOptions> = {}) {
  const events: Record<string, unknown>[] = [];
  const receivers = [
    { name: "r", integrations: integrations(sections) },
    { name: "nobody", integrations: [] },
  ];
  const tests = makeTestSender({
    config: () => ({ receivers }) as unknown as AlertmanagerConfig,
    externalUrl: "http://tocsin",
    attempt: (i, n, heard) => makeAttempt(i, n, "Tocsin/1", NOW, heard),
    event: (_subject, event) => events.push({ ...event }),
    now: () => NOW,
    pauseMs: 0,
    ...over,
  });
  return { tests, events };
}

describe("a test of a receiver", () => {
  it("goes through each integration once, says that it is one, and is recorded as one", async () => {
    const hooks = `webhook_configs: [{url: "${server.url}/a"}, {url: "${server.url}/b"}]`;
    server.answer = ({ path }) => (path === "/b" ? { status: 503, body: "down" } : undefined);
    const { tests, events } = sender(hooks);
    const sent = await tests.send("r", { resolve: true });
    expect(sent.results).toMatchObject([
      { integration: "webhook[0]", delivered: true, status: 200 },
      { integration: "webhook[1]", delivered: false, status: 503, error: "unexpected status code 503: down" },
    ]);
    // One that fails is not tried again, and no end follows where nothing was opened.
    expect(server.got.map((g) => g.path).sort()).toEqual(["/a", "/b"]);
    expect(server.got[0]?.json).toMatchObject({
      status: "firing",
      groupKey: `tocsin:test:${sent.id}`,
      alerts: [{ labels: { alertname: "TocsinTest", receiver: "r", tocsin_test: "true" } }],
    });
    expect(events).toMatchObject([
      { type: "test", integration: "webhook[0]", ok: true },
      { type: "test", integration: "webhook[1]", ok: false, reason: "unexpected status code 503: down" },
    ]);
  });

  it("takes labels and annotations, and stays marked", async () => {
    const { tests } = sender(`webhook_configs: [{url: "${server.url}/a"}]`);
    const labels = { alertname: "Mine", tocsin_test: "no" };
    await tests.send("r", { labels, annotations: { summary: "so it looks" }, resolve: true });
    expect(server.got[0]?.json).toMatchObject({
      alerts: [{ labels: { alertname: "Mine", tocsin_test: "true" }, annotations: { summary: "so it looks" } }],
    });
  });

  it("ends the incident that it opens with the same key, unless that is not wanted", async () => {
    server.answer = () => ({ status: 202, body: { status: "success", message: "Event processed", dedup_key: "x" } });
    const { tests } = sender(`pagerduty_configs: [{url: "${server.url}/v2/enqueue", routing_key: ${"a".repeat(32)}}]`);
    expect((await tests.send("r", { resolve: true })).results).toMatchObject([
      { delivered: true, resolved: { delivered: true } },
    ]);
    const [first, second] = server.got.map((g) => g.json);
    expect([first?.event_action, second?.event_action]).toEqual(["trigger", "resolve"]);
    expect(second?.dedup_key).toBe(first?.dedup_key);
    await sleep(1);
    const open = await tests.send("r", { resolve: false });
    expect(open.results[0]).not.toHaveProperty("resolved");
    expect(server.got).toHaveLength(3);
    // Each test is an incident of its own, and none of them is that of a page.
    expect(server.got[2]?.json.dedup_key).not.toBe(first?.dedup_key);
  });

  it("tells no secret that a provider says back, and waits for no provider for ever", async () => {
    const token = "1234567:AAAA-secret";
    server.answer = ({ path }) => ({ status: 404, body: { ok: false, description: `no such bot at ${path}` } });
    const { tests } = sender(`telegram_configs: [{api_url: "${server.url}", bot_token: "${token}", chat_id: -1}]`);
    const [result] = (await tests.send("r", { resolve: true })).results;
    expect(result?.error).toContain("no such bot");
    expect(result?.error).not.toContain(token);
    const silent = sender(`webhook_configs: [{url: "${server.url}/a"}]`, {
      patienceMs: 30,
      attempt: () => (signal) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    });
    const { results } = await silent.tests.send("r", { resolve: true });
    expect(results).toMatchObject([{ delivered: false, error: "no answer within 30 ms" }]);
  });

  it("is refused for a receiver that is not there, that tells nobody, or that is being tested", async () => {
    const { tests } = sender(`webhook_configs: [{url: "${server.url}/a"}]`, { pauseMs: 60_000 });
    await expect(tests.send("x", { resolve: true })).rejects.toThrow('no receiver "x"; there are: r, nobody');
    await expect(tests.send("nobody", { resolve: true })).rejects.toThrow("no integrations");
    const both = await Promise.allSettled([tests.send("r", { resolve: true }), tests.send("r", { resolve: true })]);
    expect(both.map((b) => b.status)).toEqual(["fulfilled", "rejected"]);
    await expect(tests.send("r", { resolve: true })).rejects.toMatchObject({ kind: "busy" });
    expect(server.got).toHaveLength(1);
  });
});
