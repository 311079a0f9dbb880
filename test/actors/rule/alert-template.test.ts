import { describe, expect, it } from "vitest";
import { checkTemplate, expandTemplate } from "../../../src/actors/rule/alert-template.ts";
import type { Histogram } from "../../../src/model/histogram.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { QueryError } from "../../../src/model/query.ts";
import { histogramOf, scriptedEngine } from "./fixtures.ts";

const engine = scriptedEngine({
  up: [
    [{ instance: "b" }, 0],
    [{ instance: "a" }, 1],
  ],
  latency: [
    [{ job: "a" }, histogramOf()],
    [{ job: "b" }, 7],
  ],
  bad: new QueryError("execution", "too much"),
});

const expand = (text: string, value: number | Histogram = 1234.5) =>
  expandTemplate(
    { engine, tenant: "default", templates: { externalLabels: { region: "eu" }, externalUrl: "http://tocsin/x" } },
    text,
    { labels: labelsFromObject({ __name__: "load", host: "h1.example.org:9100" }), value, time: 1_700_000_000_000 },
  );

describe("alert templates", () => {
  it.each([
    ["{{ $labels.host }} is at {{ $value }}", "h1.example.org:9100 is at 1234.5"],
    [
      "{{ .Labels.host }} {{ .Value | humanize }} {{ $externalLabels.region }} {{ $externalURL }}",
      "h1.example.org:9100 1.234k eu http://tocsin/x",
    ],
    ["{{ $labels.nope }}|", "|"],
    ['{{ with query "up" }}{{ . | first | label "instance" }}={{ . | first | value }}{{ end }}', "b=0"],
    ['{{ range query "up" | sortByLabel "instance" }}{{ .Labels.instance }}:{{ .Value }} {{ end }}', "a:1 b:0 "],
    ['{{ range query "absent" }}x{{ else }}none{{ end }}', "none"],
    ["{{ $labels.host | stripPort }} {{ $labels.host | stripDomain }}", "h1.example.org h1:9100"],
    ['{{ reReplaceAll "(h)(\\\\d)" "$2-${1}" $labels.host }}', "1-h.example.org:9100"],
    ['{{ if match "^h1" $labels.host }}yes{{ end }}', "yes"],
    ['{{ toUpper "a" }}{{ toLower "B" }}{{ title "two words" }}', "AbTwo Words"],
    ["{{ pathPrefix }} {{ externalURL }}", "/x http://tocsin/x"],
    ['{{ parseDuration "1h30m" }}', "5400"],
    ['{{ graphLink "a b" }}', "/graph?g0.expr=a+b&g0.tab=0"],
    ['{{ printf "%.1f%%" $value }}', "1234.5%"],
    ['{{ query "bad" }}', "<error expanding template: too much>"],
    [
      "{{ .Nope }}",
      '<error expanding template: template: template:1:4: executing "template": can\'t evaluate field Nope in this value>',
    ],
    ['{{ define "t" }}<{{ . }}>{{ end }}{{ $n := "t" }}{{ tmpl $n "x" }}{{ tmpl "t" 3 }}', "<x><3>"],
    ['{{ tmpl "none" 1 }}', /error calling tmpl: template "none" not defined/],
    ['{{ define "t" }}{{ tmpl "t" . }}{{ end }}{{ tmpl "t" 1 }}', /nested deeper than/],
    ['{{ (args 1 "a").arg1 }} {{ (args 1).arg7 }}', "a <no value>"],
    [
      '{{ (toTime 1435065584.128).Format "2006-01-02 15:04:05.000 MST" }} {{ (toTime 1435065584).Month }}',
      "2015-06-23 13:19:44.128 UTC June",
    ],
    [
      "{{ ((toTime 1435065584).Sub (toTime 1435065000)).Minutes }} {{ (toTime 60).Add (toDuration 60) }}",
      /^9.733333333333333 1970-01-01 00:02:00 \+0000 UTC$/,
    ],
    ["{{ (toDuration 5400).Hours }} {{ (toDuration 3661.5).String }} {{ toDuration 0.0000015 }}", "1.5 1h1m1.5s 1.5µs"],
    ['{{ toUpper "straße" }} {{ title "über 3x x-y" }}', "STRAßE Über 3X X-Y"],
    ['{{ humanize "1_000" }} {{ humanize "0x10p0" }} {{ humanize "1e3" }}', "1k 16 1k"],
    ['{{ humanize "0x10" }}', /parsing "0x10": invalid syntax/],
    ['{{ humanize " 5" }}', /parsing " 5": invalid syntax/],
    ["{{ toUpper 3 }}", /error calling toUpper: expected string; found 3/],
    [
      '{{ safeHtml "<b>" }} {{ urlQueryEscape "a b&c/é" }} {{ tableLink "x" }}',
      "<b> a+b%26c%2F%C3%A9 /graph?g0.expr=x&g0.tab=1",
    ],
    ['{{ printf "%[1]s-%[1]s %T" "a" $value }} {{ humanizeTimestamp 0.5 }} {{ now }}', /^a-a/],
    ['{{ query "absent" | first }}', /error calling first: first\(\) called on vector with no elements/],
  ] as const)("%s", async (text, expected) => {
    if (typeof expected === "string") expect(await expand(text)).toBe(expected);
    else expect(await expand(text)).toMatch(expected);
  });

  it.each([
    ["humanize", 0, "0"],
    ["humanize", 1_234_567, "1.235M"],
    ["humanize", 0.00012, "120u"],
    ["humanize", -2000, "-2k"],
    ["humanize", Number.NaN, "NaN"],
    ["humanize1024", 1024 ** 3, "1Gi"],
    ["humanize1024", 1, "1"],
    ["humanizeDuration", 0, "0s"],
    ["humanizeDuration", 3661, "1h 1m 1s"],
    ["humanizeDuration", 90_061, "1d 1h 1m 1s"],
    ["humanizeDuration", 59.9, "59.9s"],
    ["humanizeDuration", -61, "-1m 1s"],
    ["humanizeDuration", 0.0015, "1.5ms"],
    ["humanizePercentage", 0.1234, "12.34%"],
    ["humanizeTimestamp", 1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"],
    ["humanizeTimestamp", 0, "1970-01-01 00:00:00 +0000 UTC"],
    ["toDuration", 1800, "30m0s"],
  ] as const)("%s %d", async (name, value, expected) => {
    expect(await expand(`{{ $value | ${name} }}`, value)).toBe(expected);
  });

  it.each([
    ["{{ $value }} {{ .Value }}", "{count:3, sum:2.5, (0.5,1]:1, (1,2]:2} {count:3, sum:2.5, (0.5,1]:1, (1,2]:2}"],
    ['{{ printf "%s, %v" $value $value.String }}', /^\{count:3.*\}, \{count:3.*\}$/],
    ["{{ $value.TestExpression }}", "{{count:3 sum:2.5 buckets:[1 2]}}"],
    ["{{ $value.Count | humanize }} {{ $value.Schema }} {{ $value.PositiveBuckets }}", "3 0 [1 2]"],
    ["{{ if $value }}yes{{ end }}", "yes"],
    ["{{ $value | humanize }}", /error calling humanize: can't convert \*histogram\.FloatHistogram to float/],
    ['{{ query "latency" | first | value }}', "{count:3, sum:2.5, (0.5,1]:1, (1,2]:2}"],
    [
      '{{ range query "latency" }}{{ .Labels.job }}={{ .Value }} {{ end }}',
      "a={count:3, sum:2.5, (0.5,1]:1, (1,2]:2} b=7 ",
    ],
  ] as const)("over a native histogram: %s", async (text, expected) => {
    if (typeof expected === "string") expect(await expand(text, histogramOf())).toBe(expected);
    else expect(await expand(text, histogramOf())).toMatch(expected);
  });

  it("is checked before it runs", () => {
    expect(checkTemplate('{{ $labels.a }} {{ query "x" | first | value | humanize }}')).toBeUndefined();
    expect(checkTemplate("{{ $label.a }}")).toBe('template: template:1:4: undefined variable "$label"');
    expect(checkTemplate("{{ humanise 1 }}")).toBe('template: template:1:4: function "humanise" not defined');
  });
});
