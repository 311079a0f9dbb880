import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { ConfigError } from "../../../src/model/config.ts";
import { findPeer } from "../../support/find-program.ts";

// Alertmanager's own tool says which keys each section has: every one of them is a key of Tocsin's too, or an error that names it.

const amtool = findPeer("0.33", "amtool");
/** The names of all keys of all sections, from the tags in the program itself. */
const allKeys = (program: string): string[] => [
  ...new Set([...readFileSync(program, "latin1").matchAll(/yaml:"([a-z_0-9]+)/g)].map((m) => m[1] as string)),
];

const RECEIVER = "route: { receiver: a }\nreceivers:\n- name: a\n";
const integration = (kind: string) => `${RECEIVER}  ${kind}_configs:\n  -\n@    `;
const inside = (kind: string, path: string, list = false) =>
  `${RECEIVER}  ${kind}_configs:\n  - ${path}:\n${list ? "      -\n" : ""}@        `;
const KINDS = "webhook email pagerduty opsgenie slack victorops pushover telegram discord msteams msteamsv2".split(" ");
/** A section's file; the keys stand in place of `@`, each behind the blanks that follow it. */
const SECTIONS: Readonly<Record<string, string>> = {
  root: "route: { receiver: a }\nreceivers: [{ name: a }]\n@",
  global: `${RECEIVER}global:\n@  `,
  route: "receivers: [{ name: a }]\nroute:\n  receiver: a\n@  ",
  "a route below": "receivers: [{ name: a }]\nroute:\n  receiver: a\n  routes:\n  -\n@    ",
  receiver: "route: { receiver: a }\nreceivers:\n- name: a\n@  ",
  inhibit_rules: `${RECEIVER}inhibit_rules:\n-\n@  `,
  time_intervals: `${RECEIVER}time_intervals:\n- name: t\n@  `,
  "a time interval": `${RECEIVER}time_intervals:\n- name: t\n  time_intervals:\n  -\n@    `,
  "its times": `${RECEIVER}time_intervals:\n- name: t\n  time_intervals:\n  - times:\n    -\n@      `,
  ...Object.fromEntries(KINDS.map((kind) => [`${kind}_configs`, integration(kind)])),
  "slack fields": inside("slack", "fields", true),
  "slack actions": inside("slack", "actions", true),
  "pagerduty images": inside("pagerduty", "images", true),
  "pagerduty links": inside("pagerduty", "links", true),
  "opsgenie responders": inside("opsgenie", "responders", true),
  "email threading": inside("email", "threading"),
  "email tls_config": inside("email", "tls_config"),
  http_config: inside("webhook", "http_config"),
  ...Object.fromEntries(
    ["basic_auth", "authorization", "oauth2", "tls_config"].map((key) => [
      key,
      `${RECEIVER}  webhook_configs:\n  - http_config:\n      ${key}:\n@        `,
    ]),
  ),
};

function fill(section: string, keys: readonly string[]): string {
  const [head = "", indent = ""] = section.split("@");
  const taken = new Set([...head.split("\n").slice(-2)].flatMap((l) => /^[\s-]*(\w+):/.exec(l)?.[1] ?? []));
  const top = section.startsWith("route: { receiver: a }\nreceivers: [") ? ["route", "receivers"] : [];
  const given = section.includes("\n  receiver: a\n@") ? ["receiver"] : [];
  const free = keys.filter(
    (k) => !(top.includes(k) || given.includes(k) || (indent === "  " && taken.has(k) && k === "name")),
  );
  return `${head}${free.map((k) => `${indent}${k}: ~\n`).join("")}`;
}

function problemsOf(text: string): string {
  try {
    parseAlertmanagerConfig("/etc/am.yml", text);
    return "";
  } catch (e) {
    if (!(e instanceof ConfigError)) throw e;
    return e.message;
  }
}

describe.skipIf(amtool === undefined)("keys of Alertmanager's schema (needs amtool 0.33 or newer)", () => {
  const keys = amtool === undefined ? [] : allKeys(amtool);
  const dir = mkdtempSync(join(tmpdir(), "am-schema-"));

  it.each(Object.entries(SECTIONS))("%s", (name, section) => {
    const text = fill(section, keys);
    const file = join(dir, "am.yml");
    writeFileSync(file, text);
    const { stdout, stderr } = spawnSync(amtool as string, ["check-config", file], { encoding: "utf8" });
    const refused = new Set([...`${stdout}${stderr}`.matchAll(/field (\S+) not found/g)].map((m) => m[1]));
    // It looked at the section: it knows some of the keys, and not those of others.
    expect(refused.size, stdout + stderr).toBeGreaterThan(100);
    const known = keys.filter((k) => !refused.has(k));
    expect(known.length).toBeGreaterThan(0);
    const unknown = new Set([...problemsOf(text).matchAll(/unknown key "([^"]+)"/g)].map((m) => m[1] as string));
    expect(unknown.size).toBeGreaterThan(100);
    expect(
      known.filter((k) => unknown.has(k) && text.includes(`${k}: ~`)),
      `of ${name}`,
    ).toEqual([]);
  });

  it("that have no counterpart are errors that name them", () => {
    for (const kind of ["incidentio", "jira", "mattermost", "rocketchat", "sns", "webex", "wechat"]) {
      expect(keys).toContain(`${kind}_configs`);
      expect(problemsOf(`${RECEIVER}  ${kind}_configs: [{}]\n`)).toContain(
        `/etc/am.yml:4:17: ${kind}_configs is not supp`.replace("17", String(kind.length + 13)),
      );
    }
    const slack = `${RECEIVER}  slack_configs: [{ api_url: "http://s", update_message: true }]\n`;
    expect(problemsOf(slack)).toMatch(/am\.yml:4:\d+: update_message is not supported/);
    const proxy = `${RECEIVER}  webhook_configs: [{ url: "http://s", http_config: { proxy_connect_header: { a: [b] } } }]\n`;
    expect(problemsOf(proxy)).toMatch(/am\.yml:4:\d+: proxy_connect_header is not supported/);
    rmSync(dir, { recursive: true, force: true });
  });
});
