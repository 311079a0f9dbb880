import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { killLeftOvers, push, startTocsin, type Tocsin, until } from "./tocsin.ts";

afterAll(killLeftOvers);

const ACME = { "x-scope-orgid": "acme" };
const GROUP = `name: levels
interval: 1s
rules:
  - record: level:max
    expr: max(level)
  - alert: LevelHigh
    expr: level > 10
`;

const get = async (t: Tocsin, path: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(t.url + path, { headers });
  return { status: answer.status, text: await answer.text() };
};

interface Group {
  readonly name: string;
  readonly file: string;
}

async function groups(t: Tocsin, headers: Record<string, string> = {}): Promise<string[]> {
  const { data } = JSON.parse((await get(t, "/api/v1/rules", headers)).text) as { data: { groups: Group[] } };
  return data.groups.map((g) => `${g.file.split("/").at(-1)} ${g.name}`);
}

async function value(t: Tocsin, query: string, headers: Record<string, string> = {}): Promise<string | undefined> {
  const { text } = await get(t, `/api/v1/query?query=${encodeURIComponent(query)}`, headers);
  const { data } = JSON.parse(text) as { data: { result: { value: [number, string] }[] } };
  return data.result[0]?.value[1];
}

describe("rules over the API and on the disk", () => {
  it("a tenant's group works on the tenant's data, and is there after kill -9", async () => {
    let t = await startTocsin();
    const posted = await fetch(`${t.url}/prometheus/config/v1/rules/shop`, {
      method: "POST",
      headers: ACME,
      body: GROUP,
    });
    expect(posted.status).toBe(202);
    const sample = { labels: { __name__: "level", tank: "a" }, samples: [[Date.now(), 12]] as const };
    expect(await push(t.url, [sample], ACME)).toMatchObject({ status: expect.toSatisfy((n: number) => n < 300) });
    await until(async () => (await value(t, "level:max", ACME)) === "12", "the recorded series");
    await until(async () => (await value(t, 'ALERTS{alertstate="firing"}', ACME)) === "1", "the alert");
    expect(await value(t, "level:max")).toBeUndefined();
    expect(await groups(t, ACME)).toEqual(["shop levels"]);
    expect(await groups(t)).toEqual([]);

    await t.killGroup();
    t = await startTocsin({ dir: t.dir });
    expect((await get(t, "/prometheus/config/v1/rules/shop/levels", ACME)).text).toBe(GROUP);
    await until(async () => (await groups(t, ACME)).length === 1, "the group");
    const removed = await fetch(`${t.url}/prometheus/config/v1/rules/shop`, { method: "DELETE", headers: ACME });
    expect(removed.status).toBe(202);
    expect(await groups(t, ACME)).toEqual([]);
    await t.stop();
  });

  it("rule files that change are read again; a wrong one leaves the rules as they are", async () => {
    const file = (name: string, expr = "up") => `groups: [{ name: ${name}, rules: [{ record: a, expr: "${expr}" }] }]`;
    const t = await startTocsin({
      config: 'agent: { enabled: false }\nrule_files: ["*.rules.yml"]\n',
      files: { "a.rules.yml": file("one") },
    });
    expect(await groups(t)).toEqual(["a.rules.yml one"]);
    writeFileSync(join(t.dir, "b.rules.yml"), file("two"));
    await until(async () => (await groups(t)).length === 2, "the second file");
    writeFileSync(join(t.dir, "a.rules.yml"), file("three", "sum("));
    await until(async () => t.output().includes("the rules before go on"), "the complaint");
    expect(await groups(t)).toEqual(["a.rules.yml one", "b.rules.yml two"]);
    expect((await get(t, "/metrics")).text).toContain("tocsin_rule_files_current 0");
    writeFileSync(join(t.dir, "a.rules.yml"), file("three"));
    await until(async () => (await groups(t)).includes("a.rules.yml three"), "the mended file");
    expect((await get(t, "/metrics")).text).toMatch(/tocsin_rule_file_reloads_total\{result="failed"\} 1\n/);
    await t.stop();
  });
});
