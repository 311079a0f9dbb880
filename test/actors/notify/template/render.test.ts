import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultTemplates } from "../../../../src/actors/notify/template/default-templates.ts";
import { makeRenderer } from "../../../../src/actors/notify/template/render.ts";
import { formatGoTime } from "../../../../src/lib/gotemplate/go-layout.ts";
import { NOW, notification, RESOLVED, told } from "../fixtures.ts";

const render = (over = {}) => makeRenderer(notification(over), defaultTemplates(), NOW);
const text = (template: string, over = {}) => render(over).text(template);

describe("templates of notifications", () => {
  it.each([
    ["{{ .Alerts | len }} {{ len .Alerts.Firing }} {{ len .Alerts.Resolved }}", "1 1 0"],
    ["{{ (index .Alerts 0).Labels.severity }} {{ .CommonLabels.none }}|", "page |"],
    ["{{ .CommonLabels }} {{ .CommonLabels.SortedPairs.Names }}", "alertname=Fire, severity=page [alertname severity]"],
    ['{{ (.CommonLabels.Remove (stringSlice "severity")).Values | join "," }}', "Fire"],
    ["{{ range $k, $v := .CommonLabels }}{{ $k }}={{ $v }};{{ end }}", "alertname=Fire;severity=page;"],
    [
      '{{ (index .Alerts 0).StartsAt | tz "Europe/Berlin" | date "Mon 2.1.2006 15:04 -07:00" }}',
      "Sun 1.3.2026 12:59 +01:00",
    ],
    ["{{ (index .Alerts 0).StartsAt }} {{ (index .Alerts 0).EndsAt.IsZero }}", "2026-03-01 11:59:00 +0000 UTC true"],
    ["{{ toJson .GroupLabels }} {{ toJson .Alerts.Resolved }}", '{"alertname":"Fire"} []'],
    ['{{ title .GroupLabels.alertname | toLower }}{{ trimSpace "  x " }}', "firex"],
    ['{{ urlUnescape "a%2Fb+c" }}', "a/b c"],
    ['{{ define "x" }}<{{ . }}>{{ end }}{{ template "x" .Status }}', "<firing>"],
    ['{{ template "none" . }}', expect.stringContaining('template "none" not defined')],
    ["{{ .Nope }}", expect.stringContaining("can't evaluate field Nope")],
    ['{{ tz "Mars/Base" (index .Alerts 0).StartsAt }}', expect.stringContaining("unknown time zone Mars/Base")],
  ])("%s", (template, wanted) => {
    expect(text(template)).toEqual(wanted);
  });

  it("has Alertmanager's names with its outputs", () => {
    expect(text('{{ template "__subject" . }}')).toBe("[FIRING:1] Fire (page)");
    expect(text('{{ template "__subject" . }}', RESOLVED)).toBe("[RESOLVED] Fire (page)");
    expect(text('{{ template "opsgenie.default.description" . }}')).toBe(
      "it burns\nAlerts Firing:\nLabels:\n - alertname = Fire\n - severity = page\nAnnotations:\n - summary = it burns\nSource: http://prometheus/graph?g0.expr=up\n\n",
    );
  });

  it("escapes by place in HTML", () => {
    const odd = {
      alerts: [told({ alertname: "Fire" }, { annotations: { x: `"><script>'&`, js: "javascript:x", safe: "<b>" } })],
    };
    const html = (template: string) => render(odd).html(template);
    const escaped = "&#34;&gt;&lt;script&gt;&#39;&amp;";
    expect(html("<p>{{ .CommonAnnotations.x }}</p>")).toBe(`<p>${escaped}</p>`);
    expect(html('<p title="{{ .CommonAnnotations.x }}">')).toBe(`<p title="${escaped}">`);
    expect(html('<a href="{{ .CommonAnnotations.js }}">')).toBe('<a href="#ZgotmplZ">');
    expect(html('<a href="/?q={{ .CommonAnnotations.x }}">')).toBe('<a href="/?q=%22%3e%3cscript%3e%27%26">');
    expect(html("{{ .CommonAnnotations.safe | safeHtml }}{{ .CommonAnnotations.safe }}")).toBe("<b>&lt;b&gt;");
    expect(html("<script>var a = {{ .CommonAnnotations.x }};</script>{{ .CommonAnnotations.safe }}")).toBe(
      `<script>var a = "\\"\\u003e\\u003cscript\\u003e'\\u0026";</script>&lt;b&gt;`,
    );
    expect(html("{{ index .Alerts 7 }}")).toMatch(/^&lt;error expanding template/);
  });

  it("no value gets out of where it stands", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (x) => {
        const r = render({ alerts: [told({ alertname: "Fire" }, { annotations: { x } })] });
        const html = r.html(
          `<a href="{{ .CommonAnnotations.x }}" title='{{ .CommonAnnotations.x }}'>{{ .CommonAnnotations.x }}</a>`,
        );
        expect(html).toMatch(/^<a href="[^"<>']*" title='[^"<>']*'>[^"<>']*<\/a>$/);
      }),
    );
  });
});

describe("Go's layouts", () => {
  const at = Date.parse("2026-02-03T04:05:06.078Z");
  it.each([
    ["2006-01-02T15:04:05.000Z07:00", "UTC", "2026-02-03T04:05:06.078Z"],
    ["2006-01-02T15:04:05.999999Z07:00", "Asia/Kolkata", "2026-02-03T09:35:06.078+05:30"],
    ["Monday, January _2 2006 3:04PM MST", "UTC", "Tuesday, February  3 2026 4:05AM UTC"],
    ["Mon Jan 2 06 03:4:5 pm -0700", "America/New_York", "Mon Feb 2 26 11:5:6 pm -0500"],
    ["002 05.00", "UTC", "034 06.07"],
  ])("%s in %s", (layout, zone, wanted) => {
    expect(formatGoTime(layout, at, zone)).toBe(wanted);
  });
});
