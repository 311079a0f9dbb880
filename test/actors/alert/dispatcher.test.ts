import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HeldAlert, isResolved } from "../../../src/actors/alert/alert-store.ts";
import { dropOldAlerts, inhibitions, makeDispatcher, postAlert } from "../../../src/actors/alert/dispatcher.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { labelsFromObject, labelValue } from "../../../src/model/labels.ts";

const CONFIG = `
route: { receiver: none, group_by: [site] }
receivers: [{ name: none }]
inhibit_rules:
- { source_matchers: [severity="page"], target_matchers: [severity="warn"], equal: [site] }
- { source_matchers: [kind="power"], target_matchers: [site=~".+"], equal: [site, room] }
`;
const T = Date.UTC(2026, 0, 1);

const posted = fc.record({
  labels: fc
    .record({
      severity: fc.constantFrom("page", "warn", ""),
      kind: fc.constantFrom("power", "net", ""),
      site: fc.constantFrom("a", "b", ""),
      room: fc.constantFrom("1", "2", ""),
      n: fc.constantFrom("1", "2"),
    })
    .map(labelsFromObject),
  /** Minutes after the last. */
  after: fc.constantFrom(0, 0, 1, 20),
  ends: fc.option(fc.constantFrom(0, 1, 5)),
});

describe("inhibitions", () => {
  it("are what a look at all alerts says, as they come, end and are forgotten, and after a new configuration", () => {
    fc.assert(
      fc.property(fc.array(posted, { maxLength: 40 }), (all) => {
        const config = parseAlertmanagerConfig("/alertmanager.yml", CONFIG);
        let d = makeDispatcher(config);
        let now = T;
        for (const [i, { labels, after, ends }] of all.entries()) {
          now += after * 60_000;
          const end = ends === null ? {} : { endsAt: now + ends * 60_000 };
          postAlert(d, { labels, annotations: {}, generatorUrl: "", startsAt: now - 1, ...end }, now, () => undefined);
          dropOldAlerts(d, now);
          if (i % 7 === 6) d = makeDispatcher(config, d.alerts);
          const found = inhibitions(d, d.alerts.values(), now);
          for (const alert of d.alerts.values()) {
            const expected = looked([...d.alerts.values()], alert, now);
            expect((found.get(alert.fingerprint) ?? []).length).toBe(expected.length);
            for (const [r, by] of (found.get(alert.fingerprint) ?? []).entries()) expect(expected[r]).toContain(by);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

/** For each rule that inhibits it, the fingerprints that may. */
function looked(all: readonly HeldAlert[], target: HeldAlert, now: number): string[][] {
  const value = (a: HeldAlert, name: string) => labelValue(a.labels, name);
  const rules = [
    {
      source: (a: HeldAlert) => value(a, "severity") === "page",
      target: (a: HeldAlert) => value(a, "severity") === "warn",
      equal: ["site"],
    },
    {
      source: (a: HeldAlert) => value(a, "kind") === "power",
      target: (a: HeldAlert) => value(a, "site") !== "",
      equal: ["site", "room"],
    },
  ];
  return rules.flatMap((rule) => {
    if (!rule.target(target)) return [];
    const by = all.filter(
      (a) =>
        !isResolved(a, now) &&
        rule.source(a) &&
        rule.equal.every((name) => value(a, name) === value(target, name)) &&
        !(rule.source(target) && rule.target(a)),
    );
    return by.length === 0 ? [] : [by.map((a) => a.fingerprint)];
  });
}
