/**
 * Why an instance's condition was not seen, or why its end is not the condition's. Told in transitions, notifications' data
 * and status; codes are positions, stored in columns.
 */
export const REASONS = [
  "",
  /** The query was answered with an error, or not at all. */
  "query_failed",
  /** Shards did not answer, or data that was stored is damaged: the answer is partial. */
  "shard_missing",
  /** Samples that were published have not been read by the shards. */
  "bus_lagging",
  /** The bus does not answer, so nobody knows what has been published. */
  "bus_down",
  /** Nothing was evaluated for a while, and the windows that the expression looks at have a hole. */
  "not_evaluated",
  /** The series ended: its target is gone, or its rule does not make it any more. */
  "target_gone",
  /** The series has no samples any more, though nobody has ended it. */
  "sender_silent",
  /** Nothing that the expression reads is there, and nobody can tell since when. */
  "no_data",
] as const;

export type Reason = (typeof REASONS)[number];

export function reasonCode(reason: Reason): number {
  return REASONS.indexOf(reason);
}

/** What a rule does with an instance whose data is missing; the key `no_data` of a rule. */
export const NO_DATA_POLICIES = ["resolve", "keep", "unknown", "alert"] as const;
export type NoDataPolicy = (typeof NO_DATA_POLICIES)[number];

/** What it means that an instance is not in a result. */
export type Absence =
  /** The condition is not true any more. With a reason: its data ended, which the rule takes for the same. */
  | { readonly verdict: "ended"; readonly reason: Reason }
  | { readonly verdict: "unseen"; readonly reason: Reason; readonly quiet: boolean }
  /** It counts as true. */
  | { readonly verdict: "active"; readonly reason: Reason };

export const ENDED: Absence = { verdict: "ended", reason: "" };

/** The verdict on an instance whose data is missing. */
export function absenceBy(policy: NoDataPolicy, reason: Reason): Absence {
  if (policy === "resolve") return { verdict: "ended", reason };
  if (policy === "alert") return { verdict: "active", reason };
  return { verdict: "unseen", reason, quiet: policy === "keep" };
}

export function unseen(reason: Reason): Absence {
  return { verdict: "unseen", reason, quiet: false };
}
