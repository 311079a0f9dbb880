import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { turnRules } from "../../src/cli/rules-shadow.ts";
import { testReceiver } from "../../src/cli/test-receiver.ts";
import { heard } from "../cli/heard.ts";
import { runCli } from "./cli.ts";
import { freePort, killLeftOvers, push, query, startTocsin, type Tocsin, until } from "./tocsin.ts";

const hooks: Server[] = [];
afterAll(() => {
  for (const hook of hooks) hook.close();
  killLeftOvers();
});

interface Page {
  readonly status: string;
  readonly alerts: readonly { readonly status: string; readonly labels: Record<string, string> }[];
}

async function startHook(): Promise<{ url: string; pages: Page[] }> {
  const port = await freePort();
  const pages: Page[] = [];
  const hook = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    pages.push(JSON.parse(body) as Page);
    response.end();
  });
  await new Promise<void>((resolve) => hook.listen(port, "127.0.0.1", resolve));
  hooks.push(hook);
  return { url: `http://127.0.0.1:${port}/`, pages };
}

const RULES = `# of the tanks
groups:
- name: levels
  interval: 1s
  rules:
  - alert: LevelHigh  # as it pages now
    expr: level > 10
  - alert: LevelHigh
    expr: level > 5
    labels: { candidate: "yes" }
    shadow: true  # since today
`;

const API_GROUP = `name: over-api
interval: 1s
shadow: true
rules:
  - alert: FromApi
    expr: level > 0
`;

const cli = (...args: string[]) => runCli(args);

/** Both tests ask the same server: a start costs more than either. */
let t: Tocsin;
let pages: Page[];
let tests: Page[];
beforeAll(async () => {
  const [live, tested] = [await startHook(), await startHook()];
  pages = live.pages;
  tests = tested.pages;
  const alertmanager = `route: { receiver: hook, group_by: [...], group_wait: 0s, group_interval: 1s }
receivers:
- { name: hook, webhook_configs: [{ url: "${live.url}" }] }
- { name: "hook/1", webhook_configs: [{ url: "${tested.url}" }] }
- { name: nobody }
`;
  t = await startTocsin({
    config: "agent: { enabled: false }\nrule_files: [rules.yml]\nalertmanager_config_file: alertmanager.yml\n",
    files: { "rules.yml": RULES, "alertmanager.yml": alertmanager },
  });
});

async function json<T>(
  t: Tocsin,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; data: T; error: string }> {
  const response = await fetch(t.url + path, init);
  const text = await response.text();
  const body = (text.startsWith("{") ? JSON.parse(text) : {}) as { data: T; error: string };
  return { ...body, status: response.status };
}

const names = (alerts: readonly { labels: Record<string, string> }[]) =>
  alerts.map((a) => `${a.labels.alertname}${a.labels.candidate === undefined ? "" : " candidate"}`).sort();

