import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { expandTemplate } from "../../../src/actors/rule/alert-template.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { findPeer } from "../../support/find-program.ts";
import { scriptedEngine } from "./fixtures.ts";

const VALUE = 1234.5;
/** Templates of alerts, each an annotation of its own rule in a unit test that fails: promtool then tells what it made of them. */
const TEMPLATES: readonly string[] = [
  "{{ $labels.host }} {{ $value }} {{ .Labels.host }} {{ .Value }} {{ $labels.none }}| {{ $externalLabels.region }}",
  '{{ range query "up" | sortByLabel "instance" }}{{ .Labels.instance }}={{ .Value }};{{ end }}',
  '{{ query "up" | sortByLabel "instance" | first | label "instance" }} {{ query "up" | first | strvalue }}| {{ query "up" | len }}',
  '{{ with query "absent" }}a{{ else }}b{{ end }}',
  '{{ humanize $value }} {{ humanize 0 }} {{ humanize "123456" }} {{ humanize 1e-5 }} {{ humanize 1e30 }} {{ humanize 999.99999 }} {{ humanize 0.00099 }}',
  '{{ humanize "+Inf" }} {{ humanize "NaN" }} {{ humanize "1_000" }} {{ humanize "0x10p0" }}',
  '{{ humanize1024 $value }} {{ humanize1024 1048576 }} {{ humanize1024 0.5 }} {{ humanize1024 "2048" }} {{ humanize1024 -4096 }}',
  "{{ humanizeDuration $value }} {{ humanizeDuration 0 }} {{ humanizeDuration 899.99 }} {{ humanizeDuration 86400 }} {{ humanizeDuration 1e-12 }} {{ humanizeDuration -1.5 }}",
  '{{ humanizeDuration "61" }} {{ humanizeDuration 59.9999 }} {{ humanizeDuration 1e10 }} {{ parseDuration "1h30m" | humanizeDuration }}',
  '{{ humanizePercentage 0.12345 }} {{ humanizePercentage $value }} {{ humanizePercentage "0.5" }} {{ humanizePercentage 0.00001 }}',
  '{{ humanizeTimestamp $value }} {{ humanizeTimestamp 1435065584.128 }} {{ humanizeTimestamp -1 }} {{ humanizeTimestamp "NaN" }}',
  '{{ toTime $value }} {{ (toTime 1435065584.128).Format "2006-01-02 15:04:05.000 MST" }} {{ (toTime 1435065584).YearDay }}',
  "{{ (toTime 1435065584).Month }} {{ (toTime 1435065584).Weekday }} {{ ((toTime 1435065584).Sub (toTime 1435065000)).Minutes }}",
  '{{ parseDuration "1d2h" }} {{ parseDuration "500ms" }}',
  '{{ title "aBc dEf\'s x-y 3x über" }} {{ toUpper "straße" }} {{ toLower "ABÇ" }}',
  '{{ match "a.c" "abc" }} {{ reReplaceAll "(a)(b)" "$2$1" "ab" }} {{ reReplaceAll "(?P<h>[^:]+):.*" "${h}!" $labels.host }}',
  '{{ graphLink "up{a=\\"b\\"} > 1" }} {{ tableLink "sum by (x) (y)" }} {{ safeHtml "<b>&" }}',
  '{{ stripPort "a:9" }} {{ stripPort "[::1]:80" }} {{ stripPort "::1" }} {{ stripDomain "a.b.c:9" }} {{ stripDomain "1.2.3.4:80" }} {{ stripDomain "[::1]:80" }} {{ stripDomain "a.b" }}',
  '{{ args 1 "a" }} {{ (args "x" 2).arg0 }} {{ (args 1).arg5 }} {{ define "t" }}<{{ .arg0 }}-{{ .arg1 }}>{{ end }}{{ template "t" (args 1 2) }}',
  '{{ printf "%.2f" $value }} {{ printf "%v %g %s %d %5.1f%% %e %T" $value $value $value $value $value $value $value }}',
  "{{ if gt $value 1000.0 }}big{{ else }}small{{ end }} {{ range $k, $v := $labels }}{{ $k }}={{ $v }},{{ end }}",
  '{{ and $labels.host $value }} {{ or "" "x" }} {{ not "" }} {{ slice "abcdef" 2 4 }} {{ html "<a>" }} {{ js "\'<" }} {{ urlquery "a b" }}',
  '{{ 1.5e6 }} {{ 2e-7 }} {{ 1e21 }} {{ 123456789.0 }} {{ 1_000 }} {{ print $value 1 "a" }}',
];
/** Those fail in both. */
const WRONG: readonly string[] = [
  '{{ query "absent" | first }}',
  '{{ humanize "0x10" }}',
  '{{ humanize " 5" }}',
  '{{ parseDuration "abc" }}',
  '{{ parseDuration "-5m" }}',
  '{{ match "(" "a" }}',
  "{{ toUpper 3 }}",
  "{{ humanize nil }}",
  "{{ humanize $labels }}",
  "{{ humanizeTimestamp 1e20 }}",
  "{{ if gt $value 1000 }}big{{ end }}",
  "{{ value 3 }}",
  "{{ .Nope }}",
];

