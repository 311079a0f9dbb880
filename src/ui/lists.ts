import { call, type Rule, type RuleGroup, type Target } from "./api.ts";
import { byId, el, state, table } from "./dom.ts";
import { count, metricText, seconds } from "./format.ts";

const WORST_FIRST = ["firing", "pending", "unknown", "inactive"];

export async function refreshRules(): Promise<void> {
  const { data } = await call<{ groups: RuleGroup[] }>("rules");
  const rules = data.groups.flatMap((g) => g.rules.map((rule) => ({ rule, group: g })));
  const alerting = rules.filter(({ rule }) => rule.type === "alerting");
  alerting.sort((a, b) => rank(a.rule) - rank(b.rule));
  const firing = alerting.filter(({ rule }) => rule.state === "firing" && rule.shadow !== true).length;
  byId("rules-note").textContent =
    `${count(alerting.length, "alert rule")}, ${firing} firing; ${count(rules.length - alerting.length, "recording rule")}`;
  const rows = alerting.map(({ rule, group }) => [
    state(shownState(rule)),
    el("div", {}, el("strong", {}, rule.name), el("div", { class: "note" }, noteOf(rule, group))),
    el(
      "a",
      { href: `graph?${new URLSearchParams({ "g0.expr": rule.query, "g0.tab": "1" })}#query` },
      el("code", {}, rule.query),
    ),
    seconds(rule.duration ?? 0),
    instances(rule),
  ]);
  byId("rules-list").replaceChildren(
    rows.length > 0
      ? table(["State", "Rule", "Expression", "For", "Alerts"], rows)
      : el("p", { class: "empty" }, "no rules"),
  );
}

/** Rules that nobody is told of stand below the others. */
function rank(rule: Rule): number {
  return WORST_FIRST.indexOf(shownState(rule)) + (rule.shadow === true ? WORST_FIRST.length : 0);
}

function noteOf(rule: Rule, group: RuleGroup): string {
  return rule.shadow === true ? `${group.name}, shadow: nobody is told` : group.name;
}

function shownState(rule: Rule): string {
  return rule.health === "unknown" ? "unknown" : (rule.state ?? "inactive");
}

function instances(rule: Rule): HTMLElement {
  if (rule.health === "err") return el("span", { class: "error" }, rule.lastError ?? "evaluation failed");
  const list = (rule.alerts ?? []).slice(0, 10).map((a) => {
    const { alertname: _, ...rest } = a.labels;
    return el(
      "div",
      {},
      el("code", {}, metricText(rest)),
      ` ${a.state} since ${new Date(a.activeAt).toLocaleTimeString()}`,
    );
  });
  const more = (rule.alerts?.length ?? 0) - list.length;
  return el("div", {}, ...list, more > 0 ? `and ${more} more` : "");
}

export async function refreshTargets(): Promise<void> {
  const { data } = await call<{ activeTargets: Target[] }>("targets");
  const down = data.activeTargets.filter((t) => t.health === "down").length;
  byId("targets-note").textContent = `${count(data.activeTargets.length, "target")}, ${down} down`;
  const rows = data.activeTargets.map((t) => [
    state(t.health),
    t.scrapePool,
    el("div", {}, el("code", {}, t.scrapeUrl), t.lastError === "" ? "" : el("div", { class: "error" }, t.lastError)),
    el("code", {}, metricText(t.labels)),
    seconds(t.lastScrapeDuration),
  ]);
  byId("targets-list").replaceChildren(
    rows.length > 0
      ? table(["State", "Job", "Target", "Labels", "Last scrape took"], rows, [4])
      : el("p", { class: "empty" }, "no scrape targets: add scrape_configs to the configuration"),
  );
}