describe("shadow rules and tests of receivers, over HTTP and the command line", () => {
  it("a shadow rule pages nobody until it is promoted, in its file or over the API", async () => {
    const told = () => names(pages.flatMap((p) => p.alerts));
    const firing = async (shadow: string) => {
      const { data } = await json<{ alerts: { labels: Record<string, string>; shadow?: boolean }[] }>(
        t,
        `/api/v1/alerts?shadow=${shadow}`,
      );
      return names(data.alerts);
    };
    const posted = await fetch(`${t.url}/api/v1/rules/ns`, { method: "POST", body: API_GROUP });
    expect(posted.status).toBe(202);
    await push(t.url, [{ labels: { __name__: "level", tank: "a" }, samples: [[Date.now(), 12]] }]);
    await until(async () => (await firing("true")).length === 2, "the shadow alerts");
    await until(() => told().includes("LevelHigh"), "the live rule's page");
    expect(await firing("true")).toEqual(["FromApi", "LevelHigh candidate"]);
    expect(await firing("")).toEqual(["LevelHigh"]);
    expect(await firing("any")).toHaveLength(3);
    expect((await json(t, "/api/v1/alerts?shadow=perhaps")).status).toBe(400);
    // Nobody's ALERTS has them.
    expect((await query(t.url, "ALERTS")).map((r) => r.metric.candidate)).toEqual([undefined]);
    await until(async () => (await query(t.url, "SHADOW_ALERTS")).length === 2, "their own series");
    const { data } = await json<{ rules: { name: string; firing: number; tally: { fired: number }; live: unknown }[] }>(
      t,
      "/api/v1/shadow-rules",
    );
    expect(data.rules).toMatchObject([
      { name: "LevelHigh", firing: 1, tally: { fired: 1, episodes: 1 }, live: { firing: 1, both: 0 } },
      { name: "FromApi", firing: 1, live: null },
    ]);
    const listed = await cli("rules", "shadow", "--url", t.url);
    expect(listed).toMatchObject({ code: 0, out: expect.stringContaining("1 fired in 1 episode since") });
    expect(told()).toEqual(["LevelHigh"]);
    // The live and the candidate by Mimir's path as well.
    expect((await json<{ groups: unknown[] }>(t, "/prometheus/api/v1/rules?shadow=true")).data.groups).toHaveLength(2);
    expect((await json<{ result: unknown[] }>(t, "/prometheus/api/v1/query?query=level")).data.result).toHaveLength(1);

    // One of the file: the answer is the change to make, and --write makes it.
    const file = join(t.dir, "rules.yml");
    const turn = (shadow: boolean, group: string, rule?: string) =>
      heard(() => turnRules(shadow, rule, { group, url: t.url }));
    const told409 = await turn(false, "levels", "LevelHigh");
    expect(told409).toMatchObject({ code: 1, out: expect.stringContaining(`${file}:11`) });
    expect(readFileSync(file, "utf8")).toBe(RULES);
    expect(await cli("rules", "promote", "LevelHigh", "--url", t.url, "--write")).toMatchObject({ code: 0, err: "" });
    expect(readFileSync(file, "utf8")).toBe(RULES.replace("shadow: true  #", "shadow: false  #"));
    await until(() => told().includes("LevelHigh candidate"), "the promoted rule's page");

    // One that came over the API is changed where it is stored.
    expect(await turn(false, "over-api")).toMatchObject({ code: 0 });
    await until(() => told().includes("FromApi"), "its page");
    const stored = await (await fetch(`${t.url}/config/v1/rules/ns/over-api`)).text();
    expect(stored).toBe(API_GROUP.replace("shadow: true\n", ""));
    // A shadow rule again: what fires is ended for its receivers.
    expect(await turn(true, "over-api")).toMatchObject({ code: 0 });
    const ended = () => pages.some((p) => p.status === "resolved" && names(p.alerts)[0] === "FromApi");
    await until(ended, "its end");
    expect(await turn(false, "nope")).toMatchObject({
      code: 1,
      err: expect.stringContaining("no rule group"),
    });
  });

  it("a test reaches the receiver, is marked, and what is wrong with the call is said", async () => {
    const sent = await cli("test", "receiver", "hook/1", "--label", "team=a", "--url", t.url);
    expect(sent).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^hook\/1\/webhook\[0\] {2}delivered \(status 200\) in \d+ ms\n$/),
    });
    expect(tests[0]?.alerts[0]?.labels).toEqual({ alertname: "TocsinTest", team: "a", tocsin_test: "true" });
    const post = (path: string, body: string) => json(t, path, { method: "POST", body });
    expect(await post("/api/v1/receivers/x/test", "")).toMatchObject({
      status: 404,
      error: expect.stringContaining("hook, hook/1, nobody"),
    });
    expect(await post("/api/v1/receivers/nobody/test", "")).toMatchObject({ status: 400 });
    expect(await post("/api/v1/receivers/hook%2F1/test", "{")).toMatchObject({ status: 400 });
    expect(await post("/api/v1/receivers/hook%2F1/test", '{"labels":{"a":1}}')).toMatchObject({
      status: 400,
      error: "label a must be a text",
    });
    expect(await post("/api/v1/receivers/hook%2F1/test", '{"wait":1}')).toMatchObject({ status: 400 });
    expect(tests).toHaveLength(1);
    // It is no alert: nobody is told of it again, and nothing shows it.
    const held = await (await fetch(`${t.url}/api/v2/alerts`)).text();
    expect(held).not.toContain("TocsinTest");
    expect(pages.flatMap((p) => p.alerts).map((a) => a.labels.alertname)).not.toContain("TocsinTest");
    // The same without a server.
    const options = { config: join(t.dir, "alertmanager.yml"), url: "", resolve: true, output: "json" };
    const here = await heard(() => testReceiver("hook/1", options));
    expect(here.code).toBe(0);
    expect(JSON.parse(here.out)).toMatchObject({ receiver: "hook/1", results: [{ delivered: true, status: 200 }] });
    expect(await heard(() => testReceiver("x", options))).toMatchObject({ code: 1 });
  });
});
