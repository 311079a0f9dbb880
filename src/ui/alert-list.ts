import {
  type AlertState,
  type Escalation,
  readGroups,
  type ShownAlert,
  type ShownGroup,
  STATES,
} from "./alert-data.ts";
import { byId, el, state, table } from "./dom.ts";
import { count, metricText } from "./format.ts";
import { labelsText, makeFilter } from "./matchers.ts";

export interface AlertActions {
  /** Puts matchers into the form for silences. */
  readonly silence: (matchers: string) => void;
  readonly acknowledge: (escalation: Escalation) => void;
}

/** Alerts that are shown at once; the filter finds the others. */
const SHOWN = 300;
const HIDDEN_KEY = "tocsin.alerts.hidden";

/** The alerts in their groups: what fires, what is muted and by what, who is being paged. */
export function makeAlertList(actions: AlertActions): { refresh(): Promise<void> } {
  const filter = byId<HTMLInputElement>("alerts-filter");
  const problem = byId("alerts-error");
  const list = byId("alerts-list");
  const hidden = new Set(stored());
  let groups: readonly ShownGroup[] = [];
  /** What stands on the page, by key, with what it was made from: what has not changed keeps its element, and so the focus. */
  let kept = new Map<string, { readonly made: string; readonly node: HTMLElement }>();
  filter.value = new URLSearchParams(location.search).get("filter") ?? "";

  const buttons = new Map<AlertState, HTMLButtonElement>();
  for (const name of STATES) {
    const button = el("button", { type: "button", class: `toggle ${name}` });
    button.addEventListener("click", () => {
      if (!hidden.delete(name)) hidden.add(name);
      localStorage.setItem(HIDDEN_KEY, [...hidden].join(" "));
      show();
    });
    buttons.set(name, button);
    byId("alerts-states").append(button);
  }
  filter.addEventListener("input", () => {
    const params = new URLSearchParams(location.search);
    if (filter.value.trim() === "") params.delete("filter");
    else params.set("filter", filter.value.trim());
    history.replaceState(null, "", `${location.pathname}${params.size > 0 ? `?${params}` : ""}${location.hash}`);
    show();
  });

  const show = () => {
    let wanted: ReturnType<typeof makeFilter>;
    try {
      wanted = makeFilter(filter.value);
      problem.hidden = true;
    } catch (e) {
      problem.textContent = (e as Error).message;
      problem.hidden = false;
      return;
    }
    const counts = new Map<AlertState, number>();
    let left = SHOWN;
    let cut = 0;
    const shown: ShownGroup[] = [];
    for (const group of groups) {
      const texts = (a: ShownAlert) => [...Object.values(a.annotations), ...group.receivers];
      const fitting = group.alerts.filter((a) => wanted(a.labels, texts(a)));
      for (const a of fitting) counts.set(a.state, (counts.get(a.state) ?? 0) + 1);
      const visible = fitting.filter((a) => !hidden.has(a.state));
      const alerts = visible.slice(0, left);
      left -= alerts.length;
      cut += visible.length - alerts.length;
      if (alerts.length > 0) shown.push({ ...group, alerts });
    }
    for (const [name, button] of buttons) {
      button.textContent = `${name} ${counts.get(name) ?? 0}`;
      button.setAttribute("aria-pressed", String(!hidden.has(name)));
    }
    const nodes = put(shown);
    if (nodes.length === 0) nodes.push(el("p", { class: "empty" }, emptyText(groups, filter.value)));
    if (cut > 0) nodes.push(el("p", { class: "note" }, `and ${cut} more: the filter finds them`));
    if (nodes.length !== list.children.length || nodes.some((n, i) => list.children[i] !== n)) keepFocus(list, nodes);
    tick();
  };

  const put = (shown: readonly ShownGroup[]): HTMLElement[] => {
    const next: typeof kept = new Map();
    const nodes = shown.map((group) => {
      const made = JSON.stringify(group);
      const before = kept.get(group.key);
      const node = before?.made === made ? before.node : groupCard(group, actions);
      next.set(group.key, { made, node });
      return node;
    });
    kept = next;
    return nodes;
  };

  const tick = () => {
    for (const node of list.querySelectorAll<HTMLTimeElement>("time")) node.textContent = timeText(node);
  };

  return {
    refresh: async () => {
      groups = await readGroups();
      const alerts = groups.flatMap((g) => g.alerts);
      const of = (name: AlertState) => alerts.filter((a) => a.state === name).length;
      const paging = new Set(
        groups.flatMap((g) => g.escalations.filter((e) => e.state === "triggered").map((e) => e.id)),
      );
      byId("alerts-note").textContent =
        `${count(alerts.length, "alert")}, ${of("firing")} firing, ${of("silenced") + of("inhibited") + of("muted")} muted; ${count(paging.size, "escalation")} under way`;
      show();
    },
  };
}

/** Puts the nodes in; the button that had the focus has it again, in the card that took the place of its own. */
function keepFocus(list: HTMLElement, nodes: readonly HTMLElement[]): void {
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.focus : undefined;
  list.replaceChildren(...nodes);
  if (focused === undefined) return;
  for (const node of list.querySelectorAll<HTMLElement>("[data-focus]"))
    if (node.dataset.focus === focused) node.focus();
}

function stored(): string[] {
  return (localStorage.getItem(HIDDEN_KEY) ?? "").split(" ").filter((s) => s !== "");
}

function emptyText(groups: readonly ShownGroup[], filter: string): string {
  if (groups.length === 0) return "no alert fires";
  return filter.trim() === "" ? "all alerts are hidden by their state" : "no alert is like that";
}

