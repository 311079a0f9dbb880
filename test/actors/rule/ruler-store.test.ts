import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkExpression } from "../../../src/actors/rule/check-expression.ts";
import { makeRuler, type RulerLimits } from "../../../src/actors/rule/ruler-store.ts";
import { type Disk, DiskError, realDisk } from "../../../src/lib/disk.ts";
import { freshFolder } from "./fixtures.ts";

const NO_LIMITS: RulerLimits = { maxRulesPerRuleGroup: 0, maxRuleGroups: 0 };

function ruler(dir = freshFolder(), limits = NO_LIMITS, disk: Disk = realDisk) {
  const changes = { count: 0 };
  const evaluation = { intervalMs: 60_000 };
  const made = makeRuler({
    disk,
    dir,
    checkExpression,
    evaluationIntervalMs: () => evaluation.intervalMs,
    limitsOf: () => limits,
    onChange: () => changes.count++,
  });
  return { ...made, dir, changes, evaluation };
}

const group = (name: string, expr = "up") => `name: ${name}\nrules:\n  - record: a:b\n    expr: ${expr}\n`;
const names = (r: ReturnType<typeof ruler>, tenant: string) =>
  Object.entries(r.list(tenant)).map(([ns, groups]) => [ns, groups.map((g) => g.name)]);

