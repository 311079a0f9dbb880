import { call } from "./api.ts";

/** What the list of alerts shows, put together of what the alert manager, the rules and the escalations say. */
export interface ShownAlert {
  /** Stays the same as long as it is the same alert. */
  readonly key: string;
  readonly state: AlertState;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly since: string;
  /** Of the rule's expression, where the rule is of this server. */
  readonly value: string | undefined;
  readonly source: string | undefined;
  /** Why it is muted, or cannot be seen. */
  readonly notes: readonly string[];
}

export interface ShownGroup {
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty: nobody is told (yet). */
  readonly receivers: readonly string[];
  readonly alerts: readonly ShownAlert[];
  readonly escalations: readonly Escalation[];
}

export const STATES = ["firing", "unknown", "pending", "acknowledged", "silenced", "inhibited", "muted"] as const;
export type AlertState = (typeof STATES)[number];

export interface Escalation {
  readonly id: string;
  readonly escalation: string;
  readonly state: string;
  readonly nextStep: number | null;
  readonly nextAt: string | null;
  readonly paged: readonly string[];
  readonly acknowledgement: { readonly by: string; readonly until: string | null; readonly comment: string } | null;
  readonly alerts: readonly { readonly fingerprint: string; readonly firing: boolean }[];
}

interface ManagedAlert {
  readonly fingerprint: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly startsAt: string;
  readonly generatorURL?: string;
  readonly status: {
    readonly silencedBy: readonly string[];
    readonly inhibitedBy: readonly string[];
    readonly mutedBy: readonly string[];
  };
}
interface ManagedGroup {
  readonly labels: Record<string, string>;
  readonly receiver: { readonly name: string };
  readonly alerts: readonly ManagedAlert[];
}
interface RuleAlert {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly state: string;
  readonly activeAt: string;
  readonly unseenSince?: string;
  readonly reason?: string;
  readonly unknown?: boolean;
  readonly shadow?: boolean;
  readonly value: string;
}

/** A call of Alertmanager's API; rejects with the server's own reason. */
export async function ask<T>(path: string, method = "GET", body?: unknown): Promise<T> {
  return send<T>(`api/v2/${path}`, method, body);
}

/** Acknowledges an escalation; rejects with the server's own reason. */
export async function acknowledge(id: string, by: string, comment: string): Promise<void> {
  await send(`api/v1/escalations/${encodeURIComponent(id)}/ack`, "POST", { by, comment, via: "ui" });
}

