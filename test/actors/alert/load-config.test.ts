import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { loadAlertmanagerConfig, parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { ConfigError } from "../../../src/model/config.ts";
import { findPeer } from "../../support/find-program.ts";

const parse = (text: string) => parseAlertmanagerConfig("/etc/am.yml", text);
function problems(text: string): string[] {
  try {
    parse(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((p) => `${p.line}:${p.column}: ${p.message}`);
  }
}

describe("Alertmanager configuration", () => {
  it("fills in defaults and hands settings down the tree", () => {
    const { route, receivers, resolveTimeoutMs } = parse(`
global: {resolve_timeout: 1m, http_config: {authorization: {credentials: secret}}}
route:
  receiver: a
  group_by: [alertname]
  group_wait: 5s
  routes:
    - matchers: [severity="page", team=~"x|y"]
      receiver: b
      group_by: [...]
      continue: true
      routes: [{match: {z: "1"}, match_re: {a: ".*"}, repeat_interval: 1d}]
receivers:
  - name: a
    webhook_configs: [{url: "http://x/"}, {url: "http://y/", send_resolved: false, max_alerts: 3, timeout: 2s, http_config: {basic_auth: {username: u, password: p}}}]
  - {name: b}
`);
    expect(resolveTimeoutMs).toBe(60_000);
    expect(route).toMatchObject({
      key: "{}",
      receiver: "a",
      groupBy: ["alertname"],
      groupWaitMs: 5000,
      groupIntervalMs: 300_000,
      repeatIntervalMs: 14_400_000,
    });
    const [child] = route.routes;
    expect(child).toMatchObject({
      key: '{}/{severity="page",team=~"x|y"}',
      receiver: "b",
      groupByAll: true,
      continue: true,
      groupWaitMs: 5000,
    });
    expect(child?.routes[0]).toMatchObject({
      key: '{}/{severity="page",team=~"x|y"}/{a=~".*",z="1"}',
      receiver: "b",
      groupByAll: true,
      continue: false,
      repeatIntervalMs: 86_400_000,
    });
    expect(receivers[0]?.integrations).toMatchObject([
      {
        kind: "webhook",
        name: "webhook[0]",
        sendResolved: true,
        url: "http://x/",
        maxAlerts: 0,
        timeoutMs: 0,
        http: { headers: { authorization: "Bearer secret" }, followRedirects: true },
      },
      {
        kind: "webhook",
        name: "webhook[1]",
        sendResolved: false,
        url: "http://y/",
        maxAlerts: 3,
        timeoutMs: 2000,
        http: { headers: { authorization: `Basic ${btoa("u:p")}` }, followRedirects: true },
      },
    ]);
  });

  it("names the place of every mistake, all at once", () => {
    expect(
      problems(`
route:
  receivr: a
  matchers: [a=b]
  group_by: [a, a]
  group_interval: 0s
  routes:
    - receiver: nope
      matchers: ['a=~"("']
      mute_time_intervals: [never]
receivers:
  - name: a
    webhook_configs:
      - url: ftp://x
      - send_resolved: maybe
    slack_configs: [{channel: x, titl: y}]
    jira_configs: [{}]
  - name: a
    webhok_configs: []
time_intervals:
  - name: odd
    time_intervals: [{times: [{start_time: "25:00", end_time: "26:00"}], weekdays: [funday], location: Nowhere/No}]
`),
    ).toEqual([
      '3:3: unknown key "receivr" in the route, did you mean "receiver"?',
      "3:3: root route must specify a default receiver",
      "4:3: root route must not have any matchers",
      '5:17: duplicated label "a" in group_by',
      "6:19: group_interval cannot be zero",
      '8:17: undefined receiver "nope" used in route',
      expect.stringMatching(/^9:18: matcher: bad regular expression "\("/),
      '10:29: undefined time interval "never" used in route',
      '14:14: unsupported URL "ftp://x": it must begin with http:// or https://',
      "15:9: one of url or url_file must be configured",
      '15:24: send_resolved must be true or false, not "maybe"',
      "16:21: no global Slack API URL set either inline or in a file",
      '16:34: unknown key "titl" in the slack config, did you mean "title"?',
      expect.stringMatching(/^17:19: jira_configs is not supported; use webhook_configs with a payload/),
      '18:5: notification config name "a" is not unique',
      '19:5: unknown key "webhok_configs" in the receiver, did you mean "webhook_configs"?',
      expect.stringMatching(/^22:44: start_time: couldn't parse timestamp 25:00/),
      expect.stringMatching(/^22:63: end_time: couldn't parse/),
      "22:85: weekdays: funday is not a valid weekday",
      "22:104: unknown time zone Nowhere/No",
    ]);
  });

  it("needs a route", () => {
    expect(problems("receivers: [{name: a}]")).toEqual(["1:1: no routes provided"]);
    expect(problems("route: [")[0]).toMatch(/^1:/);
  });

  it("reads secrets from files beside it", () => {
    const folder = mkdtempSync(join(tmpdir(), "tocsin-am-"));
    writeFileSync(join(folder, "url"), "http://secret/\n");
    const file = join(folder, "am.yml");
    writeFileSync(file, "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url_file: url}]}]");
    expect(loadAlertmanagerConfig(file).receivers[0]?.integrations[0]).toMatchObject({ url: "http://secret/" });
    writeFileSync(file, "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url_file: nope}]}]");
    expect(() => loadAlertmanagerConfig(file)).toThrow(/am\.yml:2:52: cannot be read: ENOENT/);
  });

  it("the default configuration sends nothing", () => {
    const config = loadAlertmanagerConfig(resolve("config/alertmanager.yml"));
    expect(config.receivers.every((r) => r.integrations.length === 0)).toBe(true);
  });
});

// Alertmanager's own tool as the judge of what is a valid configuration.
const amtool = findPeer("0.33", "amtool");
describe.skipIf(amtool === undefined)(
  "against Alertmanager (needs amtool 0.33 or newer on PATH or in PEERS_BIN)",
  () => {
    const base = "receivers: [{name: a}, {name: b}]\n";
    // Alertmanager takes month 13; a month that never comes is a mistake here.
    const cases = [
      "route: {receiver: a}",
      "route: {}",
      "route: {receiver: c}",
      "route: {receiver: a, routes: [{receiver: c}]}",
      "route: {receiver: a, match: {x: y}}",
      "route: {receiver: a, routes: [{match: {x: y}}]}",
      "route: {receiver: a, continue: true}",
      "route: {receiver: a, group_by: ['...']}",
      "route: {receiver: a, group_by: ['...', x]}",
      "route: {receiver: a, group_by: [x, x]}",
      "route: {receiver: a, group_by: ['']}",
      "route: {receiver: a, group_wait: 0s}",
      "route: {receiver: a, group_wait: 5}",
      "route: {receiver: a, group_interval: 0s}",
      "route: {receiver: a, repeat_interval: 0s}",
      "route: {receiver: a, repeat_interval: 1d12h}",
      "route: {receiver: a, foo: b}",
      ...[
        "a=b",
        'a="b"',
        "a=~b.*",
        "a!~'x'",
        '{a="b",c!="d"}',
        "a",
        "=b",
        'a="b',
        "a=b c",
        "a=",
        'a=""',
        "a==b",
        '"a b"="c"',
        "a.b=c",
        "a=~(",
        'a="x\\"y"',
        "a=b,",
        ",a=b",
        "{a=b",
        'a=b,c="d,e"',
        "a = b",
        "a=b}",
        "{}",
        "",
        "ä=ö",
        "a=\\b",
        "a='b'",
        "a=~[a-z]+,b=c",
        "a=~a{2,3}",
      ].map((m) => `route: {receiver: a, routes: [{receiver: b, matchers: ['${m.replaceAll("'", "''")}']}]}`),
      "route: {receiver: a, routes: [{receiver: b, match_re: {x: '('}}]}",
      "route: {receiver: a, routes: [{receiver: b, active_time_intervals: [t]}]}\ntime_intervals: [{name: t, time_intervals: [{weekdays: ['monday:friday', saturday], months: ['1:3', 'may'], years: ['2020:2030'], days_of_month: ['-3:-1', '1:5']}]}]",
      ...[
        "times: [{start_time: '09:00', end_time: '17:00'}]",
        "times: [{start_time: '17:00', end_time: '09:00'}]",
        "times: [{start_time: '9:00', end_time: '17:00'}]",
        "times: [{start_time: '00:00', end_time: '24:00'}]",
        "weekdays: ['friday:monday']",
        "weekdays: ['Monday']",
        "days_of_month: ['0']",
        "days_of_month: ['32']",
        "days_of_month: ['-1:5']",
        "days_of_month: ['5:-1']",
        "days_of_month: ['10:5']",
        "days_of_month: ['31:-31']",
        "months: ['december:january']",
        "years: ['2030:2020']",
        "location: Europe/Berlin",
        "location: Mars/Base",
      ].map((t) => `route: {receiver: a}\ntime_intervals: [{name: t, time_intervals: [{${t}}]}]`),
      "route: {receiver: a}\ntime_intervals: [{name: t, time_intervals: []}, {name: t, time_intervals: []}]",
      "route: {receiver: a}\ninhibit_rules: [{source_matchers: [a=b], target_matchers: [c=d], equal: [x]}]",
      "route: {receiver: a}\ninhibit_rules: [{source_match: {a: b}, target_match_re: {c: d.*}, equal: [x]}]",
      "route: {receiver: a}\ninhibit_rules: [{source: [a=b]}]",
      "route: {receiver: a}\nfoo: bar",
      "route: {receiver: a}\nglobal: {resolve_timeout: 1m, smtp_from: x@y}",
      "route: {receiver: a}\nglobal: {resolve_timout: 1m}",
    ].map((text) => base + text);
    const receivers = [
      "{url: 'http://x'}",
      "{url: 'http://x', url_file: /x}",
      "{}",
      "{url: 'x'}",
      "{url: 'http://x', send_resolved: false, max_alerts: 3, timeout: 2s}",
      "{url: 'http://x', foo: 1}",
      "{url: 'http://x', http_config: {follow_redirects: false}}",
      "{url: 'http://x', http_config: {authorization: {type: Basic, credentials: x}}}",
      "{url: 'http://x', http_config: {authorization: {credentials: x}, basic_auth: {username: u}}}",
      "{url: 'http://x', http_config: {foo: bar}}",
    ].map((w) => `route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [${w}]}]`);

    it.each([
      ...cases,
      ...receivers,
      "route: {receiver: a}\nreceivers: [{name: a}, {name: a}]",
      "route: {receiver: ''}\nreceivers: [{name: ''}]",
    ])("%s", (text) => {
      const folder = mkdtempSync(join(tmpdir(), "tocsin-am-"));
      writeFileSync(join(folder, "am.yml"), text);
      const judged = spawnSync(amtool!, ["check-config", join(folder, "am.yml")], { encoding: "utf8" });
      const ours = problems(text);
      expect({ valid: ours.length === 0, because: ours }).toEqual({
        valid: judged.status === 0,
        because: judged.status === 0 ? [] : ours.length > 0 ? ours : [`Alertmanager: ${judged.stdout}`],
      });
    });
  },
);
