import type { PostedAlert } from "../../model/alerts.ts";
import type { Labels } from "../../model/labels.ts";

/** What a rule tells the alert manager, and when (Unix ms). */
export interface TimedPost {
  readonly at: number;
  readonly alert: PostedAlert;
}

/** One notification to one receiver, as it would have been sent. Times are Unix ms. */
export interface Page {
  readonly at: number;
  readonly receiver: string;
  /** The receiver's integrations that are told: `slack[0]`. */
  readonly integrations: readonly string[];
  /** Firing as long as one of its alerts is. */
  readonly status: "firing" | "resolved";
  /** In Alertmanager's words. */
  readonly reason: string;
  readonly groupKey: string;
  readonly groupLabels: Labels;
  readonly alerts: readonly PagedAlert[];
  /** It comes from an escalation: which, its step (from 1; 0: its end), and by which schedules its receiver is on call. */
  readonly escalation?: { readonly name: string; readonly step: number; readonly schedules: readonly string[] };
}

export interface PagedAlert {
  readonly fingerprint: string;
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: number;
  /** 0: it fires. */
  readonly endsAt: number;
}

/** One stretch of time in which an alert fires. */
export interface Episode {
  readonly alertname: string;
  /** As the alert manager has them. */
  readonly labels: Labels;
  readonly firedAt: number;
  /** 0: it goes on. */
  readonly endedAt: number;
}

export function pagedAlert({ fingerprint, labels, annotations, startsAt, endsAt }: PagedAlert): PagedAlert {
  return { fingerprint, labels, annotations, startsAt, endsAt };
}
