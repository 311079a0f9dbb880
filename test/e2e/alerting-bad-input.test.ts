import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, killLeftOvers, startTocsin, type Tocsin, until } from "./tocsin.ts";

// What people get wrong in calls, files and commands of alerting, against a real server.

const TOCSIN = join(import.meta.dirname, "../../bin/tocsin");
const CONFIG = `agent: { enabled: false }
limits: { max_body_size: 64KB }
rule_files: [rules.yml]
alertmanager_config_file: am.yml
`;
const RULES = "groups: [{ name: g, interval: 1s, rules: [{ alert: Always, expr: vector(1) }] }]\n";
const alertmanager = (
  port: number,
) => `route: { receiver: hook, group_wait: 0s, group_interval: 1s, group_by: ["..."], routes: [{ matchers: [alertname=Lost], group_interval: 1h }] }
receivers:
- name: hook
  webhook_configs:
  - { url: "http://127.0.0.1:${port}/" }
templates: [more.tmpl]
`;

let tocsin: Tocsin;
let hook: Server;
let status = 200;
const told: { status: string; alerts: { labels: Record<string, string> }[] }[] = [];

beforeAll(async () => {
  const port = await freePort();
  hook = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => {
      body += piece;
    });
    request.on("end", () => {
      if (status === 200) told.push(JSON.parse(body));
      response.writeHead(status).end(status === 200 ? "" : "the hook is full");
    });
  });
  await new Promise<void>((resolve) => hook.listen(port, "127.0.0.1", resolve));
  tocsin = await startTocsin({
    config: CONFIG,
    files: { "am.yml": alertmanager(port), "rules.yml": RULES, "more.tmpl": '{{ define "x" }}x{{ end }}' },
  });
});
afterAll(async () => {
  await tocsin?.stop();
  hook?.close();
  killLeftOvers();
});

