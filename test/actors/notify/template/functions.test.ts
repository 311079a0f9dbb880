import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { defaultTemplates } from "../../../../src/actors/notify/template/default-templates.ts";
import { makeRenderer } from "../../../../src/actors/notify/template/render.ts";
import { NOTIFICATION_FUNCTION_NAMES } from "../../../../src/actors/notify/template/template-functions.ts";
import { findPeer } from "../../../support/find-program.ts";
import { NOW, notification, told } from "../fixtures.ts";

const STARTS = "2026-03-01T10:20:30.456Z";
const [first, second] = ["(index .Alerts 0)", "(index .Alerts 1)"];
const span = `(${second}.EndsAt.Sub ${second}.StartsAt)`;

// Every function of Alertmanager's reference, and Go's methods of times and durations, with what Alertmanager makes of them.
const TABLE: readonly (readonly [string, string])[] = [
  ['{{ toUpper "straße" }} {{ toLower "ÀB" }}', "STRAßE àb"],
  ['{{ title "hello wOrld it\'s foo-bar baz_qux 3com" }}', "Hello World It's Foo-Bar Baz_qux 3Com"],
  ['{{ trimSpace "  a\t" }}|', "a|"],
  ['{{ join "," (stringSlice "a" "b") }} {{ stringSlice "x" | join "-" }}', "a,b x"],
  ['{{ match "^a.c$" "abc" }} {{ match "b" "xbx" }} {{ match "^b" "abc" }}', "true true false"],
  ['{{ reReplaceAll "a(?P<x>.)c" "${x}_$1" "abc" }}', "b_b"],
  ['{{ safeHtml "<b>" }} {{ safeUrl "http://x?a=b c" }} {{ urlUnescape "a%20b+c" }}', "<b> http://x?a=b c a b c"],
  [
    `{{ date "2006-01-02" ${first}.StartsAt }} {{ tz "Europe/Berlin" ${first}.StartsAt }}`,
    "2026-03-01 2026-03-01 11:20:30.456 +0100 CET",
  ],
  [
    `{{ ${first}.StartsAt | tz "Asia/Tokyo" | date "15:04 MST" }} {{ ${first}.StartsAt | tz "America/Sao_Paulo" | date "MST" }}`,
    "19:20 JST -03",
  ],
  ['{{ humanizeDuration 3661 }} {{ humanizeDuration 0.5 }} {{ humanizeDuration "90" }}', "1h 1m 1s 500ms 1m 30s"],
  [`{{ ${span} | humanizeDuration }}`, "2h 0m 0s"],
  [
    '{{ toJson .CommonLabels }} {{ toJson (stringSlice "<") }} {{ toJson 1.5 }} {{ toJson nil }}',
    '{"alertname":"X","job":"api"} ["\\u003c"] 1.5 null',
  ],
  [
    '{{ list }} {{ list 1 "a" 2.5 | len }} {{ append (list 1 2) 3 4 }} {{ append nil 1 }} {{ slice (list 1 2 3) 1 }}',
    "[] 3 [1 2 3 4] [1] [2 3]",
  ],
  ['{{ dict }} {{ (dict "a" 1 "b" "x").b }} {{ dict "b" 2 "a" (list 1 2) | toJson }}', 'map[] x {"a":[1,2],"b":2}'],
  ['{{ $d := dict "a" 1 }}{{ range $k, $v := $d }}{{ $k }}{{ $v }}{{ end }} {{ $d.none }}', "a1 <no value>"],
  [
    `{{ now.IsZero }} {{ gt (now.Sub ${first}.StartsAt) 0 }} {{ gt (since ${first}.StartsAt).Hours 0.1 }}`,
    "false true true",
  ],
  [
    `{{ ${first}.StartsAt.Unix }} {{ ${first}.StartsAt.Nanosecond }} {{ ${first}.StartsAt.YearDay }} {{ ${first}.StartsAt.Month | printf "%d" }} {{ ${first}.StartsAt.Weekday }}`,
    "1772360430 456000000 60 3 Sunday",
  ],
  [
    `{{ ${second}.StartsAt.Truncate 86400000000000 }} {{ ${second}.StartsAt.Add 3600000000000 }}`,
    "2026-03-01 00:00:00 +0000 UTC 2026-03-01 10:00:00 +0000 UTC",
  ],
  [
    `{{ ${second}.StartsAt.AddDate 0 1 2 }} {{ ${second}.StartsAt.String }}`,
    "2026-04-03 09:00:00 +0000 UTC 2026-03-01 09:00:00 +0000 UTC",
  ],
  [`{{ (tz "Europe/Berlin" ${second}.StartsAt).AddDate 0 1 0 }}`, "2026-04-01 10:00:00 +0200 CEST"],
  [
    `{{ ${first}.StartsAt.After ${second}.StartsAt }} {{ ${first}.StartsAt.Compare ${second}.StartsAt }} {{ ${first}.EndsAt.IsZero }}`,
    "true 1 true",
  ],
  [
    `{{ ${span} }} {{ ${span}.Minutes }} {{ ${span}.Hours }} {{ ${span}.String }} {{ printf "%T %d" ${span} ${span} }}`,
    "2h0m0s 120 2 2h0m0s time.Duration 7200000000000",
  ],
  [
    `{{ (${first}.StartsAt.Sub ${second}.StartsAt).Round 60000000000 }} {{ (${first}.StartsAt.Sub ${second}.StartsAt).Milliseconds }}`,
    "1h21m0s 4830456",
  ],
  [
    `{{ ${span} | toJson }} {{ ${first}.StartsAt.Month | toJson }} {{ ${first}.StartsAt.Format "__2 _2" }}`,
    "7200000000000 3  60  1",
  ],
  [`{{ if lt ${span} 3600000000000 }}short{{ else }}long{{ end }}`, "long"],
  [
    "{{ index .Alerts 1 }}",
    "{resolved alertname=X, job=api s=other 2026-03-01 09:00:00 +0000 UTC 2026-03-01 11:00:00 +0000 UTC http://g 0000000000000002}",
  ],
  [
    '{{ printf "%[2]s %[1]s" "a" "b" }} {{ printf "%T %T %T" "a" 3 3.5 }} {{ printf "%#v % x" "a" "hi" }}',
    'b a string int float64 "a" 68 69',
  ],
  [
    '{{ printf "%q" .CommonLabels.Names }} {{ printf "%q" .CommonLabels }}',
    '["alertname" "job"] "alertname=X, job=api"',
  ],
  [
    '{{ js "it\'s <b>\\n=" }} {{ html "<a>" }} {{ urlquery "a b" }}',
    "it\\'s \\u003Cb\\u003E\\u000A\\u003D &lt;a&gt; a+b",
  ],
];

