import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { checkExpression } from "../../../src/actors/rule/check-expression.ts";
import { makeRuler } from "../../../src/actors/rule/ruler-store.ts";
import { realDisk } from "../../../src/lib/disk.ts";
import { freshFolder } from "../../actors/rule/fixtures.ts";
import { wholeServer } from "./whole-server.ts";

const GROUP = "name: g\nrules:\n  - alert: Down\n    expr: up == 0\n    for: 5m\n";

function server() {
  const ruler = makeRuler({
    disk: realDisk,
    dir: freshFolder(),
    checkExpression,
    evaluationIntervalMs: () => 60_000,
    limitsOf: () => ({ maxRulesPerRuleGroup: 1, maxRuleGroups: 2 }),
    onChange: () => {},
  });
  const app = wholeServer({ ruler });
  onTestFinished(() => app.close());
  const call = async (method: "GET" | "POST" | "DELETE", url: string, payload?: string, tenant?: string) => {
    const headers = {
      ...(tenant === undefined ? {} : { "x-scope-orgid": tenant }),
      "content-type": "application/yaml",
    };
    const answer = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
    return { status: answer.statusCode, type: answer.headers["content-type"], body: answer.body };
  };
  return call;
}

describe.each(["/prometheus/config/v1/rules", "/config/v1/rules", "/api/v1/rules"])("the ruler at %s", (prefix) => {
  it("stores a group, gives it back and removes it", async () => {
    const call = server();
    expect(await call("POST", `${prefix}/ns`, GROUP)).toEqual({
      status: 202,
      type: "application/json",
      body: '{"status":"success","data":null,"errorType":"","error":""}',
    });
    const group = await call("GET", `${prefix}/ns/g`);
    expect(group).toMatchObject({ status: 200, type: expect.stringContaining("application/yaml"), body: GROUP });
    expect(parse((await call("GET", `${prefix}/ns`)).body)).toEqual({ ns: [parse(GROUP)] });
    expect((await call("GET", `${prefix}/other`)).body).toBe("{}\n");
    expect((await call("DELETE", `${prefix}/ns/g`)).status).toBe(202);
    for (const [method, path] of [
      ["GET", "ns/g"],
      ["DELETE", "ns/g"],
      ["DELETE", "ns"],
    ] as const) {
      const missing = await call(method, `${prefix}/${path}`);
      expect([missing.status, missing.body]).toEqual([404, expect.stringMatching(/does not exist\n$/)]);
    }
  });

  it("takes names in percent encoding", async () => {
    const call = server();
    await call("POST", `${prefix}/a%2Fb%20%C3%84`, GROUP.replace("name: g", 'name: "x/y"'));
    expect((await call("GET", `${prefix}/a%2Fb%20%C3%84/x%2Fy`)).status).toBe(200);
    expect((await call("DELETE", `${prefix}/a%2Fb%20%C3%84`)).status).toBe(202);
  });
});

describe("the ruler", () => {
  it("lists all namespaces, and shows each tenant its own", async () => {
    const call = server();
    await call("POST", "/config/v1/rules/b", GROUP, "acme");
    await call("POST", "/config/v1/rules/a", GROUP, "acme");
    const all = await call("GET", "/prometheus/config/v1/rules", undefined, "acme");
    expect(Object.keys(parse(all.body))).toEqual(["a", "b"]);
    expect((await call("GET", "/prometheus/config/v1/rules")).body).toBe("{}\n");
    expect((await call("GET", "/config/v1/rules/a/g")).status).toBe(404);
    expect((await call("POST", "/ruler/delete_tenant_config", undefined, "acme")).status).toBe(200);
    expect((await call("GET", "/prometheus/config/v1/rules", undefined, "acme")).body).toBe("{}\n");
    expect((await call("GET", "/config/v1/rules", undefined, "..")).status).toBe(400);
  });

  it("answers 400 with every mistake and its place, and over a limit", async () => {
    const call = server();
    const wrong = await call(
      "POST",
      "/config/v1/rules/ns",
      "name: g\nrules:\n  - alert: A\n    expr: sum(\n    fro: 5m\n",
    );
    expect(wrong.status).toBe(400);
    expect(wrong.body).toMatch(/:4:\d+: could not parse expression: .*\n.*:5:5: unknown key "fro"/);
    const two = `${GROUP}  - record: a\n    expr: up\n`;
    expect(await call("POST", "/config/v1/rules/ns", two)).toMatchObject({
      status: 400,
      body: expect.stringContaining("limits.max_rules_per_rule_group is 1"),
    });
    for (const name of ["g", "h", "i"]) {
      const { status } = await call("POST", "/config/v1/rules/ns", GROUP.replace("name: g", `name: ${name}`));
      expect(status).toBe(name === "i" ? 400 : 202);
    }
    expect((await call("POST", "/config/v1/rules/ns")).status).toBe(400);
  });

  it.each([
    ["nothing", "", "the text is empty"],
    ["a whole file", "groups:\n- name: g\n  rules: []\n", ":1:1: this is a file of rule groups: send each"],
    ["two documents", `${GROUP}---\n${GROUP}`, ":6:1: a second YAML document begins here"],
    ["a list", "- name: g\n", "the group must be a mapping"],
    ["labels that are a list", `${GROUP}    labels: [a]\n`, ":6:13: labels must be a mapping"],
    ["a broken template", `${GROUP}    annotations: {s: "{{ .X"}\n`, 'template of "s" in alert Down'],
  ])("says of %s what is wrong with it", async (_what, text, says) => {
    const { status, body } = await server()("POST", "/config/v1/rules/ns", text);
    expect([status, body]).toEqual([400, expect.stringContaining(says)]);
  });

  it("refuses a name that is too long without saying all of it back", async () => {
    const { status, body } = await server()("POST", `/config/v1/rules/${"n".repeat(5000)}`, GROUP);
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({ error: "a name in the path is longer than 4096 characters" });
  });

  it("takes no compressed text for a group", async () => {
    const app = wholeServer();
    onTestFinished(() => app.close());
    const headers = { "content-type": "application/yaml", "content-encoding": "gzip" };
    const answer = await app.inject({ method: "POST", url: "/config/v1/rules/ns", headers, payload: GROUP });
    expect([answer.statusCode, answer.body]).toEqual([
      400,
      expect.stringContaining("send the rule group as plain text"),
    ]);
  });
});
