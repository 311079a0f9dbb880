import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { executeTemplate } from "../../src/lib/gotemplate/evaluate.ts";
import { TemplateError } from "../../src/lib/gotemplate/lex.ts";
import { parseTemplate } from "../../src/lib/gotemplate/parse.ts";
import { sprintf } from "../../src/lib/gotemplate/print.ts";
import type { TemplateFunction, Value } from "../../src/lib/gotemplate/value.ts";
import { findPeer } from "../support/find-program.ts";

const labels = (pairs: Record<string, string>): Value => new Map(Object.entries(pairs));
const data: Value = {
  Receiver: "web",
  Status: "firing",
  GroupLabels: labels({ alertname: "A" }),
  CommonLabels: labels({}),
  Alerts: [
    { Status: "firing", Labels: labels({ alertname: "A", host: "h1" }), Fingerprint: "f1" },
    { Status: "resolved", Labels: labels({ alertname: "A", host: "h2", zone: "" }), Fingerprint: "f2" },
  ],
};
const functions: Record<string, TemplateFunction> = { toUpper: (s: Value) => String(s).toUpperCase() };

function render(text: string): string {
  return executeTemplate(parseTemplate("t", text, Object.keys(functions)), data, functions);
}

// Template and what Go makes of it; undefined: an error.
const corpus: readonly (readonly [string, string | undefined])[] = [
  ["plain text", "plain text"],
  ["a {{- 1 -}} b", "a1b"],
  ["a {{- 1 }} b", "a1 b"],
  ["a {{1 -}}\n\n b", "a 1b"],
  ["a{{/* hidden */}}b", "ab"],
  ["a {{- /* hidden */ -}} b", "ab"],
  ["{{.Receiver}}", "web"],
  ["{{ .Receiver | toUpper }}", "WEB"],
  ["{{ toUpper .Receiver }}", "WEB"],
  ["{{ (index .Alerts 0).Labels.host }}", "h1"],
  ["{{ with index .Alerts 1 }}{{ .Labels.host }}{{ end }}", "h2"],
  ["{{ .GroupLabels.alertname }}/{{ .GroupLabels.nope }}/", "A//"],
  ["{{ $.Status }}{{ range .Alerts }}{{ $.Receiver }}{{ end }}", "firingwebweb"],
  ["{{ range $i, $a := .Alerts }}{{ $i }}:{{ $a.Status }};{{ end }}", "0:firing;1:resolved;"],
  ["{{ range $a := .Alerts }}{{ $a.Fingerprint }}{{ end }}", "f1f2"],
  ["{{ range .CommonLabels }}x{{ else }}none{{ end }}", "none"],
  ["{{ range $k, $v := (index .Alerts 0).Labels }}{{ $k }}={{ $v }} {{ end }}", "alertname=A host=h1 "],
  ['{{ range .Alerts }}{{ if eq .Status "resolved" }}{{ break }}{{ end }}{{ .Fingerprint }}{{ end }}', "f1"],
  ['{{ range .Alerts }}{{ if eq .Status "firing" }}{{ continue }}{{ end }}{{ .Fingerprint }}{{ end }}', "f2"],
  ["{{ if .CommonLabels }}a{{ else if .Alerts }}b{{ else }}c{{ end }}", "b"],
  ["{{ if not .Receiver }}a{{ else }}b{{ end }}", "b"],
  ["{{ with .CommonLabels }}a{{ else }}b{{ end }}", "b"],
  ["{{ with .CommonLabels }}a{{ else with .Receiver }}{{ . }}{{ end }}", "web"],
  ["{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"],
  ["{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"],
  ['{{ $x := "a" }}{{ range .Alerts }}{{ $x = print $x .Fingerprint }}{{ end }}{{ $x }}', "af1f2"],
  ['{{ define "t1" }}<{{ . }}>{{ end }}{{ template "t1" .Receiver }}{{ template "t1" "b" }}', "<web><b>"],
  ['{{ block "t2" .Status }}[{{ . }}]{{ end }}', "[firing]"],
  ['{{ define "r" }}{{ if gt . 0 }}{{ . }}{{ end }}{{ end }}{{ template "r" 3 }}', "3"],
  ['{{ len .Alerts }} {{ len "äb" }} {{ len .GroupLabels }}', "2 3 1"],
  ['{{ and 1 0 2 }} {{ or 0 "" "x" }} {{ and true true }}', "0 x true"],
  ["{{ or true (index .Alerts 9) }}", "true"],
  [
    '{{ eq 1 1 }} {{ eq 1 2 1 }} {{ ne "a" "b" }} {{ lt 1 2 }} {{ ge 2.5 2.5 }} {{ le "a" "b" }}',
    "true true true true true true",
  ],
  ["{{ eq 1 1.0 }}", undefined],
  ['{{ lt 1 "a" }}', undefined],
  ['{{ print 1 2 "a" "b" 3 4 }}|{{ println 1 "a" }}', "1 2ab3 4|1 a\n"],
  [
    "{{ 1 }} {{ -5 }} {{ 0x1F }} {{ 1.5 }} {{ 1e6 }} {{ 1000000.0 }} {{ 1_000 }} {{ 010 }} {{ 'a' }} {{ 0.00001 }}",
    "1 -5 31 1.5 1e+06 1e+06 1000 8 97 1e-05",
  ],
  ['{{ `raw \\n` }} {{ "tab\\tx\\u00e9\\x41" }}', "raw \\n tab\txéA"],
  ['{{ true }} {{ "" }}|', "true |"],
  ['{{ slice "abcdef" 1 3 }} {{ index "abc" 1 }}', "bc 98"],
  ['{{ html "<a href=\'x\'>&" }} {{ urlquery "a b&c" }}', "&lt;a href=&#39;x&#39;&gt;&amp; a+b%26c"],
  ['{{ printf "%s has %d" .Receiver (len .Alerts) }}', "web has 2"],
  ['{{ "%05.1f" | printf "%s" }}', "%05.1f"],
  ['{{ 3.14159 | printf "%.2f" }}', "3.14"],
  ["{{ range 3 }}{{ . }}{{ end }}", "012"],
  ['{{ if and (eq .Status "firing") (gt (len .Alerts) 1) }}many{{ end }}', "many"],
  ['{{ "a" | printf "%s-%s" "b" }}', "b-a"],
  ["{{ nil }}", undefined],
  ["{{ .Nope }}", undefined],
  ["{{ .Receiver.Foo }}", undefined],
  ["{{ index .Alerts 5 }}", undefined],
  ["{{ nope }}", undefined],
  ["{{ $nope }}", undefined],
  ["{{ if }}x{{ end }}", undefined],
  ["{{ if true }}x", undefined],
  ["{{ end }}", undefined],
  ["{{ else }}", undefined],
  ["{{ break }}", undefined],
  ["{{ .Receiver | }}", "web"],
  ["{{ 1 | 2 }}", undefined],
  ["{{ 1 2 }}", undefined],
  ['{{ template "missing" }}', undefined],
  ['{{ "unclosed }}', undefined],
  ["{{ unclosed", undefined],
  ["{{ /* unclosed }}", undefined],
  ['{{ "a".x }}', undefined],
  ["{{ # }}", undefined],
  ["{{ 1x }}", undefined],
  ["{{ range .Receiver }}{{ end }}", undefined],
  ["{{ len 3 }}", undefined],
  ["}} is text", "}} is text"],
];

