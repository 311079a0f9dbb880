/** Why somebody was paged for an alert or not, as the API answers it. Times are RFC 3339. */
export interface ExplainAnswer {
  readonly time: string;
  readonly verdict: Verdict;
  readonly sentence: string;
  /** At most as many as were asked for. */
  readonly instances: readonly Explanation[];
  /** Instances that fit as well. */
  readonly leftOut: number;
  readonly records: {
    /** When the oldest record of each stream was made; null: there is none, or it could not be read. */
    readonly alertsBegin: string | null;
    readonly notificationsBegin: string | null;
    /** What could not be read, and what that means for the answer. */
    readonly problems: readonly string[];
  };
}

export type Verdict = "paged" | "not_paged" | "pending" | "inactive" | "unknown_alert";

export interface Explanation {
  readonly labels: Readonly<Record<string, string>>;
  readonly fingerprint: string | null;
  readonly verdict: Verdict;
  /** A word for the reason: `silenced`, `group_wait`, `for`. */
  readonly reason: string;
  readonly sentence: string;
  /** What can be done about it. */
  readonly advice: readonly string[];
  readonly chain: readonly ExplainStep[];
}

export type ExplainStage =
  | "evaluation"
  | "alert"
  | "route"
  | "group"
  | "inhibition"
  | "silence"
  | "time_interval"
  | "delivery"
  | "escalation"
  | "acknowledgement";

export interface ExplainStep {
  readonly stage: ExplainStage;
  readonly at: string | null;
  readonly outcome: string;
  readonly because: string;
  /** `recomputed`: from what is stored and configured, not from a record of that time. */
  readonly source: "recorded" | "recomputed";
  /** Where it was read: the bus, this process, its own files, or stored samples. */
  readonly from: "stream" | "memory" | "disk" | "query" | "configuration";
  readonly details?: Readonly<Record<string, unknown>>;
}