const engine = scriptedEngine({
  up: [
    [{ instance: "a" }, 1],
    [{ instance: "b" }, 0],
  ],
  absent: [],
});
const ours = (text: string) =>
  expandTemplate(
    { engine, tenant: "default", templates: { externalLabels: { region: "eu" }, externalUrl: "" } },
    text,
    {
      labels: labelsFromObject({ __name__: "load", host: "h1.example.org:9100" }),
      value: VALUE,
      time: 120_000,
    },
  );

/** What promtool makes of the templates. */
function theirs(promtool: string, templates: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "tocsin-template-"));
  try {
    const rules = templates.map(
      (text, i) => `  - alert: A${i}x\n    expr: load\n    annotations: { t: ${JSON.stringify(text)} }\n`,
    );
    writeFileSync(join(folder, "rules.yml"), `groups:\n- name: g\n  rules:\n${rules.join("")}`);
    const wanted = templates.map(
      (_, i) => `  - { eval_time: 2m, alertname: A${i}x, exp_alerts: [{ exp_annotations: { none: of-these } }] }\n`,
    );
    writeFileSync(
      join(folder, "test.yml"),
      `rule_files: [rules.yml]
tests:
- interval: 1m
  external_labels: { region: eu }
  input_series:
  - { series: 'load{host="h1.example.org:9100"}', values: "${VALUE}x5" }
  - { series: 'up{instance="b"}', values: "0x5" }
  - { series: 'up{instance="a"}', values: "1x5" }
  alert_rule_test:
${wanted.join("")}`,
    );
    const { stdout, stderr } = spawnSync(promtool, ["test", "rules", join(folder, "test.yml")], { encoding: "utf8" });
    const told = stdout + stderr;
    return templates.map((_, i) => {
      const m = new RegExp(
        `alertname: A${i}x, time: 2m,[^]*?got:\\[[^]*?Annotations:\\{t=("(?:[^"\\\\]|\\\\.)*")\\}`,
      ).exec(told);
      return m === null ? `promtool says nothing of it: ${told.slice(0, 500)}` : (JSON.parse(m[1] as string) as string);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const promtool = findPeer("3.5", "promtool");
describe.skipIf(promtool === undefined)(
  "templates of alerts against promtool (needs 3.5 or newer on PATH or in PEERS_BIN)",
  () => {
    it("come out the same", async () => {
      expect(await Promise.all(TEMPLATES.map(ours))).toEqual(theirs(promtool as string, TEMPLATES));
    });

    it("fail alike, and the alert is sent with the error in its text", async () => {
      for (const texts of [await Promise.all(WRONG.map(ours)), theirs(promtool as string, WRONG)])
        expect(
          texts.map((text, i) => (/^<error expanding template: /.test(text) ? "" : `${WRONG[i]}: ${text.slice(-300)}`)),
        ).toEqual(texts.map(() => ""));
    });
  },
);
