import type { NoDataPolicy } from "./absence.ts";

/** Rule groups as they are run: checked, with defaults filled in. Durations are milliseconds. */
export interface RuleGroupSpec {
  readonly name: string;
  /** Absolute path of the rule file; of a group that came over the API, of where it is stored. */
  readonly file: string;
  /** Whose data it reads and writes; absent: the default tenant's. */
  readonly tenant?: string;
  /** Of a group that came over the API: in place of the file's name wherever people see it. */
  readonly namespace?: string;
  readonly intervalMs: number;
  /** The group looks this far into the past, so that late samples are seen. */
  readonly queryOffsetMs: number;
  /** Series or alerts that one rule may make; 0: no limit. */
  readonly limit: number;
  readonly rules: readonly RuleSpec[];
}

export type RuleSpec = RecordingRuleSpec | AlertingRuleSpec;

interface RuleSpecBase {
  /** The recorded metric's name or the alert's. */
  readonly name: string;
  /** PromQL, as PromQL prints it. */
  readonly query: string;
  /** Metric names that the expression selects by name; undefined when it may select any. */
  readonly reads: readonly string[] | undefined;
  /** The group's labels and the rule's own, which win. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface RecordingRuleSpec extends RuleSpecBase {
  readonly type: "recording";
}

/** `labels` and `annotations` are templates. */
export interface AlertingRuleSpec extends RuleSpecBase {
  readonly type: "alerting";
  readonly holdMs: number;
  readonly keepFiringForMs: number;
  readonly annotations: Readonly<Record<string, string>>;
  /** What becomes of an instance whose data is missing; absent: it resolves, as with Prometheus. */
  readonly noData?: NoDataPolicy;
  /** Evaluated and recorded, and told to nobody. Absent: not. */
  readonly shadow?: true;
  /** It is one by the group's key, and not by its own. Absent: not. */
  readonly shadowOfGroup?: true;
}

export function isShadow(rule: RuleSpec): boolean {
  return rule.type === "alerting" && rule.shadow === true;
}

/** Identifies a group over reloads and restarts. */
export function groupKey(group: { readonly file: string; readonly name: string }): string {
  return `${group.file};${group.name}`;
}

/** Groups are the same over a reload when everything in them is. */
export function sameGroup(a: RuleGroupSpec, b: RuleGroupSpec): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
