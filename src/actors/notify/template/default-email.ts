/** One alert of the mail's table, as a row. */
const ROW = `<tr><td style="padding:12px 0;border-bottom:1px solid #ddd">
<b>Labels</b><br>
{{ range .Labels.SortedPairs }}{{ .Name }} = {{ .Value }}<br>
{{ end }}{{ if .Annotations }}<b>Annotations</b><br>
{{ range .Annotations.SortedPairs }}{{ .Name }} = {{ .Value }}<br>
{{ end }}{{ end }}{{ if .Late }}<b>Late: {{ .Late }}</b><br>
{{ end }}{{ if .UnknownSince }}<b>Not seen since: {{ .UnknownSince }}</b><br>
{{ end }}{{ if .Reason }}Reason: {{ .Reason }}<br>
{{ end }}<a href="{{ .GeneratorURL }}">Source</a>
</td></tr>`;

const section = (state: "Firing" | "Resolved") => `{{ if .Alerts.${state} }}
<tr><td style="padding-top:16px"><b>[{{ len .Alerts.${state} }}] ${state}</b></td></tr>
{{ range .Alerts.${state} }}${ROW}
{{ end }}{{ end }}`;

/** The mail that is sent where the configuration has no other: one table, red while something fires. */
export const defaultEmail = `{{ define "email.default.subject" }}{{ template "__subject" . }}{{ end }}
{{ define "email.default.html" }}<!DOCTYPE html>
<html>
<head><meta charset="utf-8"><title>{{ template "__subject" . }}</title></head>
<body style="margin:0;padding:16px;background:#f4f4f4;font-family:Helvetica,Arial,sans-serif;font-size:14px">
<table width="100%" style="max-width:640px;margin:0 auto;background:#fff;border-collapse:collapse">
<tr><td style="padding:16px;color:#fff;background:{{ if .Alerts.Firing }}#c0392b{{ else }}#2e8b57{{ end }}">
{{ len .Alerts }} alert{{ if gt (len .Alerts) 1 }}s{{ end }} for
{{ range .GroupLabels.SortedPairs }}{{ .Name }}={{ .Value }}
{{ end }}</td></tr>
<tr><td style="padding:16px"><a href="{{ template "__alertmanagerURL" . }}">View in {{ template "__alertmanager" . }}</a>
<table width="100%">${section("Firing")}${section("Resolved")}</table>
</td></tr>
<tr><td style="padding:8px 16px;color:#888"><a href="{{ .ExternalURL }}">Sent by {{ template "__alertmanager" . }}</a></td></tr>
</table>
</body>
</html>
{{ end }}`;