describe("Go templates", () => {
  it.each(corpus)("%s", (text, expected) => {
    if (expected === undefined) expect(() => render(text)).toThrow(TemplateError);
    else expect(render(text)).toBe(expected);
  });

  it("says where a mistake is", () => {
    expect(() => render("one\ntwo {{ nope }}")).toThrow('template: t:2:8: function "nope" not defined');
    expect(() => render("{{ .Receiver.Foo }}")).toThrow(/^template: t:1:4: executing "t": can't evaluate field Foo/);
  });

  it("ends what would not end", () => {
    expect(() => render('{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}')).toThrow(/nested deeper/);
    expect(() => render("{{ range 2000000 }}{{ end }}")).toThrow(/steps/);
    expect(() => render("{{ range 999999 }}{{ range 999999 }}{{ end }}{{ end }}")).toThrow(/steps/);
  });

  it("never throws anything but a TemplateError, whatever the text", () => {
    const piece = fc.constantFrom(
      "{{",
      "}}",
      "{{-",
      "-}}",
      "if",
      "else",
      "end",
      "range",
      "with",
      "define",
      ".",
      ".Alerts",
      "$",
      "$x",
      ":=",
      "=",
      "|",
      "(",
      ")",
      '"a"',
      "`",
      "1",
      "-1.5",
      "printf",
      "index",
      "len",
      "nil",
      " ",
      "\n",
      "/*",
      "*/",
      "x",
      ",",
      "'a'",
      "\\",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
        try {
          render(pieces.join(" "));
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    [
      "%d|%5d|%-5d|%05d|%+d|%x|%X|%#x|%b|%o|%c|%U",
      [42n, 42n, 42n, 42n, 42n, 255n, 255n, 255n, 5n, 8n, 65n, 65n],
      "42|   42|42   |00042|+42|ff|FF|0xff|101|10|A|U+0041",
    ],
    [
      "%f|%.1f|%8.3f|%e|%g|%.3g|%G",
      [1.5, 2.25, 3.1425926, 123456.789, 1e21, 123456.789, 1e-10],
      "1.500000|2.2|   3.143|1.234568e+05|1e+21|1.23e+05|1E-10",
    ],
    ["%v|%v|%v|%s|%q|%t|%%", [1.5, true, "s", "s", 'a"b', false], '1.5|true|s|s|"a\\"b"|false|%'],
    ["%.4g|%.4g|%.4g|%.4g", [1234.5, 0.00012345, 100000, 0], "1234|0.0001234|1e+05|0"],
    ["%.4g %.4g", [Number.NaN, Number.POSITIVE_INFINITY], "NaN +Inf"],
    ["%d %s %", ["x", 1n], "%!d(string=x) %!s(int=1) %!(NOVERB)"],
    ["%d", [], "%!d(MISSING)"],
    ["", [1n, "a"], "%!(EXTRA int=1, string=a)"],
    ["%.2s|%*d", ["abc", 4n, 7n], "ab|   7"],
  ] as readonly (readonly [string, readonly Value[], string])[])("sprintf %s", (format, args, expected) => {
    expect(sprintf(format, args)).toBe(expected);
  });
});

// Go's own engine, through Alertmanager's tool, as the judge of the corpus above.
const amtool = findPeer("0.33", "amtool");
describe.skipIf(amtool === undefined)(
  "against Go's engine (needs amtool 0.33 or newer on PATH or in PEERS_BIN)",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "tocsin-template-"));
    writeFileSync(join(folder, "empty.tmpl"), "");
    const json = {
      receiver: "web",
      status: "firing",
      groupLabels: { alertname: "A" },
      commonLabels: {},
      commonAnnotations: {},
      alerts: [
        { status: "firing", labels: { alertname: "A", host: "h1" }, annotations: {}, fingerprint: "f1" },
        { status: "resolved", labels: { alertname: "A", host: "h2", zone: "" }, annotations: {}, fingerprint: "f2" },
      ],
    };
    writeFileSync(join(folder, "data.json"), JSON.stringify(json));

    it.each(corpus)("%s", (text, expected) => {
      const args = [
        "template",
        "render",
        `--template.glob=${folder}/*.tmpl`,
        `--template.data=${folder}/data.json`,
        `--template.text=${text}`,
      ];
      const { status, stdout } = spawnSync(amtool!, args, { encoding: "utf8" });
      expect(status === 0 ? stdout : undefined).toBe(expected);
    });
  },
);
