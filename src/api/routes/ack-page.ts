import type { EscalationRecord } from "../../actors/escalation/escalation-log.ts";
import { labelsToObject } from "../../model/labels.ts";

/** No script, nothing from elsewhere, no way to be framed, and the link is told to nobody. */
export const PAGE_HEADERS = {
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

const MAX_ALERTS = 20;

/** What the link in a page opens: the alerts, and a button that acknowledges. */
export function ackPage(record: EscalationRecord, by: string): string {
  const { state } = record;
  if (state.status === "resolved")
    return problemPage("its alerts are resolved: there is nothing to acknowledge any more");
  const ack = state.acknowledgement;
  const before = ack === undefined ? "" : `<p>${text(ack.by)} acknowledged it at ${time(ack.at)}.</p>`;
  // Without an action the form goes to the address of the page itself.
  const form = `<form method="post"><button>Acknowledge as ${text(by)}</button></form>`;
  return page("Acknowledge?", `${alertList(record)}${before}${form}`);
}

export function donePage(record: EscalationRecord): string {
  const ack = record.state.acknowledgement;
  const until = ack === undefined || ack.until === 0 ? "as long as the alerts fire" : `until ${time(ack.until)}`;
  return page("Acknowledged", `<p>By ${text(ack?.by ?? "")}, ${until}.</p>${alertList(record)}`);
}

export function problemPage(problem: string): string {
  return page("Not acknowledged", `<p>${text(problem)}</p>`);
}

function alertList({ state, alerts }: EscalationRecord): string {
  const firing = alerts.filter((a) => state.firing.includes(a.fingerprint));
  const rows = firing.slice(0, MAX_ALERTS).map((a) => {
    const labels = Object.entries(labelsToObject(a.labels)).map(([name, value]) => `${name}=${value}`);
    return `<li>${text(labels.join(" "))}<br>${text(a.annotations.summary ?? "")}</li>`;
  });
  const more = firing.length > rows.length ? `<li>and ${firing.length - rows.length} more</li>` : "";
  return `<p>${text(state.escalation)}, since ${time(state.startedAt)}</p><ul>${rows.join("")}${more}</ul>`;
}

function page(title: string, body: string): string {
  const style =
    "body{font:1rem system-ui;max-width:40rem;margin:2rem auto;padding:0 1rem}button{font:inherit;padding:.8rem 1.6rem}";
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} - Tocsin</title><style>${style}</style><h1>${title}</h1>${body}</html>`;
}

const time = (ms: number) => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function text(value: string): string {
  return value.replace(/[&<>"']/g, (c) => ENTITIES[c] as string);
}
