import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { loadAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { makeAttempt } from "../../../src/actors/notify/make-attempt.ts";
import type { Notification } from "../../../src/actors/notify/webhook-payload.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { findPeer } from "../../support/find-program.ts";
import { freePort } from "../../support/free-port.ts";
import type { WebhookBody } from "../alert/fixtures.ts";
import { type Got, providerServer, readMail, type SmtpServer, smtpServer } from "./provider-server.ts";

// The real Alertmanager notifies every kind of receiver; ours is given the same groups (as the webhook tells them) and the
// same configuration. What the providers get must be the same.
const peer = findPeer("0.33", "alertmanager", "prometheus-alertmanager");

const TEMPLATES = `{{ define "my.text" }}
{{ range .Alerts }}{{ .Labels.alertname | toLower | title }} {{ .StartsAt.Format "2006-01-02 15:04:05 MST" }}
{{ .StartsAt | tz "UTC" | date "Mon, 02 Jan 2006 15:04 -0700" }} {{ .Labels }} {{ .Annotations.SortedPairs }}
{{ end }}{{ .CommonLabels.Names | join "," }} {{ (index .Alerts 0).Fingerprint }} {{ len .Alerts.Firing }} {{ .Receiver }}
{{ if match "^Fi.*" .GroupLabels.alertname }}{{ reReplaceAll "(F)(.)" "$2$1" .GroupLabels.alertname }}{{ end }}
{{ .CommonAnnotations.missing }}|{{ humanizeDuration 3725 }}|{{ toJson .CommonLabels }}|{{ stringSlice "a" "b" | join "+" }}
{{ " x " | trimSpace }}{{ urlUnescape "a%20b+c" }} {{ .ExternalURL }} {{ .Status | toUpper | printf "%-10s|" }} {{ .NotificationReason }}
{{ with .CommonLabels.Remove (stringSlice "alertname") }}{{ range .SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}{{ end }}
{{- end }}
{{ define "slack.default.footer" }}overridden{{ end }}
{{ define "my.html" }}<p title="{{ .CommonAnnotations.odd }}" class='x{{ .CommonAnnotations.odd }}'>{{ .CommonAnnotations.odd }}
{{ .CommonAnnotations.odd | safeHtml }}<a href="{{ (index .Alerts 0).GeneratorURL }}">g</a>
<a href="/x?q={{ .CommonAnnotations.odd }}">q</a><a href="{{ .CommonAnnotations.script }}">s</a>{{ range .Alerts }}{{ .Labels.alertname }}<br>{{ end }}</p>{{ end }}
`;

const config = (url: string, smtp: number) => `
global:
  slack_api_url: ${url}/slack
  pagerduty_url: ${url}/pagerduty
  opsgenie_api_url: ${url}/opsgenie
  opsgenie_api_key: og-key
  victorops_api_url: ${url}/victorops/
  victorops_api_key: vo-key
  telegram_api_url: ${url}/telegram
  smtp_smarthost: 127.0.0.1:${smtp}
  smtp_from: Tocsin <from@x.test>
  smtp_require_tls: false
  smtp_hello: hello.test
templates: ["*.tmpl"]
route: {receiver: a.b, group_by: [alertname], group_wait: 200ms, group_interval: 1s, repeat_interval: 1h}
receivers:
  - name: a.b
    webhook_configs:
      - {url: "${url}/plain"}
      - url: "${url}/templated/{{ .GroupLabels.alertname }}"
        payload:
          text: '{{ template "my.text" . }}'
          status: "{{ .Status }}"
          count: "{{ len .Alerts }}"
          alerts: "{{ toJson .Alerts }}"
          nested: {list: ["{{ .Status }}", 1, true, null], "{{ .Status }}": "on"}
    slack_configs:
      - {channel: "#a", send_resolved: true}
      - api_url: ${url}/slack2
        send_resolved: true
        channel: "#{{ .GroupLabels.alertname }}"
        text: '{{ template "my.text" . }}'
        message_text: plain {{ .Status }}
        title: "${"long ".repeat(300)}"
        short_fields: true
        link_names: true
        fields: [{title: t, value: "{{ .Status }}"}, {title: u, value: v, short: false}]
        actions: [{type: button, text: open, url: "{{ .ExternalURL }}", style: primary}, {type: button, text: do, name: n, value: v, confirm: {text: sure, title: "{{ .Status }}"}}]
    pagerduty_configs:
      - {routing_key: pd-key}
      - routing_key: pd-key2
        severity: '{{ if eq .Status "firing" }}critical{{ else }}info{{ end }}'
        class: c
        component: "{{ .GroupLabels.alertname }}"
        group: g
        source: s
        details: {firing: only, list: ["{{ .Status }}", 2], json: "{{ toJson .GroupLabels }}"}
        images: [{src: "http://i/", alt: a, href: "http://h/"}, {src: ""}]
        links: [{href: "http://l/", text: "{{ .Status }}"}]
        description: "${"d".repeat(2000)}"
    opsgenie_configs:
      - {}
      - api_key: own
        responders: [{name: "a,b", type: teams}, {username: u, type: user}, {name: "{{ .CommonLabels.missing }}", type: "{{ .CommonLabels.missing }}"}]
        tags: "x,{{ .Status }},,y"
        note: note
        priority: P1
        entity: e
        actions: "one,two"
        details: {k: "{{ .Status }}"}
        update_alerts: true
        message: "${"m".repeat(200)}"
    victorops_configs:
      - {routing_key: team}
      - {routing_key: "t{{ .GroupLabels.alertname }}", message_type: "{{ .CommonLabels.severity }}", custom_fields: {extra: "{{ .Status }}"}}
    telegram_configs:
      - {bot_token: "1:t", chat_id: -12345}
      - {bot_token: "1:t", chat_id: 5, parse_mode: "", message: '{{ template "my.text" . }}', disable_notifications: true, message_thread_id: 7}
      - {bot_token: "1:t", chat_id: 6, message: '{{ template "my.html" . }}'}
    discord_configs:
      - {webhook_url: "${url}/discord"}
      - {webhook_url: "${url}/discord2", username: bot, avatar_url: "http://a/", content: "{{ .Status }}", title: "${"t".repeat(300)}"}
    msteams_configs: [{webhook_url: "${url}/msteams"}]
    msteamsv2_configs: [{webhook_url: "${url}/msteamsv2"}]
    email_configs:
      - to: "a@x.test, B <b@x.test>"
        send_resolved: true
        html: '{{ template "my.html" . }}'
        text: '{{ template "my.text" . }}'
        headers: {X-Own: "{{ .Status }} ü", Reply-To: r@x.test}
        threading: {enabled: true, thread_by_date: none}
      - {to: c@x.test, send_resolved: true, headers: {subject: "Ärger {{ .Status }}"}}
`;

/** Requests by path, without what differs by nature. */
function comparable(got: readonly Got[]): Record<string, unknown[]> {
  const out: Record<string, unknown[]> = {};
  for (const { method, path, query, headers, json, text } of got) {
    out[path] ??= [];
    const { "content-type": type, authorization = "" } = headers;
    out[path].push({
      method,
      query,
      type,
      authorization,
      body: path.startsWith("/telegram") ? texts(json) : Object.keys(json).length > 0 ? json : text,
    });
  }
  for (const list of Object.values(out)) list.sort(byText);
  return Object.fromEntries(Object.entries(out).sort());
}

/** Orders what arrived in any order; keys may be in any order too. */
function byText(a: unknown, b: unknown): number {
  const text = (x: unknown) =>
    JSON.stringify(x, (_, v: unknown) =>
      typeof v === "object" && v !== null && !Array.isArray(v)
        ? Object.fromEntries(Object.entries(v).sort(([k], [l]) => (k < l ? -1 : 1)))
        : v,
    );
  return text(a) < text(b) ? -1 : 1;
}

/** Telegram takes numbers and booleans as texts as well: Alertmanager sends them so. */
function texts(json: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(json).map(([k, v]) => [k, String(v)]));
}

