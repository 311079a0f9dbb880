import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { describe, expect, it, onTestFinished } from "vitest";
import { makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import { labelsToObject } from "../../../src/model/labels.ts";
import { findPeer } from "../../support/find-program.ts";
import { startAlertmanager } from "./alertmanager-process.ts";
import { freshFolder, posted, type WebhookServer, webhookServer } from "./fixtures.ts";

// The same alerts at the same moments to the real Alertmanager and to ours: every notification must be the same, in the
// same order within each group. In real time, since the peer has no other.
const peer = findPeer("0.33", "alertmanager", "prometheus-alertmanager");

const config = (url: string) => `
route:
  receiver: web
  group_by: [alertname]
  group_wait: 300ms
  group_interval: 1s
  repeat_interval: 2500ms
  routes:
    - matchers: [team="x"]
      receiver: quiet
      continue: true
    - matchers: [severity=~"page|ticket"]
      receiver: limited
      group_by: ["..."]
      group_wait: 0s
    - matchers: [muted="yes"]
      receiver: web
      mute_time_intervals: [always]
inhibit_rules:
  - source_matchers: [severity="page"]
    target_matchers: [severity="ticket"]
    equal: [host]
time_intervals:
  - name: always
    time_intervals: [{weekdays: ["sunday:saturday"]}]
receivers:
  - name: web
    webhook_configs: [{url: "${url}/web"}, {url: "${url}/web2", max_alerts: 1}]
  - name: quiet
    webhook_configs: [{url: "${url}/quiet", send_resolved: false}]
  - name: limited
    webhook_configs: [{url: "${url}/limited"}]
`;

/** Every notification without what differs by nature: its moment, and the sender's own address. */
function normalized(hook: WebhookServer, since: number): Record<string, unknown[]> {
  const out: Record<string, unknown[]> = {};
  for (const { path, body } of hook.received) {
    const alerts = body.alerts.map((a) => ({
      ...a,
      // Alertmanager sees ends a little later or earlier than we do only where it sets them itself.
      startsAt: Math.round((Date.parse(a.startsAt) - since) / 1000),
      endsAt: a.endsAt.startsWith("0001") ? "none" : Math.round((Date.parse(a.endsAt) - since) / 1000),
    }));
    const key = `${path} ${body.groupKey}`;
    out[key] ??= [];
    out[key].push({ ...body, alerts, externalURL: "" });
  }
  return Object.fromEntries(Object.entries(out).sort());
}

describe.skipIf(peer === undefined)("beside Alertmanager (needs 0.33 or newer on PATH or in PEERS_BIN)", () => {
  it("tells the same", { timeout: 300_000 }, async () => {
    const [theirs, ours] = await Promise.all([webhookServer(), webhookServer()]);
    const folder = freshFolder();
    const process = await startAlertmanager(peer!, folder, config(theirs.url));
    onTestFinished(process.kill);
    const manager = makeAlertManager({
      config: parseAlertmanagerConfig("am.yml", config(ours.url)),
      dataDir: join(folder, "ours"),
      publish: () => Promise.resolve(),
      externalUrl: "http://tocsin",
      userAgent: "Tocsin/test",
      onDeath: () => {},
    });
    const fiber = Effect.runFork(Effect.scoped(manager.run));
    try {
      const since = Date.now();
      const send = async (...alerts: PostedAlert[]) => {
        manager.receive(alerts);
        const response = await fetch(`${process.url}/api/v2/alerts`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(alerts.map(wire)),
        });
        expect(response.status).toBe(200);
      };
      const far = since + 3_600_000;
      const at = async (ms: number) => sleep(Math.max(0, since + ms - Date.now()));
      const alert = (labels: Record<string, string>, endsAt = far) => posted(labels, { startsAt: since, endsAt });
      const a = { alertname: "A", job: "b", instance: "1" };
      await send(
        alert(a),
        alert({ alertname: "A", job: "a", instance: "2" }),
        alert({ alertname: "A", zone: "z" }),
        alert({ alertname: "A", team: "x", extra: "long" }),
        alert({ alertname: "P", severity: "page", host: "h" }),
        alert({ alertname: "T", severity: "ticket", host: "h" }),
        alert({ alertname: "T", severity: "ticket", host: "i" }),
        alert({ alertname: "M", muted: "yes" }),
      );
      await at(800); // after the first flush of each group
      await send(alert({ alertname: "A", job: "c" }), alert({ alertname: "Short", team: "x" }, since + 850));
      await at(1800);
      await send(alert(a, since + 1700), alert({ alertname: "P", severity: "page", host: "h" }, since + 1700));
      await at(3800);
      await send(alert({ alertname: "A", team: "x", extra: "long" }, since + 3700));
      await at(5800);
      for (const job of ["a", "b", "c"]) {
        await send(
          alert(
            {
              alertname: "A",
              job,
              ...(job === "a" ? { instance: "2" } : {}),
              ...(job === "b" ? { instance: "1" } : {}),
            },
            since + 5700,
          ),
        );
      }
      await send(alert({ alertname: "A", zone: "z" }, since + 5700));
      await at(8800);
      expect(normalized(ours, since)).toEqual(normalized(theirs, since));
      expect(ours.received.length).toBeGreaterThan(15);
    } finally {
      await Effect.runPromise(Fiber.interrupt(fiber));
      await Promise.all([theirs.close(), ours.close()]);
    }
  });
});

function wire(alert: PostedAlert): unknown {
  return {
    labels: labelsToObject(alert.labels),
    annotations: alert.annotations,
    startsAt: new Date(alert.startsAt as number).toISOString(),
    endsAt: new Date(alert.endsAt as number).toISOString(),
    generatorURL: alert.generatorUrl,
  };
}