async function send<T>(path: string, method: string, body: unknown): Promise<T> {
  const response = await fetch(path, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  let answer: unknown;
  try {
    answer = text === "" ? undefined : JSON.parse(text);
  } catch {
    throw new Error(`${response.status} ${response.statusText}: ${text.slice(0, 200)}`);
  }
  if (response.ok) return answer as T;
  const { message, error } = (typeof answer === "object" ? answer : {}) as { message?: string; error?: string };
  throw new Error(typeof answer === "string" ? answer : (message ?? error ?? `status ${response.status}`));
}

export async function readGroups(): Promise<ShownGroup[]> {
  const [groups, rules, escalations] = await Promise.all([
    ask<ManagedGroup[]>("alerts/groups"),
    call<{ alerts: RuleAlert[] }>("alerts"),
    call<{ escalations: Escalation[] }>("escalations", { escalation_state: "active", limit: "0" }),
  ]);
  return merge(groups, rules.data.alerts, escalations.data.escalations);
}

function merge(
  groups: readonly ManagedGroup[],
  rules: readonly RuleAlert[],
  open: readonly Escalation[],
): ShownGroup[] {
  const byFingerprint = new Map<string, Escalation>();
  for (const e of open) for (const a of e.alerts) if (a.firing) byFingerprint.set(a.fingerprint, e);
  const told = rules.filter((r) => r.state === "firing" && r.shadow !== true);
  const ofRule = ruleFinder(told);
  const found = new Map<
    string,
    { labels: Record<string, string>; receivers: Set<string>; alerts: Map<string, ManagedAlert> }
  >();
  for (const { labels, receiver, alerts } of groups) {
    const key = keyOf(labels);
    const group = found.get(key) ?? { labels, receivers: new Set(), alerts: new Map() };
    group.receivers.add(receiver.name);
    for (const a of alerts) group.alerts.set(a.fingerprint, a);
    found.set(key, group);
  }
  const shown: ShownGroup[] = [...found].map(([key, { labels, receivers, alerts }]) => ({
    key,
    labels,
    receivers: [...receivers].sort(),
    alerts: sorted(
      [...alerts.values()].map((a) => managed(a, ofRule(a.labels), byFingerprint.get(a.fingerprint), key)),
    ),
    escalations: [...new Set([...alerts.keys()].flatMap((f) => byFingerprint.get(f) ?? []))],
  }));
  const waiting = new Map<string, RuleAlert[]>();
  for (const r of rules) {
    if (r.state === "firing" || r.shadow === true) continue;
    const name = r.labels.alertname ?? "";
    waiting.set(name, [...(waiting.get(name) ?? []), r]);
  }
  for (const [alertname, alerts] of waiting) {
    const key = `pending ${alertname}`;
    shown.push({
      key,
      labels: { alertname },
      receivers: [],
      alerts: sorted(alerts.map((r) => ofRules(r, key))),
      escalations: [],
    });
  }
  return shown.sort((a, b) => worst(a) - worst(b) || paging(b) - paging(a) || (newest(a) < newest(b) ? 1 : -1));
}

function managed(
  a: ManagedAlert,
  rule: RuleAlert | undefined,
  escalation: Escalation | undefined,
  group: string,
): ShownAlert {
  const { silencedBy, inhibitedBy, mutedBy } = a.status;
  const unknown = rule?.unknown === true;
  const acknowledged = escalation?.state === "acknowledged";
  const active = unknown ? "unknown" : acknowledged ? "acknowledged" : "firing";
  const muted = silencedBy.length > 0 ? "silenced" : inhibitedBy.length > 0 ? "inhibited" : "muted";
  const state = silencedBy.length + inhibitedBy.length + mutedBy.length > 0 ? muted : active;
  const notes = unseen(rule);
  if (mutedBy.length > 0) notes.push(`muted by ${mutedBy.join(", ")}`);
  return {
    key: `${group} ${a.fingerprint}`,
    state,
    labels: a.labels,
    annotations: a.annotations,
    since: a.startsAt,
    value: rule?.value,
    source: a.generatorURL,
    notes,
  };
}

function ofRules(r: RuleAlert, group: string): ShownAlert {
  const { labels, annotations, value } = r;
  const state = r.unknown === true ? "unknown" : "pending";
  return {
    key: `${group} ${keyOf(labels)}`,
    state,
    labels,
    annotations,
    since: r.activeAt,
    value,
    source: undefined,
    notes: unseen(r),
  };
}

function unseen(rule: RuleAlert | undefined): string[] {
  if (rule?.unseenSince === undefined) return [];
  return [`cannot be seen since ${new Date(rule.unseenSince).toLocaleTimeString()}: ${rule.reason ?? ""}`];
}

/** Finds the rule's alert of a told one, which has the external labels on top. */
function ruleFinder(rules: readonly RuleAlert[]): (labels: Record<string, string>) => RuleAlert | undefined {
  const exact = new Map(rules.map((r) => [keyOf(r.labels), r]));
  const names = new Set(rules.map((r) => r.labels.alertname ?? ""));
  let extra: readonly string[] = [];
  return (labels) => {
    if (!names.has(labels.alertname ?? "")) return undefined;
    const less = Object.fromEntries(Object.entries(labels).filter(([name]) => !extra.includes(name)));
    const known = exact.get(keyOf(labels)) ?? exact.get(keyOf(less));
    if (known !== undefined || extra.length > 0) return known;
    const inside = rules.find((r) => Object.entries(r.labels).every(([name, value]) => labels[name] === value));
    if (inside !== undefined) extra = Object.keys(labels).filter((name) => !(name in inside.labels));
    return inside;
  };
}

function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const rank = (a: ShownAlert) => STATES.indexOf(a.state);

function sorted(alerts: readonly ShownAlert[]): ShownAlert[] {
  return [...alerts].sort((a, b) => rank(a) - rank(b) || (a.since < b.since ? 1 : -1));
}

const worst = (g: ShownGroup) => Math.min(...g.alerts.slice(0, 1).map(rank));
const paging = (g: ShownGroup) => Number(g.escalations.some((e) => e.state !== "acknowledged"));
const newest = (g: ShownGroup) => g.alerts[0]?.since ?? "";