function comparableMails(smtp: SmtpServer): unknown[] {
  return smtp.mails
    .map(({ from, to, hello, raw }) => {
      const { headers, parts } = readMail(raw);
      const {
        date: _,
        "message-id": id,
        "mime-version": __,
        "content-type": ___,
        "content-transfer-encoding": ____,
        ...rest
      } = headers;
      expect(id).toMatch(/^<.+@.+>$/);
      // The default HTML is our own: its texts are compared in another test.
      const html = parts["text/html"]?.startsWith("<p") ? parts["text/html"] : "";
      return { from, to, hello, headers: rest, html, text: parts["text/plain"] };
    })
    .sort(byText);
}

const answer = (got: Got) => {
  if (got.path.startsWith("/telegram"))
    return { body: { ok: true, result: { message_id: 1, date: 1, chat: { id: 1, type: "private" } } } };
  return got.path.startsWith("/opsgenie") || got.path.startsWith("/pagerduty") ? { status: 202 } : undefined;
};

const KINDS = ["plain", "templated", "slack", "slack2", "discord", "discord2", "msteams", "msteamsv2"];

describe.skipIf(peer === undefined)("beside Alertmanager (needs 0.33 or newer on PATH or in PEERS_BIN)", () => {
  it("tells every provider the same", { timeout: 120_000 }, async () => {
    const [theirs, ours] = await Promise.all([providerServer(answer), providerServer(answer)]);
    const [theirSmtp, ourSmtp] = await Promise.all([smtpServer(), smtpServer()]);
    const folder = mkdtempSync(join(tmpdir(), "tocsin-peer-"));
    writeFileSync(join(folder, "own.tmpl"), TEMPLATES);
    writeFileSync(join(folder, "theirs.yml"), config(theirs.url, theirSmtp.port));
    writeFileSync(join(folder, "ours.yml"), config(ours.url, ourSmtp.port));
    const port = await freePort();
    const [command, ...args] = commandOf(peer!);
    const child = spawn(
      command,
      [
        ...args,
        `--config.file=${join(folder, "theirs.yml")}`,
        `--storage.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--web.external-url=http://tocsin",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    let log = "";
    child.stderr.on("data", (part) => {
      log += part;
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    while (
      !(await fetch(`http://127.0.0.1:${port}/-/ready`).then(
        (r) => r.ok,
        () => false,
      ))
    ) {
      expect(child.exitCode, log).toBe(null);
      await sleep(50);
    }
    const begin = Date.now() - 5000;
    const alert = (labels: Record<string, string>, ends = 3_600_000) => ({
      labels: { alertname: "Fire", severity: "WARNING", ...labels },
      annotations: { summary: "it burns", odd: "a <b> & \"c\" 'd' +1/ü", script: "javascript:alert(1)" },
      startsAt: new Date(begin).toISOString(),
      endsAt: new Date(begin + ends).toISOString(),
      generatorURL: "http://prometheus/graph?g0.expr=up == 0&g0.tab=1",
    });
    const post = async (...alerts: unknown[]) => {
      const response = await fetch(`http://127.0.0.1:${port}/api/v2/alerts`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(alerts),
      });
      expect(response.status).toBe(200);
    };
    const plain = () => theirs.got.filter((g) => g.path === "/plain");
    const told = async (count: number) => {
      for (let i = 0; i < 200 && plain().length < count; i++) await sleep(50);
      await sleep(700); // the other receivers
    };
    await post(alert({ instance: "1" }), alert({ instance: "2", zone: "ü" }));
    await told(1);
    await post(alert({ instance: "1" }, 4900), alert({ instance: "2", zone: "ü" }, 4900));
    await told(2);
    expect(plain(), log).toHaveLength(2);

    const { receivers } = loadAlertmanagerConfig(join(folder, "ours.yml"));
    for (const got of plain()) {
      const n = notificationOf(got.json as unknown as WebhookBody);
      for (const integration of receivers[0]?.integrations ?? []) {
        const attempt = await makeAttempt(integration, n, "Tocsin/test")(new AbortController().signal);
        expect(attempt, integration.name).toEqual({ ok: true });
      }
    }
    const [a, b] = [comparable(ours.got), comparable(theirs.got)];
    expect(Object.keys(a)).toEqual(Object.keys(b));
    for (const path of Object.keys(b)) expect.soft(a[path], path).toEqual(b[path]);
    expect(comparableMails(ourSmtp)).toEqual(comparableMails(theirSmtp));
    for (const kind of KINDS)
      expect(
        Object.keys(b).filter((path) => path.startsWith(`/${kind}`)),
        kind,
      ).not.toEqual([]);
    await Promise.all([theirs.close(), ours.close(), theirSmtp.close(), ourSmtp.close()]);
  });
});

