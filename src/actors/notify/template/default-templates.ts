import { defaultEmail } from "./default-email.ts";
import { parseTemplateFile, type TemplateSet } from "./render.ts";

/**
 * The templates that are there without a file, by Alertmanager's names and with its outputs, so that files written for it
 * find what they call. `__alertmanager` is what names the sender.
 */
export function defaultTemplates(): TemplateSet {
  made ??= parseTemplateFile("default.tmpl", [...Object.entries(TEXTS).map(define), defaultEmail].join("\n"));
  return made;
}

let made: TemplateSet | undefined;

function define([name, body]: readonly [string, string]): string {
  return `{{ define ${JSON.stringify(name)} }}${body}{{ end }}`;
}

const call = (name: string, dot = ".") => `{{ template ${JSON.stringify(name)} ${dot} }}`;
const SUBJECT = call("__subject");
const SENDER = call("__alertmanager");
const LINK = call("__alertmanagerURL");
const SUMMARY = '{{ join " " .CommonAnnotations.SortedPairs.Values }}';
const BY_STATUS = '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}';

/** Firing and resolved alerts, each under a heading when there are any. */
function sections(list: string, mark: string, before: string, after: string): string {
  const section = (state: string) =>
    `{{ if .Alerts.${state} }}${before}${mark}Alerts ${state}:\n${call(list, `.Alerts.${state}`)}${after}{{ end }}`;
  return `${section("Firing")}\n${section("Resolved")}`;
}

const DENSE = `${SUMMARY}\n${sections("__text_alert_list", "", "", "")}`;
const SPACED = `\n${sections("__text_alert_list", "", "\n", "\n")}\n`;
const MARKDOWN = `\n${sections("__text_alert_list_markdown", "# ", "\n", "\n")}\n`;
const pairsOf = (what: string, indent: string) =>
  `${what}:\n{{ range .${what}.SortedPairs }}${indent}- {{ .Name }} = {{ .Value }}\n{{ end }}`;

/** What Alertmanager has nothing of: a page that comes late, a condition that cannot be seen, an end without one. */
const SIGHT =
  "{{ if .Late }}Late: {{ .Late }}\n{{ end }}{{ if .UnknownSince }}Not seen since: {{ .UnknownSince }}\n{{ end }}" +
  "{{ if .Reason }}Reason: {{ .Reason }}\n{{ end }}";

const TEXTS: Readonly<Record<string, string>> = {
  __alertmanager: "Alertmanager",
  __alertmanagerURL: "{{ .ExternalURL }}/#/alerts?receiver={{ urlquery .Receiver }}",
  __subject: [
    '[{{ toUpper .Status }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}]{{ if .Late }} [LATE {{ .Late }}]{{ end }}{{ if .Unknown }} [UNKNOWN]{{ end }}',
    '{{ join " " .GroupLabels.SortedPairs.Values }}',
    "{{ if gt (len .CommonLabels) (len .GroupLabels) }}" +
      '({{ join " " (.CommonLabels.Remove .GroupLabels.Names).Values }}){{ end }}',
  ].join(" "),
  __description: "",
  __text_alert_list: `{{ range . }}${pairsOf("Labels", " ")}${pairsOf("Annotations", " ")}${SIGHT}Source: {{ .GeneratorURL }}\n{{ end }}`,
  __text_alert_list_markdown: `{{ range . }}\n${pairsOf("Labels", "  ")}\n${pairsOf("Annotations", "  ")}\n${SIGHT}Source: {{ .GeneratorURL }}\n{{ end }}\n`,

  "slack.default.title": SUBJECT,
  "slack.default.username": SENDER,
  "slack.default.fallback": `${call("slack.default.title")} | ${call("slack.default.titlelink")}`,
  "slack.default.callbackid": "",
  "slack.default.pretext": "",
  "slack.default.titlelink": LINK,
  "slack.default.iconemoji": "",
  "slack.default.iconurl": "",
  "slack.default.text": "",
  "slack.default.footer": "",
  "slack.default.color": BY_STATUS,

  "pagerduty.default.description": SUBJECT,
  "pagerduty.default.client": SENDER,
  "pagerduty.default.clientURL": LINK,
  "pagerduty.default.instances": call("__text_alert_list"),

  "opsgenie.default.message": SUBJECT,
  "opsgenie.default.description": DENSE,
  "opsgenie.default.source": LINK,

  "victorops.default.state_message": DENSE,
  "victorops.default.entity_display_name": SUBJECT,
  "victorops.default.monitoring_tool": SENDER,

  "pushover.default.title": SUBJECT,
  "pushover.default.message": `${SUMMARY}${SPACED}`,
  "pushover.default.url": LINK,

  "telegram.default.message": SPACED,

  "discord.default.content": "",
  "discord.default.title": SUBJECT,
  "discord.default.message": SPACED,

  "msteams.default.summary": SUBJECT,
  "msteams.default.title": SUBJECT,
  "msteams.default.text": MARKDOWN,
  "msteamsv2.default.title": SUBJECT,
  "msteamsv2.default.text": MARKDOWN,
};
