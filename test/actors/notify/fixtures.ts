import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Integration } from "../../../src/actors/alert/integration-config.ts";
import { loadAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import type { Attempt } from "../../../src/actors/notify/attempt.ts";
import { makeAttempt } from "../../../src/actors/notify/make-attempt.ts";
import type { Notification, ToldAlert } from "../../../src/actors/notify/webhook-payload.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";

/** The integrations of one receiver whose sections are given as YAML; `files` stand beside the configuration. */
export function integrations(
  sections: string,
  global = "{}",
  files: Readonly<Record<string, string>> = {},
): readonly Integration[] {
  const folder = mkdtempSync(join(tmpdir(), "tocsin-notify-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const templates = Object.keys(files).some((name) => name.endsWith(".tmpl")) ? 'templates: ["*.tmpl"]\n' : "";
  const file = join(folder, "am.yml");
  writeFileSync(
    file,
    `global: ${global}\n${templates}route: {receiver: r}\nreceivers:\n  - name: r\n    ${sections}\n`,
  );
  return loadAlertmanagerConfig(file).receivers[0]?.integrations ?? [];
}

export function integration(...args: Parameters<typeof integrations>): Integration {
  const [first] = integrations(...args);
  if (first === undefined) throw new Error("no integration in the sections");
  return first;
}

export const NOW = Date.parse("2026-03-01T12:00:00Z");

export function told(labels: Record<string, string>, over: Partial<ToldAlert> = {}): ToldAlert {
  return {
    fingerprint: "0123456789abcdef",
    labels: labelsFromObject(labels),
    annotations: { summary: "it burns" },
    startsAt: NOW - 60_000,
    endsAt: 0,
    generatorUrl: "http://prometheus/graph?g0.expr=up",
    ...over,
  };
}

export function notification(over: Partial<Notification> = {}): Notification {
  return {
    key: "k1",
    receiver: "r",
    groupKey: '{}:{alertname="Fire"}',
    groupLabels: labelsFromObject({ alertname: "Fire" }),
    externalUrl: "http://tocsin",
    alerts: [told({ alertname: "Fire", severity: "page" })],
    reason: "first notification",
    ...over,
  };
}

export const RESOLVED: Partial<Notification> = {
  alerts: [told({ alertname: "Fire", severity: "page" }, { endsAt: NOW - 1000 })],
};

export function send(config: Integration, n: Notification = notification()): Promise<Attempt> {
  return makeAttempt(config, n, "Tocsin/test", NOW)(new AbortController().signal);
}
