import { goQuote } from "../../lib/go-quote.ts";
import { type Labels, labelValue } from "../../model/labels.ts";
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
  if (route.groupByAll) return labels;
  const out: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i] as string;
    if (route.groupBy.includes(name)) out.push(name, labels[i + 1] as string);
  }
  return out;
}

/** Alertmanager's groupKey: `{}/{severity="page"}:{alertname="X"}`. */
export function groupKeyOf(route: Route, groupLabels: Labels): string {
  const pairs: string[] = [];
  for (let i = 0; i < groupLabels.length; i += 2)
    pairs.push(`${groupLabels[i]}=${quoted(groupLabels[i + 1] as string)}`);
  return `${route.key}:{${pairs.join(", ")}}`;
}

/** Nothing in it needs more than quotes; asked for each alert that comes. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : goQuote(text);
}

export interface Inhibitor {
  readonly source: LabelTest;
  readonly target: LabelTest;
  readonly equal: readonly string[];
}

function compileInhibitRules(rules: readonly InhibitRule[]): Inhibitor[] {
  return rules.map((rule) => ({
    source: compileMatchers(rule.source),
    target: compileMatchers(rule.target),
    equal: rule.equal,
  }));
}

/** A rule and the alerts that may inhibit by it; kept up to date as alerts come and go. */
export interface InhibitSources {
  readonly rule: Inhibitor;
  /** By the values of the rule's `equal` labels, then by fingerprint. Some may have ended. */
  readonly byEqual: Map<string, Map<string, HeldAlert>>;
}

export function makeInhibitSources(rules: readonly InhibitRule[]): InhibitSources[] {
  return compileInhibitRules(rules).map((rule) => ({ rule, byEqual: new Map() }));
}

/** Takes in an alert as it is now. */
export function addSource(sources: readonly InhibitSources[], alert: HeldAlert): void {
  for (const { rule, byEqual } of sources) {
    if (!rule.source(alert.labels)) continue;
    const key = equalKey(rule, alert.labels);
    const same = byEqual.get(key);
    if (same === undefined) byEqual.set(key, new Map([[alert.fingerprint, alert]]));
    else same.set(alert.fingerprint, alert);
  }
}

/** Forgets an alert. */
export function dropSource(sources: readonly InhibitSources[], { labels, fingerprint }: HeldAlert): void {
  for (const { rule, byEqual } of sources) {
    const key = equalKey(rule, labels);
    const same = byEqual.get(key);
    if (same?.delete(fingerprint) === true && same.size === 0) byEqual.delete(key);
  }
}

/**
 * Fingerprints of the alerts that fire at `now` and inhibit this one, one a rule. An alert that is source and target inhibits no
 * such other.
 */
export function inhibitedBy(sources: readonly InhibitSources[], labels: Labels, now: number): string[] {
  const out: string[] = [];
  for (const { rule, byEqual } of sources) {
    if (!rule.target(labels)) continue;
    const same = byEqual.get(equalKey(rule, labels));
    if (same === undefined) continue;
    const isSource = rule.source(labels);
    for (const a of same.values()) {
      if (isResolved(a, now) || (isSource && rule.target(a.labels))) continue;
      out.push(a.fingerprint);
      break;
    }
  }
  return out;
}

function equalKey(rule: Inhibitor, labels: Labels): string {
  return rule.equal.map((name) => labelValue(labels, name)).join("\u0000");
}
