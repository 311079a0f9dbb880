import { describe, expect, it } from "vitest";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { shownConfig } from "../../../src/api/routes/alertmanager-config.ts";
import { ConfigError } from "../../../src/model/config.ts";

const HEAD = `receivers:
  - {name: a, webhook_configs: [{url: "http://x/"}]}
  - {name: b, webhook_configs: [{url: "http://y/"}]}
  - {name: quiet}
`;
const ROUTE = "route: {receiver: a, escalation: ops}\n";
const ROTATION = "{receivers: [a, b], start: 2026-01-05, handoff: '09:00', shift: 1w}";
const SCHEDULE = `schedules: [{name: s, time_zone: Europe/Berlin, rotations: [${ROTATION}]}]\n`;
const parse = (text: string) => parseAlertmanagerConfig("/etc/am.yml", HEAD + text);
function problems(text: string): string[] {
  try {
    parse(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((p) => `${p.file}:${p.line}: ${p.message}`);
  }
}

describe("escalations in the configuration", () => {
  it("fills in what is not said", () => {
    const { escalation, route } = parse(`${ROUTE}${SCHEDULE}escalations:
  - name: ops
    steps: [{notify: ["schedule:s"]}, {after: 10m, notify: [a, b]}]
`);
    expect(escalation.escalations.get("ops")).toEqual({
      name: "ops",
      steps: [
        { afterMs: 0, notify: [{ kind: "schedule", name: "s" }] },
        {
          afterMs: 600_000,
          notify: [
            { kind: "receiver", name: "a" },
            { kind: "receiver", name: "b" },
          ],
        },
      ],
      repeat: Number.POSITIVE_INFINITY,
      repeatAfterMs: 600_000,
      ackTimeoutMs: 0,
      repageOnNewAlerts: true,
    });
    expect(escalation.schedules.get("s")?.rotations).toEqual([
      { receivers: ["a", "b"], start: Date.UTC(2026, 0, 5, 9), end: undefined, shiftMs: 604_800_000, restrict: [] },
    ]);
    expect(route).toMatchObject({ escalation: "ops", receiver: "a", tellsReceiver: false });
  });

  it("hands an escalation down to routes that name no receiver, and lets both stand beside one another", () => {
    const { route } = parse(`route:
  receiver: a
  routes:
    - {escalation: ops, matchers: [x=1], routes: [{matchers: [y=1]}, {receiver: b, matchers: [z=1]}]}
    - {escalation: ops, receiver: b, matchers: [x=2]}
escalations: [{name: ops, steps: [{notify: [b]}]}]
`);
    const shown = [...route.routes, ...(route.routes[0]?.routes ?? [])].map((r) => [
      r.receiver,
      r.escalation,
      r.tellsReceiver,
    ]);
    expect(shown).toEqual([
      ["a", "ops", false],
      ["b", "ops", true],
      ["a", "ops", false],
      ["b", undefined, true],
    ]);
    expect(route).toMatchObject({ escalation: undefined, tellsReceiver: true });
  });

  it("is left out of what Alertmanager's clients are shown", () => {
    const shown = shownConfig(`${HEAD}route: {receiver: a, routes: [{escalation: ops, matchers: [x=1]}]}\n${SCHEDULE}`);
    expect(shown).toContain("matchers");
    expect(shown).not.toMatch(/escalation|schedules/);
  });

  it("reads restrictions and overrides in the zone of the schedule", () => {
    const { escalation } = parse(`route: {receiver: a}
schedules:
  - name: s
    time_zone: America/New_York
    rotations:
      - receivers: [a]
        start: 2026-01-05T09:00
        end: 2027-01-01
        shift: 12h
        restrict:
          - {weekdays: ["monday:wednesday", friday], times: [{start_time: "18:00", end_time: "08:00"}]}
          - {weekdays: [sunday]}
    overrides:
      - {start: "2026-07-04T12:00", end: "2026-07-05T00:00:00Z", receiver: b}
`);
    const schedule = escalation.schedules.get("s");
    expect(schedule?.rotations[0]).toMatchObject({
      end: Date.UTC(2027, 0, 1),
      restrict: [
        { weekdays: [1, 2, 3, 5], from: 1080, to: 480 },
        { weekdays: [0], from: 0, to: 0 },
      ],
    });
    expect(schedule?.overrides).toEqual([
      { start: Date.parse("2026-07-04T16:00Z"), end: Date.parse("2026-07-05T00:00Z"), receiver: "b" },
    ]);
  });

  it("names the place of every mistake", () => {
    expect(
      problems(`${ROUTE}schedules:
  - name: s
    time_zone: Mars/Olympus
    rotations:
      - {receivers: [nobody], start: 2026-02-30, shift: 5m}
      - {receivers: [quiet], start: 2026-01-05T08:00, handoff: "09:00", shift: 1d, end: 2026-01-01}
      - {}
    overrides:
      - {start: 2026-01-02, end: 2026-01-04, receiver: a}
      - {start: 2026-01-03, end: 2026-01-05, receiver: a}
      - {start: 2026-01-09, end: 2026-01-08, receiver: c}
  - {name: s, time_zone: UTC, rotations: [${ROTATION}]}
escalations:
  - name: opps
    repeat: often
    repeat_after: 0s
    steps:
      - {notify: ["schedule:t"]}
      - {notify: [x]}
      - {after: 5m}
  - {name: empty, steps: []}
  - {steps: [{notify: [a], afters: 5m}]}
acknowledgement: {link_expires: soon}
`),
    ).toEqual([
      '/etc/am.yml:5: undefined escalation "ops" used in route',
      '/etc/am.yml:8: unknown time zone "Mars/Olympus"',
      '/etc/am.yml:10: undefined receiver "nobody" used in schedule "s"',
      '/etc/am.yml:10: start: "2026-02-30" is no date as 2026-01-05 or 2026-01-05T09:00',
      "/etc/am.yml:10: a shift must be at least 1h long",
      '/etc/am.yml:11: receiver "quiet" used in schedule "s" has nothing to tell by',
      "/etc/am.yml:11: the rotation's start has a time of day: handoff must not stand beside it",
      "/etc/am.yml:11: the rotation's end must be after its start",
      "/etc/am.yml:12: the rotation has no receivers",
      "/etc/am.yml:12: the rotation has no start",
      "/etc/am.yml:12: the rotation has no shift",
      '/etc/am.yml:15: the override overlaps another one of schedule "s"',
      "/etc/am.yml:16: the override's end must be after its start",
      '/etc/am.yml:16: undefined receiver "c" used in schedule "s"',
      '/etc/am.yml:17: schedule "s" is not unique',
      "/etc/am.yml:20: repeat must be a whole number or until_acknowledged",
      "/etc/am.yml:21: repeat_after cannot be zero",
      '/etc/am.yml:23: undefined schedule "t" used in escalation "opps"',
      "/etc/am.yml:24: a step's after must be longer than that of the step before it",
      '/etc/am.yml:24: undefined receiver "x" used in escalation "opps"',
      "/etc/am.yml:25: the step notifies nobody",
      '/etc/am.yml:26: escalation "empty" has no steps',
      "/etc/am.yml:27: missing name in escalation",
      '/etc/am.yml:27: unknown key "afters" in the step, did you mean "after"?',
      '/etc/am.yml:28: link_expires: not a valid duration string: "soon"',
    ]);
  });
});
