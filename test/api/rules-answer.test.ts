import { describe, expect, it } from "vitest";
import { rulesAnswer } from "../../src/api/rules-answer.ts";
import { labelsFromObject } from "../../src/model/labels.ts";
import type { RuleGroupStatus, RuleStatus } from "../../src/model/rules.ts";

const rule = (type: "alerting" | "recording", name: string, labels: Record<string, string> = {}): RuleStatus => {
  const base = {
    name,
    query: "up",
    labels: labelsFromObject(labels),
    lastError: "",
    evaluationMs: 0,
    lastEvaluation: 0,
  };
  if (type === "recording") return { type, health: "ok", ...base };
  const alert = { labels: labelsFromObject({ alertname: name }), annotations: {}, activeAt: 1000, value: 1 };
  return {
    type,
    health: "ok",
    ...base,
    state: "firing",
    holdMs: 1500,
    keepFiringForMs: 0,
    annotations: {},
    alerts: [{ ...alert, state: "firing" }],
  };
};
const group = (file: string, name: string, rules: readonly RuleStatus[]): RuleGroupStatus => ({
  name,
  file,
  intervalMs: 60_000,
  limit: 0,
  queryOffsetMs: 0,
  rules,
  evaluationMs: 0,
  lastEvaluation: 0,
});

const ALL = [
  group("/b.yml", "z", [rule("alerting", "Down", { team: "a" }), rule("recording", "a:b")]),
  group("/b.yml", "g", [rule("alerting", "Slow", { team: "b", tier: "1" })]),
  group("/a.yml", "g", [rule("recording", "a:b", { team: "b" })]),
  group("/a.yml", "empty", []),
];

interface Answer {
  readonly groups: readonly { file: string; name: string; rules: { name: string; alerts?: unknown }[] }[];
  readonly groupNextToken?: string;
}
const ask = (query: string) => rulesAnswer(ALL, new URLSearchParams(query)) as Answer;
const shown = (query: string) =>
  ask(query).groups.map((g) => `${g.file} ${g.name}: ${g.rules.map((r) => r.name).join(" ")}`);

describe("/api/v1/rules", () => {
  it("tells what is Tocsin's own where it is set, and nothing of it else", () => {
    const keeps = { ...rule("alerting", "Down"), noData: "keep" };
    const own = { ...group("/a.yml", "own", [keeps]), queryOffsetMs: 1500 };
    const answer = (g: RuleGroupStatus) => (rulesAnswer([g], new URLSearchParams()) as { groups: object[] }).groups[0];
    expect(answer(own)).toMatchObject({ queryOffset: 1.5, rules: [{ noData: "keep" }] });
    const bare = answer(group("/a.yml", "bare", [rule("alerting", "Down")]));
    expect(JSON.stringify(bare)).not.toMatch(/queryOffset|noData/);
  });

  it("has the groups by file and name, without those that have no rule left", () => {
    expect(shown("")).toEqual(["/a.yml g: a:b", "/b.yml g: Slow", "/b.yml z: Down a:b"]);
  });

  it.each([
    ["type=alert", ["/b.yml g: Slow", "/b.yml z: Down"]],
    ["type=Record", ["/a.yml g: a:b", "/b.yml z: a:b"]],
    ["rule_name[]=a:b&rule_name[]=Slow", ["/a.yml g: a:b", "/b.yml g: Slow", "/b.yml z: a:b"]],
    ["rule_group[]=z", ["/b.yml z: Down a:b"]],
    ["file[]=/a.yml&file[]=/none.yml", ["/a.yml g: a:b"]],
    ["file[]=/b.yml&rule_group[]=g&type=record", []],
    ['match[]={team="b"}', ["/a.yml g: a:b", "/b.yml g: Slow"]],
    ['match[]={team="b",tier!="1"}&match[]={team=~"a|c"}', ["/a.yml g: a:b", "/b.yml z: Down"]],
  ])("%s", (query, groups) => {
    expect(shown(query)).toEqual(groups);
  });

  it("leaves the alerts out where it is asked to", () => {
    const alerts = (query: string) => ask(`rule_name[]=Down&${query}`).groups[0]?.rules[0]?.alerts;
    expect(alerts("exclude_alerts=true")).toBeNull();
    expect(alerts("exclude_alerts=false")).toHaveLength(1);
    expect(alerts("")).toHaveLength(1);
  });

  it("goes through all groups page by page, filters applied", () => {
    for (const filter of ["", "type=alert&"]) {
      const seen: string[] = [];
      let token: string | undefined = "";
      while (token !== undefined) {
        const page: Answer = ask(`${filter}group_limit=1${token === "" ? "" : `&group_next_token=${token}`}`);
        seen.push(...page.groups.map((g) => `${g.file} ${g.name}`));
        expect(page.groups).toHaveLength(1);
        token = page.groupNextToken;
      }
      expect(seen).toEqual(ask(filter).groups.map((g) => `${g.file} ${g.name}`));
    }
    expect(ask("group_limit=3").groupNextToken).toBeUndefined();
  });

  it.each([
    ["type=x", /invalid parameter "type": not supported value "x"/],
    ["exclude_alerts=maybe", /invalid parameter "exclude_alerts"/],
    ["group_limit=0", /group_limit needs to be greater than 0/],
    ["group_limit=x", /group_limit needs to be a valid number/],
    ["group_next_token=x", /group_limit needs to be present/],
    ["group_limit=1&group_next_token=x", /invalid group_next_token 'x'/],
    ["match[]={", /parse error/],
    ["match[]={a=~'.*'}", /non-empty matcher/],
  ])("%s is refused", (query, message) => {
    expect(() => ask(query)).toThrow(message);
  });
});
