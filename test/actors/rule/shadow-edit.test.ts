import { describe, expect, it } from "vitest";
import { checkExpression } from "../../../src/actors/rule/check-expression.ts";
import { parseRuleFile } from "../../../src/actors/rule/rule-file.ts";
import { editShadow } from "../../../src/actors/rule/shadow-edit.ts";

const FILE = `# What pages at night.
groups:
  - name: api   # the front
    shadow: false
    rules:
      - alert: Slow   # not yet
        expr: "latency > 1"
        shadow: true  # try it
      - record: x
        expr: sum(y)
      - alert: "Down"
        expr: up == 0
      - { alert: Flow, expr: up < 1, shadow: yes }
  - name: other
    shadow: true
    rules:
      - alert: Slow
        expr: vector(1)
      - {alert: Braces, expr: vector(1)}
`;

const shadows = (text: string) => {
  const { groups, problems } = parseRuleFile("f", text, { evaluationIntervalMs: 60_000, checkExpression });
  expect(problems).toEqual([]);
  return groups.flatMap((g) =>
    g.rules.filter((r) => r.type === "alerting" && r.shadow).map((r) => `${g.name} ${r.name}`),
  );
};

describe("the change of a rule file that makes rules live or shadow", () => {
  it("is one value, and all else stays as it is", () => {
    expect(shadows(FILE)).toEqual(["api Slow", "api Flow", "other Slow", "other Braces"]);
    const { text, edits } = editShadow(FILE, { group: "api", rule: "Slow", shadow: false });
    expect(text).toBe(FILE.replace("shadow: true  # try it", "shadow: false  # try it"));
    expect(edits).toEqual([
      { line: 8, before: "        shadow: true  # try it", after: "        shadow: false  # try it" },
    ]);
    expect(shadows(text)).not.toContain("api Slow");
  });

  it("is a line more where the rule has none, or a pair between braces", () => {
    const { text, edits } = editShadow(FILE, { group: "other", rule: "Slow", shadow: false });
    expect(edits).toEqual([
      { line: 17, before: "      - alert: Slow", after: "      - alert: Slow\n        shadow: false" },
    ]);
    expect(shadows(text)).toEqual(["api Slow", "api Flow", "other Braces"]);
    const braces = editShadow(FILE, { group: "other", rule: "Braces", shadow: false }).text;
    expect(braces).toBe(FILE.replace("alert: Braces,", "alert: Braces, shadow: false,"));
    const down = editShadow(FILE, { group: "api", rule: "Down", shadow: true }).text;
    expect(down).toBe(FILE.replace('alert: "Down"', 'alert: "Down"\n        shadow: true'));
  });

  it("of a whole group is that of its key and of the rules that say otherwise", () => {
    expect(shadows(editShadow(FILE, { group: "api", shadow: true }).text)).toEqual([
      "api Slow",
      "api Down",
      "api Flow",
      "other Slow",
      "other Braces",
    ]);
    expect(shadows(editShadow(FILE, { group: "other", shadow: false }).text)).toEqual(["api Slow", "api Flow"]);
  });

  it("keeps line feeds as they are, and makes none where all is so already", () => {
    const dos = FILE.replaceAll("\n", "\r\n");
    const { text } = editShadow(dos, { group: "other", rule: "Slow", shadow: false });
    expect(text.replaceAll("\r\n", "")).not.toContain("\n");
    expect(text.replaceAll("\r\n", "\n")).toBe(editShadow(FILE, { group: "other", rule: "Slow", shadow: false }).text);
    expect(editShadow(FILE, { group: "api", rule: "Down", shadow: false })).toEqual({ text: FILE, edits: [] });
  });

  it("is refused where there is no such rule, or none that can be changed alone", () => {
    expect(() => editShadow(FILE, { group: "nope", shadow: true })).toThrow("there is no group");
    expect(() => editShadow(FILE, { group: "api", rule: "x", shadow: true })).toThrow('no alert rule "x"');
    const shared = "groups:\n- name: a\n  rules:\n  - &r\n    alert: A\n    expr: up\n  - *r\n";
    expect(() => editShadow(shared, { group: "a", rule: "B", shadow: true })).toThrow("no alert rule");
  });
});