const JSON_TYPE = { "content-type": "application/json" };
const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = JSON_TYPE) => {
  const response = await fetch(`${tocsin.url}${path}`, {
    method,
    ...(body === undefined ? {} : { headers, body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
};
const silence = (over: Record<string, unknown>) => ({
  matchers: [{ name: "a", value: "b", isRegex: false }],
  startsAt: new Date().toISOString(),
  endsAt: new Date(Date.now() + 3_600_000).toISOString(),
  createdBy: "me",
  comment: "why",
  ...over,
});
const NOBODY = "11111111-1111-4111-8111-111111111111";

describe("bad calls of alerting", () => {
  const cases: readonly [what: string, method: string, path: string, body: unknown, status: number, reason: string][] =
    [
      ["a filter that is no matcher", "GET", "/api/v2/alerts?filter=a", undefined, 400, "bad matcher format"],
      ["a filter with a bad regex", "GET", "/api/v2/alerts?filter=a%3D~%22(%22", undefined, 400, "missing"],
      ["a filter of groups", "GET", "/api/v2/alerts/groups?filter=%3D", undefined, 400, "bad matcher format"],
      ["a filter of silences", "GET", "/api/v2/silences?filter=%7B", undefined, 400, "open or close brace"],
      ["a receiver that is no regex", "GET", "/api/v2/alerts?receiver=%28", undefined, 400, "receiver param"],
      ["an alert without labels", "POST", "/api/v2/alerts", [{ labels: {} }], 400, "at least one label pair required"],
      ["an alert that is no object", "POST", "/api/v2/alerts", ["x"], 400, "not an object"],
      ["alerts that are no JSON", "POST", "/api/v2/alerts", "{", 400, "alerts"],
      ["alerts that are no list", "POST", "/api/v2/alerts", {}, 400, "no list"],
      ["a label that is no text", "POST", "/api/v2/alerts", [{ labels: { a: 1 } }], 400, "labels.a"],
      ["a label without a name", "POST", "/api/v2/alerts", [{ labels: { "": "x", a: "b" } }], 400, "invalid name"],
      ["a time that is none", "POST", "/api/v2/alerts", [{ labels: { a: "b" }, startsAt: "now" }], 400, "startsAt"],
      [
        "an alert that ends before it starts",
        "POST",
        "/api/v2/alerts",
        [{ labels: { a: "b" }, startsAt: "2024-01-02T00:00:00Z", endsAt: "2024-01-01T00:00:00Z" }],
        400,
        "start time must be before end time",
      ],
      ["a body that is too large", "POST", "/api/v2/alerts", "x".repeat(70_000), 413, "max_body_size"],
      ["a silence without matchers", "POST", "/api/v2/silences", silence({ matchers: [] }), 422, "at least 1 items"],
      [
        "a silence of everything",
        "POST",
        "/api/v2/silences",
        silence({ matchers: [{ name: "a", value: ".*", isRegex: true }] }),
        400,
        "at least one matcher must not match the empty string",
      ],
      [
        "a silence with a bad regex",
        "POST",
        "/api/v2/silences",
        silence({ matchers: [{ name: "a", value: "(", isRegex: true }] }),
        400,
        "regular expression",
      ],
      ["a silence of the past", "POST", "/api/v2/silences", silence({ endsAt: "2024-01-01T00:00:00Z" }), 400, "time"],
      ["a silence with a bad time", "POST", "/api/v2/silences", silence({ endsAt: "tomorrow" }), 400, "endsAt"],
      ["a silence of an id that is not there", "POST", "/api/v2/silences", silence({ id: NOBODY }), 404, "not found"],
      ["a silence by no id", "GET", "/api/v2/silence/x", undefined, 422, "uuid"],
      ["a silence that is not there", "GET", `/api/v2/silence/${NOBODY}`, undefined, 404, ""],
      ["the end of one that is not there", "DELETE", `/api/v2/silence/${NOBODY}`, undefined, 404, ""],
      ["a rule type", "GET", "/api/v1/rules?type=x", undefined, 400, "type"],
      ["a rule matcher", "GET", "/api/v1/rules?match[]=%7B", undefined, 400, "parse error"],
      ["a number of groups", "GET", "/api/v1/rules?group_limit=x", undefined, 400, "group_limit"],
      ["a state of escalations", "GET", "/api/v1/escalations?escalation_state=x", undefined, 400, "escalation_state"],
      ["a number of escalations", "GET", "/api/v1/escalations?limit=-1", undefined, 400, "limit"],
      ["an escalation", "GET", "/api/v1/escalations/x", undefined, 404, "no escalation x"],
      ["its acknowledgement", "POST", "/api/v1/escalations/x/ack", { by: "me" }, 404, "no escalation x"],
      ["one by nobody", "POST", "/api/v1/escalations/x/ack", { by: " " }, 400, "who acknowledges"],
      ["one with a typo", "POST", "/api/v1/escalations/x/ack", { by: "me", coment: "" }, 400, "coment"],
      ["one that is no JSON", "POST", "/api/v1/escalations/x/ack", "by=me", 400, "no JSON"],
      ["a time of on-call", "GET", "/api/v1/oncall?at=never", undefined, 400, "at"],
      ["a schedule", "GET", "/api/v1/oncall?schedule=x", undefined, 404, "no schedule x"],
      ["a link", "GET", "/ack/x?by=me&expires=9999999999&signature=x", undefined, 403, "Not acknowledged"],
      ["dead letters of a receiver", "GET", "/api/v1/notifications/dead-letters?receiver_name=x", undefined, 404, "x"],
      ["a dead letter", "POST", "/api/v1/notifications/dead-letters/redrive?id[]=x", undefined, 404, "x"],
      ["no dead letter", "POST", "/api/v1/notifications/dead-letters/redrive", undefined, 400, "id[]"],
    ];
  it.each(cases)("%s", async (_, method, path, body, code, reason) => {
    const answer = await call(method, path, body);
    expect(answer.status, answer.text).toBe(code);
    expect(answer.text).toContain(reason);
  });

  it("the wrong type of a body", async () => {
    const text = { "content-type": "text/plain" };
    expect(await call("POST", "/api/v2/alerts", "[]", text)).toMatchObject({ status: 415 });
    expect((await call("POST", "/api/v2/silences", "{}", text)).text).toContain("text/plain");
    const ack = await call("POST", "/api/v1/escalations/x/ack", "{}", text);
    expect(ack.status).toBe(400);
    expect(ack.text).toContain("application/json");
  });

  it("takes the good alerts of a batch, and says what is wrong with the others", async () => {
    const answer = await call("POST", "/api/v2/alerts", [{ labels: { alertname: "Good" } }, { labels: {} }]);
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining("at least one label pair") });
    const shown = JSON.parse((await call("GET", "/api/v2/alerts?filter=alertname=Good")).text) as unknown[];
    expect(shown).toHaveLength(1);
  });
});

describe("broken files", () => {
  const check = () => spawnSync(TOCSIN, ["check", "config", join(tocsin.dir, "tocsin.yml")], { encoding: "utf8" });
  const broken: readonly [what: string, file: string, change: (text: string) => string, place: string, key: string][] =
    [
      ["a key", "am.yml", (t) => t.replace("group_wait", "group_wiat"), "am.yml:1:", 'unknown key "group_wiat"'],
      ["a receiver", "am.yml", (t) => t.replace("receiver: hook,", "receiver: hok,"), "am.yml:1:", '"hok"'],
      ["a text's template", "am.yml", (t) => t.replace('/" }', '/{{ .Nope", timeout: 1s }'), "am.yml:5:", "template"],
      ["a file of templates", "more.tmpl", (t) => `\n${t}{{ if }}`, "more.tmpl:2", "missing value for if"],
      [
        "an expression",
        "rules.yml",
        (t) => t.replace("vector(1)", "vector("),
        "rules.yml:1:",
        "unclosed left parenthesis",
      ],
      [
        "a rule's template",
        "rules.yml",
        (t) => t.replace("vector(1)", 'vector(1), labels: { a: "{{ x" }'),
        "rules.yml:1:",
        "template",
      ],
    ];
  it.each(broken)("%s: the old ones go on, and the command says the same", async (_, file, change, place, key) => {
    const path = join(tocsin.dir, file);
    const good = { "am.yml": alertmanager((hook.address() as { port: number }).port), "rules.yml": RULES }[file];
    const text = good ?? '{{ define "x" }}x{{ end }}';
    expect(change(text)).not.toBe(text);
    writeFileSync(path, change(text));
    try {
      const reload = await call("POST", "/-/reload");
      expect(reload.status).toBe(500);
      expect(reload.text).toContain(place);
      expect(reload.text).toContain(key);
      const checked = check();
      expect(checked.status).toBe(1);
      expect(checked.stderr).toContain(place);
      expect(checked.stderr).toContain(key);
      const before = told.length;
      const name = `After${file}${before}`;
      await call("POST", "/api/v2/alerts", [{ labels: { alertname: name } }]);
      await until(() => told.some((t) => t.alerts.some((a) => a.labels.alertname === name)), "the old one still pages");
      const rules = JSON.parse((await call("GET", "/api/v1/rules")).text) as { data: { groups: unknown[] } };
      expect(rules.data.groups).toHaveLength(1);
    } finally {
      writeFileSync(path, text);
    }
    expect((await call("POST", "/-/reload")).status).toBe(200);
    expect(check().status).toBe(0);
  });
});

describe("dead letters by the command line", () => {
  // Not spawnSync: the hook is in this process, and has to answer meanwhile.
  const cli = (...args: readonly string[]) =>
    new Promise<{ status: number; out: string; err: string }>((resolve) => {
      const child = execFile(TOCSIN, [...args, "--url", tocsin.url], (_, out, err) =>
        resolve({ status: child.exitCode ?? -1, out, err }),
      );
    });

  it("tells none, one that failed, and sends it again", async () => {
    expect(await cli("notifications")).toEqual({ status: 0, out: "no dead letters\n", err: "" });
    status = 400;
    await call("POST", "/api/v2/alerts", [{ labels: { alertname: "Lost", host: "a" } }]);
    const letters = async () =>
      JSON.parse((await cli("notifications", "-o", "json")).out) as { deadLetters: { id: string }[] };
    await until(async () => (await letters()).deadLetters.length === 1, "the dead letter");
    const { id } = (await letters()).deadLetters[0]!;
    const listed = await cli("notifications", "--receiver", "hook");
    expect(listed.out).toContain(`${id}  hook/webhook[0]`);
    expect(listed.out).toMatch(/1 firing, 0 resolved; failed \w+/);
    expect(listed.out).toContain("400");

    // What people get wrong.
    expect(await cli("redrive")).toMatchObject({ status: 2, err: expect.stringContaining("which ones?") });
    expect(await cli("redrive", "nothing")).toMatchObject({ status: 1, err: expect.stringContaining("nothing") });
    expect((await cli("notifications", "--receiver", "nobody")).err).toContain("nobody");
    const away = spawnSync(TOCSIN, ["notifications", "--url", `http://127.0.0.1:${await freePort()}`], {
      encoding: "utf8",
    });
    expect(away.status).not.toBe(0);
    expect(away.stderr).toContain("127.0.0.1");

    const again = await cli("redrive", id);
    expect(again.status).toBe(1);
    expect(again.out).toContain(`${id}  hook/webhook[0]  failed`);
    expect((await cli("notifications")).out).toMatch(/failed \d+ times/);
    status = 200;
    const sent = await cli("redrive", "--all");
    expect(sent).toMatchObject({ status: 0, out: `${id}  hook/webhook[0]  sent\n` });
    expect(told.at(-1)?.alerts[0]?.labels).toEqual({ alertname: "Lost", host: "a" });
    expect((await cli("notifications")).out).toBe("no dead letters\n");
    expect(await cli("redrive", "--receiver", "hook")).toMatchObject({ status: 0, out: "no dead letters\n" });
  });
});