const alerts = [
  {
    labels: { alertname: "X", job: "api", a: "1" },
    annotations: { s: "sum" },
    startsAt: STARTS,
    endsAt: "",
    fingerprint: "0000000000000001",
  },
  {
    labels: { alertname: "X", job: "api" },
    annotations: { s: "other" },
    startsAt: "2026-03-01T09:00:00Z",
    endsAt: "2026-03-01T11:00:00Z",
    fingerprint: "0000000000000002",
  },
];
const renderer = makeRenderer(
  notification({
    alerts: alerts.map(({ labels, annotations, startsAt, endsAt, fingerprint }) =>
      told(labels as unknown as Record<string, string>, {
        annotations: annotations as Record<string, string>,
        startsAt: Date.parse(startsAt),
        endsAt: endsAt === "" ? 0 : Date.parse(endsAt),
        generatorUrl: "http://g",
        fingerprint,
      }),
    ),
  }),
  defaultTemplates(),
  NOW,
);

describe("functions of notification templates", () => {
  it.each(TABLE)("%s", (template, wanted) => {
    expect(renderer.text(template)).toBe(wanted);
  });

  it("are all tried in this table", () => {
    const text = TABLE.map(([template]) => template).join();
    expect(NOTIFICATION_FUNCTION_NAMES.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });

  it("say what they cannot take", () => {
    expect(renderer.text('{{ dict "a" }}')).toContain("dict requires an even number of arguments");
    expect(renderer.text("{{ dict 1 2 }}")).toContain("dict keys must be strings");
    expect(renderer.text('{{ append "a" 1 }}')).toContain("expected a list");
    expect(renderer.text('{{ .CommonLabels.Remove "a" }}')).toContain("expected []string");
    expect(renderer.text('{{ humanizeDuration "0x10" }}')).toContain('parsing "0x10": invalid syntax');
    expect(renderer.text(`{{ ${first}.StartsAt.Add "1h" }}`)).toContain("expected time.Duration");
    expect(renderer.text(`{{ ${first}.StartsAt.AddDate 999999999 0 0 }}`)).toContain("<error expanding template:");
  });

  it("are right where they stand in HTML", () => {
    expect(renderer.html('{{ "<x>" | html }}')).toBe("&lt;x&gt;");
    expect(renderer.html("<style>a{color: {{ .Status }}}</style>")).toBe("<style>a{color: firing}</style>");
    expect(renderer.html('<style>a{color: {{ "red}</style>" }}}</style>')).toBe("<style>a{color: ZgotmplZ}</style>");
    expect(renderer.html(`<a onclick="f({{ "'<" }})">`)).toBe('<a onclick="f(&#34;&#39;\\u003c&#34;)">');
  });
});

const amtool = findPeer("0.33", "amtool");
describe.skipIf(amtool === undefined)(
  "against Alertmanager's (needs amtool 0.33 or newer on PATH or in PEERS_BIN)",
  () => {
    it("gives the same in every case", () => {
      const folder = mkdtempSync(join(tmpdir(), "tocsin-template-"));
      try {
        writeFileSync(join(folder, "empty.tmpl"), "");
        writeFileSync(
          join(folder, "data.json"),
          JSON.stringify({
            receiver: "r",
            status: "firing",
            commonLabels: { alertname: "X", job: "api" },
            alerts: alerts.map(({ endsAt, ...alert }) => ({
              ...alert,
              status: endsAt === "" ? "firing" : "resolved",
              endsAt: endsAt === "" ? "0001-01-01T00:00:00Z" : endsAt,
              generatorURL: "http://g",
            })),
          }),
        );
        const text = TABLE.map(([template]) => template).join("\u0001");
        const args = [
          "template",
          "render",
          `--template.glob=${folder}/*.tmpl`,
          `--template.data=${folder}/data.json`,
          `--template.text=${text}`,
        ];
        const { stdout, stderr } = spawnSync(amtool as string, args, { encoding: "utf8" });
        expect(stderr).toBe("");
        expect(stdout.split("\u0001")).toEqual(TABLE.map(([, wanted]) => wanted));
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  },
);