function groupCard(group: ShownGroup, actions: AlertActions): HTMLElement {
  const { alertname, ...rest } = group.labels;
  const common = new Set(Object.keys(group.labels));
  const title = [alertname ?? "", Object.keys(rest).length > 0 ? metricText(rest) : ""]
    .filter((s) => s !== "")
    .join(" ");
  const receivers = group.receivers.length === 0 ? "nobody is told yet" : `to ${group.receivers.join(", ")}`;
  const head = el(
    "div",
    { class: "group-head" },
    el("h3", {}, el("bdi", {}, title === "" ? "all alerts" : title)),
    el("span", { class: "note" }, `${count(group.alerts.length, "alert")}, ${receivers}`),
  );
  if (Object.keys(group.labels).length > 0) {
    head.append(
      button("Silence group", `${group.key} silence`, `silence the group ${title}`, () =>
        actions.silence(labelsText(group.labels)),
      ),
    );
  }
  const rows = group.alerts.map((a) => alertRow(a, common, actions));
  return el(
    "article",
    { class: "alert-group", "aria-label": title === "" ? "all alerts" : title },
    head,
    ...group.escalations.map((e) => escalationLine(e, actions)),
    table(["State", "Alert", "Value", "Since", "Actions"], rows),
  );
}

function escalationLine(e: Escalation, actions: AlertActions): HTMLElement {
  const paged = e.paged.length === 0 ? "nobody is paged yet" : `paged ${e.paged.join(", ")}`;
  const line = el(
    "div",
    { class: `escalation ${e.state}` },
    state(e.state),
    el("span", {}, `${e.escalation}: ${paged}`),
  );
  const { acknowledgement: ack } = e;
  if (ack !== null) {
    const comment = ack.comment === "" ? "" : ` “${ack.comment}”`;
    line.append(el("span", {}, `by ${ack.by}${comment}`));
    if (ack.until !== null) line.append(el("span", { class: "note" }, "until ", clock(ack.until)));
  }
  if (e.nextAt !== null && e.nextStep !== null) {
    line.append(el("span", {}, `next: step ${e.nextStep} at `, clock(e.nextAt), ", ", time(e.nextAt)));
  }
  const label = e.state === "acknowledged" ? "Take over" : "Acknowledge";
  line.append(button(label, `${e.id} ack`, `${label.toLowerCase()}: ${e.escalation}`, () => actions.acknowledge(e)));
  return line;
}

function alertRow(a: ShownAlert, common: ReadonlySet<string>, actions: AlertActions): (Node | string)[] {
  const { alertname = "" } = a.labels;
  const own = Object.fromEntries(Object.entries(a.labels).filter(([n]) => n !== "alertname" && !common.has(n)));
  const { summary, description, ...others } = a.annotations;
  const links = Object.entries(others).flatMap(([name, value]) => link(name.replace(/_url$/, ""), value));
  const source = a.source === undefined ? [] : link("query", a.source);
  const texts = Object.entries(others).filter(([, value]) => value !== "" && !isWebLink(value));
  const why = el("a", { class: "button", target: "_blank", rel: "noopener", href: explainUrl(a.labels) }, "Why?");
  why.setAttribute("aria-label", `why was ${alertname} told or not`);
  return [
    state(a.state),
    el(
      "div",
      {},
      el("strong", {}, el("bdi", {}, alertname)),
      " ",
      Object.keys(own).length > 0 ? el("code", {}, metricText(own)) : "",
      ...[summary, description].flatMap((text) => (text ? [el("div", { class: "annotation" }, text)] : [])),
      ...texts.map(([name, value]) => el("div", { class: "note" }, `${name}: ${value}`)),
      ...a.notes.map((note) => el("div", { class: "note" }, note)),
      links.length + source.length > 0 ? el("div", { class: "links" }, ...links, ...source) : "",
    ),
    a.value === undefined ? "–" : String(Number(a.value)),
    el("span", { title: new Date(a.since).toLocaleString() }, time(a.since)),
    el(
      "div",
      { class: "actions" },
      button("Silence", `${a.key} silence`, `silence ${alertname} ${metricText(own)}`, () =>
        actions.silence(labelsText(a.labels)),
      ),
      why,
    ),
  ];
}

/** Annotations are anybody's texts: only what goes to a web page is a link, never a script. */
function link(name: string, value: string): HTMLElement[] {
  if (!isWebLink(value)) return [];
  return [el("a", { href: value, target: "_blank", rel: "noopener noreferrer" }, name)];
}

function isWebLink(value: string): boolean {
  return /^https?:\/\//i.test(value) && URL.canParse(value);
}

function explainUrl(labels: Readonly<Record<string, string>>): string {
  return `api/v1/alerts/explain?${new URLSearchParams({ "match[]": `{${labelsText(labels)}}` })}`;
}

function button(label: string, focus: string, says: string, act: () => void): HTMLElement {
  const made = el("button", { type: "button", "data-focus": focus, "aria-label": says }, label);
  made.addEventListener("click", act);
  return made;
}

function clock(at: string): HTMLElement {
  return el("span", {}, new Date(at).toLocaleTimeString());
}

function time(at: string): HTMLTimeElement {
  const made = el("time", { datetime: at });
  made.textContent = timeText(made);
  return made;
}

/** How long ago, or in how long. */
function timeText(node: HTMLTimeElement): string {
  const s = Math.round((Date.now() - Date.parse(node.dateTime)) / 1000);
  const a = Math.abs(s);
  const text = a < 60 ? `${a} s` : a < 3600 ? `${Math.floor(a / 60)} min` : a < 86_400 ? hours(a) : days(a);
  return s < 0 ? `in ${text}` : `${text} ago`;
}

const hours = (s: number) => `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
const days = (s: number) => `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
