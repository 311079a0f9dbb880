import { goQuote } from "../../lib/go-quote.ts";
import { type Labels, labelsOnly, labelValue } from "../../model/labels.ts";
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import { type HeldAlert, isResolved } from "./alert-store.ts";
import type { InhibitRule, Route } from "./alertmanager-config.ts";

/** Tests a label set against compiled matchers. */
export type LabelTest = (labels: Labels) => boolean;

export interface RouteNode {
  readonly route: Route;
  readonly matches: LabelTest;
  readonly children: readonly RouteNode[];
}

export function compileRoute(route: Route): RouteNode {
  return { route, matches: compileMatchers(route.matchers), children: route.routes.map(compileRoute) };
}

export function compileMatchers(matchers: readonly Matcher[]): LabelTest {
  const tests = matchers.map((m) => ({ name: m.name, test: compileMatcher(m) }));
  return (labels) => tests.every(({ name, test }) => test(labelValue(labels, name)));
}

/** The routes that take the alert: the deepest match of each branch, going on to siblings only after `continue`. */
export function routesOf(node: RouteNode, labels: Labels): Route[] {
  if (!node.matches(labels)) return [];
  const out: Route[] = [];
  for (const child of node.children) {
    const taken = routesOf(child, labels);
    out.push(...taken);
    if (taken.length > 0 && !child.route.continue) break;
  }
  return out.length > 0 ? out : [node.route];
}

/** The labels that the route groups by and the alert has. */
export function groupLabelsOf(route: Route, labels: Labels): Labels {
  return route.groupByAll ? labels : labelsOnly(labels, new Set(route.groupBy));
}

/** Alertmanager's groupKey: `{}/{severity="page"}:{alertname="X"}`. */
export function groupKeyOf(route: Route, groupLabels: Labels): string {
  const pairs: string[] = [];
  for (let i = 0; i < groupLabels.length; i += 2)
    pairs.push(`${groupLabels[i]}=${goQuote(groupLabels[i + 1] as string)}`);
  return `${route.key}:{${pairs.join(", ")}}`;
}

export interface Inhibitor {
  readonly source: LabelTest;
  readonly target: LabelTest;
  readonly equal: readonly string[];
}

export function compileInhibitRules(rules: readonly InhibitRule[]): Inhibitor[] {
  return rules.map((rule) => ({
    source: compileMatchers(rule.source),
    target: compileMatchers(rule.target),
    equal: rule.equal,
  }));
}

/** For each rule, the alerts that can inhibit at `now`; made once a flush, then asked for each alert. */
export interface InhibitSources {
  readonly rule: Inhibitor;
  /** By the values of the rule's `equal` labels. */
  readonly byEqual: ReadonlyMap<string, readonly HeldAlert[]>;
}

export function inhibitSources(
  rules: readonly Inhibitor[],
  alerts: Iterable<HeldAlert>,
  now: number,
): InhibitSources[] {
  if (rules.length === 0) return [];
  const firing = [...alerts].filter((a) => !isResolved(a, now));
  return rules.map((rule) => {
    const byEqual = new Map<string, HeldAlert[]>();
    for (const alert of firing) {
      if (!rule.source(alert.labels)) continue;
      const key = equalKey(rule, alert.labels);
      const same = byEqual.get(key);
      if (same === undefined) byEqual.set(key, [alert]);
      else same.push(alert);
    }
    return { rule, byEqual };
  });
}

/** Fingerprints of the alerts that inhibit this one, one a rule. An alert that is source and target inhibits no such other. */
export function inhibitedBy(sources: readonly InhibitSources[], labels: Labels): string[] {
  const out: string[] = [];
  for (const { rule, byEqual } of sources) {
    if (!rule.target(labels)) continue;
    const isSource = rule.source(labels);
    const found = byEqual.get(equalKey(rule, labels))?.find((a) => !isSource || !rule.target(a.labels));
    if (found !== undefined) out.push(found.fingerprint);
  }
  return out;
}

function equalKey(rule: Inhibitor, labels: Labels): string {
  return rule.equal.map((name) => labelValue(labels, name)).join("\u0000");
}
