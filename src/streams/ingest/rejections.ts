import type { Rejection } from "../../model/ingest.ts";

/** Why a sample can never be taken: the values of the `reason` label. */
export type RejectReason =
  | "malformed_labels"
  | "invalid_utf8"
  | "missing_metric_name"
  | "empty_label_name"
  | "duplicate_label_name"
  | "too_many_labels"
  | "label_name_too_long"
  | "label_value_too_long"
  | "labels_too_long"
  | "invalid_timestamp"
  | "too_far_in_future"
  | "beyond_retention"
  | "invalid_histogram"
  | "invalid_exemplar";

/** The rejections of one request: counts by reason and the first case of each in full. */
export type Rejections = Map<RejectReason, { reason: RejectReason; count: number; message: string }>;

/** Counts `count` samples; `message` is only called for the first of its reason. */
export function reject(into: Rejections, reason: RejectReason, count: number, message: () => string): void {
  const known = into.get(reason);
  if (known === undefined) into.set(reason, { reason, count, message: message() });
  else known.count += count;
}

export function rejectionList(rejections: Rejections): readonly Rejection[] {
  return rejections.size === 0 ? NONE : [...rejections.values()];
}

const NONE: readonly Rejection[] = [];