/** The group as Alertmanager told it. */
function notificationOf(body: WebhookBody): Notification {
  const time = (text: string) => (text.startsWith("0001") ? 0 : Date.parse(text));
  return {
    key: "k",
    receiver: body.receiver.replaceAll("\\", ""),
    groupKey: body.groupKey,
    groupLabels: labelsFromObject(body.groupLabels),
    externalUrl: body.externalURL,
    reason: body.notification_reason,
    alerts: body.alerts.map((a) => ({
      fingerprint: a.fingerprint,
      labels: labelsFromObject(a.labels),
      annotations: a.annotations,
      startsAt: time(a.startsAt),
      endsAt: a.status === "firing" ? 0 : time(a.endsAt),
      generatorUrl: a.generatorURL,
    })),
  };
}

/** Debian's Alertmanager wants its templates in /usr/share; unpacked elsewhere it gets them in a mount namespace of its own. */
function commandOf(binary: string): [string, ...string[]] {
  const wanted = "/usr/share/prometheus/alertmanager";
  const unpacked = join(dirname(realpathSync(binary)), "../share/prometheus/alertmanager");
  if (existsSync(wanted) || !existsSync(unpacked)) return [binary];
  const script = `mount -t tmpfs none /usr/share && mkdir -p ${dirname(wanted)} && ln -s "$0" ${wanted} && exec "$@"`;
  return ["unshare", "-rm", "sh", "-c", script, unpacked, binary];
}