describe("the ruler's store", () => {
  it("keeps groups by tenant and namespace over a restart, as they were written", async () => {
    const r = ruler();
    await r.set("acme", "shop", group("g1", "sum  by (job)(up)"));
    await r.set("acme", "shop", "name: g2\ninterval: 90s\nlimit: 7\nlabels: { tier: 1 }\nrules: []\n");
    await r.set("acme", "a/b .%Ä", group("g"));
    await r.set("other", "shop", group("g"));
    const again = ruler(r.dir);
    expect(await again.load()).toEqual([]);
    for (const x of [r, again]) {
      expect(names(x, "acme")).toEqual([
        ["a/b .%Ä", ["g"]],
        ["shop", ["g1", "g2"]],
      ]);
      expect(x.list("acme", "shop").shop?.[0]?.content).toEqual({
        name: "g1",
        rules: [{ record: "a:b", expr: "sum  by (job)(up)" }],
      });
      expect(x.list("acme", "shop").shop?.[1]?.content).toEqual({
        name: "g2",
        interval: "90s",
        limit: 7,
        labels: { tier: "1" },
        rules: [],
      });
      expect(x.groups().map((g) => [g.tenant, g.namespace, g.name, g.intervalMs])).toEqual(
        expect.arrayContaining([
          ["acme", "shop", "g1", 60_000],
          ["acme", "shop", "g2", 90_000],
          ["acme", "a/b .%Ä", "g", 60_000],
          ["other", "shop", "g", 60_000],
        ]),
      );
    }
  });

  it("replaces a group of the same name in its place, and tells of each change once", async () => {
    const r = ruler();
    for (const name of ["a", "b", "a"]) await r.set("t", "n", group(name, name === "a" ? "up" : "down"));
    await r.set("t", "n", group("a", "up == 0"));
    expect(names(r, "t")).toEqual([["n", ["a", "b"]]]);
    expect(r.groups().map((g) => g.rules[0]?.query)).toEqual(["up == 0", "down"]);
    expect(r.changes.count).toBe(4);
  });

  it("makes alert rules live and shadow, and leaves all else of the group as it is", async () => {
    const r = ruler();
    const text = `name: g
shadow: true
labels: { shadow: "true", limit: "5" }
rules:
  - alert: A
    expr: up
  - record: r
    expr: up
  - alert: B
    expr: up
    shadow: off
    annotations: { limit: "007" }
`;
    await r.set("t", "n", text);
    const shadows = async () => {
      const again = ruler(r.dir);
      expect(await again.load()).toEqual([]);
      expect(again.groups()).toEqual(r.groups());
      return r.groups()[0]?.rules.map((rule) => rule.type === "alerting" && rule.shadow === true);
    };
    expect(await shadows()).toEqual([true, false, false]);
    await r.setShadow("t", "n", "g", "A", false);
    expect(await shadows()).toEqual([false, false, false]);
    await r.setShadow("t", "n", "g", "B", true);
    expect(await shadows()).toEqual([false, false, true]);
    await r.setShadow("t", "n", "g", undefined, false);
    expect(await shadows()).toEqual([false, false, false]);
    expect(r.list("t").n?.[0]?.content).toEqual({
      name: "g",
      labels: { shadow: "true", limit: "5" },
      rules: [
        { alert: "A", expr: "up" },
        { record: "r", expr: "up" },
        { alert: "B", expr: "up", annotations: { limit: "007" } },
      ],
    });
    const changes = r.changes.count;
    await r.setShadow("t", "n", "g", undefined, false);
    expect(r.changes.count).toBe(changes);
    for (const [group, rule] of [
      ["g", "C"],
      ["g", "r"],
      ["h", "A"],
    ] as const) {
      await expect(r.setShadow("t", "n", group, rule, true)).rejects.toMatchObject({ kind: "missing" });
    }
  });

  it("removes groups, namespaces and tenants, with their files", async () => {
    const r = ruler();
    for (const ns of ["n", "m"]) for (const name of ["a", "b"]) await r.set("t", ns, group(name));
    await r.deleteGroup("t", "n", "a");
    await expect(r.deleteGroup("t", "n", "a")).rejects.toMatchObject({ kind: "missing" });
    await r.deleteGroup("t", "n", "b");
    expect(readdirSync(join(r.dir, "t"))).toEqual(["m.yml"]);
    await expect(r.deleteNamespace("t", "n")).rejects.toMatchObject({ kind: "missing" });
    await r.deleteNamespace("t", "m");
    await r.set("t", "x", group("a"));
    await r.deleteTenant("t");
    await r.deleteTenant("nobody");
    expect(r.groups()).toEqual([]);
    expect(readdirSync(join(r.dir, "t"))).toEqual([]);
  });

  it.each([
    ["no text", "", /there is no rule group/],
    ["a mistake", "name: g\nrules:\n  - record: a\n    expr: sum(\n", /:4:\d+: could not parse expression/],
    ["an unknown key", "name: g\nsource_tenants: [a]\n", /:2:1: unknown key "source_tenants"/],
    ["no name", "rules: []\n", /Groupname must not be empty/],
    ["a whole file", "groups: []\n", /:1:1: this is a file of rule groups/],
    ["no YAML", "name: [", /:\d+:\d+: /],
    ["a list", "- a\n", /must be a mapping/],
  ])("refuses %s, with its place", async (_, text, message) => {
    const r = ruler();
    await expect(r.set("t", "n", text)).rejects.toMatchObject({ kind: "bad", message: expect.stringMatching(message) });
    expect(r.changes.count).toBe(0);
  });

  it("keeps to the limits, which name their keys", async () => {
    const r = ruler(undefined, { maxRulesPerRuleGroup: 1, maxRuleGroups: 2 });
    const two = `${group("g")}  - record: c\n    expr: up\n`;
    await expect(r.set("t", "n", two)).rejects.toThrow('group "g" has 2 rules, limits.max_rules_per_rule_group is 1');
    await r.set("t", "n", group("a"));
    await r.set("t", "m", group("b"));
    await r.set("t", "m", group("b", "down"));
    await expect(r.set("t", "m", group("c"))).rejects.toThrow("would have 3 rule groups, limits.max_rule_groups is 2");
    await r.set("u", "m", group("c"));
  });

  it("refuses names of namespaces that no file can have", async () => {
    const r = ruler();
    for (const ns of ["", "\ud800", "x".repeat(221), "Ä".repeat(40)]) {
      await expect(r.set("t", ns, group("g"))).rejects.toMatchObject({ kind: "bad" });
    }
    await r.set("t", "x".repeat(220), group("g"));
  });

  it("any namespace comes back from its file, and no two share one, on file systems that know no case too", async () => {
    const names = fc.array(fc.string({ minLength: 1, maxLength: 20, unit: "binary" }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(names, async (all) => {
        const r = ruler();
        const wanted = [...new Set([...all, "a", "A", ".", "..", "%61"])].filter((n) => n.isWellFormed());
        for (const ns of wanted) await r.set("t", ns, group("g"));
        const files = readdirSync(join(r.dir, "t")).map((f) => f.toLowerCase());
        expect(new Set(files).size).toBe(wanted.length);
        const again = ruler(r.dir);
        await again.load();
        expect(Object.keys(again.list("t")).sort()).toEqual([...wanted].sort());
      }),
      { numRuns: 20 },
    );
  });

  it("leaves a damaged file as it is: its groups do not run, nothing is written over it, others go on", async () => {
    const r = ruler();
    await r.set("t", "good", group("g"));
    await r.set("t", "bad", group("g"));
    writeFileSync(join(r.dir, "t", "bad.yml"), "groups: [{ name: g, rules: [{ record: x, expr: 'sum(' }] }]");
    const again = ruler(r.dir);
    expect(await again.load()).toEqual([expect.stringMatching(/bad\.yml.*could not parse expression/)]);
    expect(names(again, "t")).toEqual([["good", ["g"]]]);
    await expect(again.set("t", "bad", group("h"))).rejects.toMatchObject({ kind: "stored" });
    expect(readFileSync(join(r.dir, "t", "bad.yml"), "utf8")).toContain("sum(");
    await again.deleteNamespace("t", "bad");
    await again.set("t", "bad", group("h"));
    expect(names(again, "t")).toEqual([
      ["bad", ["h"]],
      ["good", ["g"]],
    ]);
  });

  it("a disk that fails: nothing changes, and the answer says so", async () => {
    let full = false;
    const disk: Disk = {
      ...realDisk,
      open: (path, mode) =>
        full && mode === "create"
          ? Promise.reject(new DiskError("open", path, "ENOSPC", "no space"))
          : realDisk.open(path, mode),
    };
    const r = ruler(undefined, NO_LIMITS, disk);
    await r.set("t", "n", group("a"));
    full = true;
    await expect(r.set("t", "n", group("b"))).rejects.toMatchObject({
      kind: "stored",
      message: expect.stringMatching(/no space/),
    });
    expect(names(r, "t")).toEqual([["n", ["a"]]]);
    expect(r.changes.count).toBe(1);
  });

  it("takes changes that come at once one behind another", async () => {
    const r = ruler();
    await Promise.all(Array.from({ length: 20 }, (_, i) => r.set("t", "n", group(`g${i}`))));
    const again = ruler(r.dir);
    await again.load();
    expect(again.groups()).toHaveLength(20);
  });

  it("groups without an interval follow the configuration's", async () => {
    const r = ruler();
    await r.set("t", "n", group("a"));
    expect(r.groups()[0]?.intervalMs).toBe(60_000);
    r.evaluation.intervalMs = 15_000;
    expect(r.groups()[0]?.intervalMs).toBe(15_000);
  });
});
