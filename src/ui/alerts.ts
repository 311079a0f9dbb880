import { byId, el, state, table } from "./dom.ts";
import { count, metricText } from "./format.ts";

/** The calls of Alertmanager's API that the page makes. */
interface ManagedAlert {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly startsAt: string;
  readonly status: {
    readonly state: string;
    readonly silencedBy: readonly string[];
    readonly inhibitedBy: readonly string[];
  };
  readonly receivers: readonly { readonly name: string }[];
}
interface Matcher {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual: boolean;
}
interface Silence {
  readonly id: string;
  readonly status: { readonly state: string };
  readonly matchers: readonly Matcher[];
  readonly endsAt: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly untilResolved?: boolean;
  readonly recurrence?: readonly unknown[];
}

const SHOWN = 200;
const DURATIONS: readonly (readonly [label: string, hours: number])[] = [
  ["for 1 hour", 1],
  ["for 4 hours", 4],
  ["for 1 day", 24],
  ["for 1 week", 168],
];

async function ask<T>(path: string, method = "GET", body?: unknown): Promise<T> {
  const response = await fetch(`/api/v2/${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer: unknown = text === "" ? undefined : JSON.parse(text);
  if (response.ok) return answer as T;
  const message = typeof answer === "string" ? answer : (answer as { message?: string } | undefined)?.message;
  throw new Error(message ?? `status ${response.status}`);
}

/** The section of alerts and silences: what fires and what is muted, and a form that makes a silence. */
export function makeAlertsSection(): { refresh(): Promise<void> } {
  const form = byId<HTMLFormElement>("silence-form");
  const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement | HTMLSelectElement;
  const problem = byId("silence-error");
  for (const [label, hours] of DURATIONS) field("hours").append(el("option", { value: String(hours) }, label));
  field("hours").append(el("option", { value: "0" }, "until resolved"));

  const attempt = async (work: () => Promise<unknown>) => {
    try {
      await work();
      problem.hidden = true;
      await refresh();
    } catch (e) {
      problem.textContent = (e as Error).message;
      problem.hidden = false;
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const hours = Number(field("hours").value);
    const now = Date.now();
    void attempt(async () => {
      await ask("silences", "POST", {
        matchers: parseMatchers(field("matchers").value),
        startsAt: new Date(now).toISOString(),
        createdBy: field("author").value,
        comment: field("comment").value,
        ...(hours === 0 ? { untilResolved: true } : { endsAt: new Date(now + hours * 3_600_000).toISOString() }),
      });
      field("matchers").value = "";
      field("comment").value = "";
    });
  });

  /** Puts the alert's labels into the form. */
  const prepare = (alert: ManagedAlert) => {
    field("matchers").value = Object.entries(alert.labels)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join(", ");
    field("comment").focus();
  };

  const refresh = async () => {
    const [alerts, silences] = await Promise.all([ask<ManagedAlert[]>("alerts"), ask<Silence[]>("silences")]);
    const muted = alerts.filter((a) => a.status.state === "suppressed").length;
    const held = silences.filter((s) => s.status.state !== "expired");
    byId("alerts-note").textContent =
      `${count(alerts.length, "alert")}, ${muted} muted; ${count(held.length, "silence")}`;
    alerts.sort((a, b) => (a.startsAt < b.startsAt ? 1 : -1));
    const rows = alerts.slice(0, SHOWN).map((a) => alertRow(a, () => prepare(a)));
    const more = alerts.length > SHOWN ? el("p", { class: "note" }, `and ${alerts.length - SHOWN} more`) : "";
    byId("alerts-list").replaceChildren(
      rows.length > 0
        ? table(["State", "Alert", "Since", "Receivers", ""], rows)
        : el("p", { class: "empty" }, "no alert fires"),
      more,
    );
    const silenceRows = held.map((s) => silenceRow(s, () => void attempt(() => ask(`silence/${s.id}`, "DELETE"))));
    byId("silences-list").replaceChildren(
      silenceRows.length > 0
        ? table(["State", "Silence", "By", "Until", ""], silenceRows)
        : el("p", { class: "empty" }, "no silences"),
    );
  };
  return { refresh };
}

function alertRow(alert: ManagedAlert, silence: () => void): (Node | string)[] {
  const { alertname = "", ...rest } = alert.labels;
  const { silencedBy, inhibitedBy } = alert.status;
  const why = silencedBy.length > 0 ? "silenced" : inhibitedBy.length > 0 ? "inhibited" : "firing";
  const summary = alert.annotations.summary ?? alert.annotations.description ?? "";
  return [
    state(why),
    el(
      "div",
      {},
      el("strong", {}, alertname),
      " ",
      el("code", {}, metricText(rest)),
      el("div", { class: "note" }, summary),
    ),
    new Date(alert.startsAt).toLocaleString(),
    alert.receivers.map((r) => r.name).join(", "),
    button("Silence", silence),
  ];
}

function silenceRow(s: Silence, expire: () => void): (Node | string)[] {
  const matchers = s.matchers.map((m) => `${m.name}${operator(m)}${JSON.stringify(m.value)}`).join(", ");
  const until = new Date(s.endsAt).toLocaleString();
  const notes = [s.comment, ...(s.recurrence === undefined ? [] : ["recurs"])].filter((x) => x !== "").join("; ");
  return [
    state(s.status.state),
    el("div", {}, el("code", {}, matchers), el("div", { class: "note" }, notes)),
    s.createdBy,
    s.untilResolved === true ? `resolved, at the latest ${until}` : until,
    button("Expire", expire),
  ];
}

function operator({ isEqual, isRegex }: Matcher): string {
  return `${isEqual ? "=" : "!"}${isRegex ? "~" : isEqual ? "" : "="}`;
}

function button(label: string, act: () => void): HTMLElement {
  const made = el("button", { type: "button" }, label);
  made.addEventListener("click", act);
  return made;
}

/** `a="b", c=~"d|e"`. Throws an Error that says where it cannot be read. */
function parseMatchers(text: string): Matcher[] {
  const out: Matcher[] = [];
  let rest = text.trim();
  while (rest !== "") {
    const m = /^([^\s=!~,"]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s,"]*)\s*(?:,\s*|$)/u.exec(rest);
    if (m === null) throw new Error(`no matcher: ${rest}`);
    const [whole, name = "", op = "", raw = ""] = m;
    const value = raw.startsWith('"') ? (JSON.parse(raw) as string) : raw;
    out.push({ name, value, isRegex: op.endsWith("~"), isEqual: op.startsWith("=") });
    rest = rest.slice(whole.length);
  }
  if (out.length === 0) throw new Error('a silence needs a matcher, as alertname="Down"');
  return out;
}
