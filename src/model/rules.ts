import type { Labels } from "./labels.ts";

/**
 * Rule groups, rules and active alerts as the API shows them (/api/v1/rules, /api/v1/alerts). Times are Unix
 * milliseconds, durations milliseconds; the API turns them into RFC 3339 and seconds.
 */
export type AlertState = "inactive" | "pending" | "firing";

/** `unknown` until the first evaluation. */
export type RuleHealth = "unknown" | "ok" | "err";

export interface RuleGroupStatus {
  readonly name: string;
  /** The rule file, absolute; of a group that came over the API its namespace. */
  readonly file: string;
  readonly intervalMs: number;
  /** Alerts or series a rule may make; 0: no limit. */
  readonly limit: number;
  /** How far back of its tick the group looks. */
  readonly queryOffsetMs: number;
  readonly rules: readonly RuleStatus[];
  /** How long the last evaluation of the whole group took. */
  readonly evaluationMs: number;
  /** When the last evaluation started; 0 (the API's 0001-01-01T00:00:00Z) when there was none. */
  readonly lastEvaluation: number;
  /** Why not all that was published had been read for it (src/actors/rule/absence.ts); "" or absent: all had. */
  readonly inputs?: string;
  /** How many ms after its time it began, where that is an interval or more; else 0 or absent. */
  readonly lateMs?: number;
}

export type RuleStatus = AlertingRuleStatus | RecordingRuleStatus;

interface RuleStatusBase {
  readonly name: string;
  /** The expression as PromQL prints it. */
  readonly query: string;
  readonly labels: Labels;
  readonly health: RuleHealth;
  /** "" when the last evaluation went well. */
  readonly lastError: string;
  readonly evaluationMs: number;
  /** 0 when there was none. */
  readonly lastEvaluation: number;
}

export interface RecordingRuleStatus extends RuleStatusBase {
  readonly type: "recording";
}

export interface AlertingRuleStatus extends RuleStatusBase {
  readonly type: "alerting";
  /** The worst state of its alerts. */
  readonly state: AlertState;
  /** `for`. */
  readonly holdMs: number;
  readonly keepFiringForMs: number;
  /** `no_data`, where the rule has it. */
  readonly noData?: string;
  /** Templates, not expanded. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly alerts: readonly ActiveAlert[];
  /** Evaluated and recorded, and told to nobody. Absent: not. */
  readonly shadow?: true;
  /** It is one by the group's key, and not by its own. Absent: not. */
  readonly shadowOfGroup?: true;
  /** Of a shadow rule, and of live ones of the same name. */
  readonly tally?: FiringTally;
}

/** How often a rule fired, by its own count. Times are Unix ms of evaluations. */
export interface FiringTally {
  /** From when on it is counted. */
  readonly since: number;
  /** Instances that began to fire. */
  readonly fired: number;
  /** How often it went from no firing instance to one or more. */
  readonly episodes: number;
  /** The longest that an instance fired and that has ended. */
  readonly longestMs: number;
  /** When an instance began to fire last; 0: none did. */
  readonly lastFired: number;
  /** The most instances that fired at one time. */
  readonly most: number;
}

export interface ActiveAlert {
  /** With `alertname` and the rule's labels, templates expanded. */
  readonly labels: Labels;
  /** Templates expanded; values may be empty. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: "pending" | "firing";
  /** Since when the expression has been true for this label set. */
  readonly activeAt: number;
  /** Present while `keep_firing_for` alone keeps it firing. */
  readonly keepFiringSince?: number;
  /** Present while its condition cannot be seen: since when and why, and whether it is told as unknown by now. */
  readonly unseenSince?: number;
  readonly reason?: string;
  readonly unknown?: boolean;
  /** Of a shadow rule: nobody is told. */
  readonly shadow?: true;
  /** The API prints it in Go's 'e' format (`1e+00`). */
  readonly value: number;
}

/** What /metrics tells about rules. */
export interface RuleStats {
  readonly groups: readonly {
    readonly name: string;
    readonly file: string;
    readonly rules: number;
    readonly lastDurationMs: number;
    readonly lastEvaluation: number;
    readonly evaluations: number;
    readonly failures: number;
    /** Ticks that were not evaluated because the group was behind. */
    readonly missed: number;
    /** Evaluations before all that was published had been read, by why. */
    readonly incomplete: ReadonlyMap<string, number>;
    /** How many ms after its time the last one began; 0 for less than an interval. */
    readonly lateMs: number;
    readonly lastSamples: number;
  }[];
  /** Evaluation durations of rules, cumulative counts for RULE_DURATION_BUCKETS (seconds). */
  readonly durationBuckets: readonly number[];
  readonly durationCount: number;
  readonly durationSeconds: number;
}

export const RULE_DURATION_BUCKETS: readonly number[] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30];
