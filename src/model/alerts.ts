import type { Labels } from "./labels.ts";

/**
 * Alerts on their way from rules (or the API) through the alert manager to receivers. Times are Unix milliseconds.
 */
export interface PostedAlert {
  /** Identity of the alert; includes `alertname`. */
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  /** Absent: the time of arrival. */
  readonly startsAt?: number;
  /** In the past: resolved. In the future: it resolves then unless sent again. Absent: arrival + resolve_timeout. */
  readonly endsAt?: number;
  readonly generatorUrl: string;
  /** Of a rule's alert, where there is something to tell; no part of its identity. */
  readonly sight?: AlertSight;
}

/** What is to be known of how a rule came to an alert, besides its labels and annotations. */
export interface AlertSight {
  /** It was found so long after the time at which it began, since evaluation was behind. */
  readonly lateMs?: number;
  /** Since then (Unix ms) its condition cannot be seen; it goes on as what it was. */
  readonly unknownSince?: number;
  /** Why it cannot be seen, or ended without its condition having ended (src/actors/rule/absence.ts). */
  readonly reason?: string;
}

/** Where rules send firing and resolved alerts. Never blocks and never throws; the receiver keeps its own state. */
export type AlertSink = (alerts: readonly PostedAlert[]) => void;

/**
 * Publishes one event to a stream (`tocsin.alerts.…`, `tocsin.notifications.…`); may reject, the sender goes on without. `msgId` is
 * the same whenever the same event is published again, so that the stream takes it once.
 */
export type EventPublisher = (subject: string, payload: Uint8Array, msgId?: string) => Promise<void>;

/** An alert inside the alert manager, as /api/v2/alerts shows it. */
export interface ManagedAlert {
  readonly fingerprint: string;
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: number;
  readonly endsAt: number;
  readonly updatedAt: number;
  readonly generatorUrl: string;
  /** Of every route that takes it, in the order of the routes; twice where two routes name the same. */
  readonly receivers: readonly string[];
  readonly state: "unprocessed" | "active" | "suppressed";
  /** Ids of the silences that mute it. */
  readonly silencedBy: readonly string[];
  /** Fingerprints of the alerts that inhibit it. */
  readonly inhibitedBy: readonly string[];
  /** Names of the time intervals that mute it. */
  readonly mutedBy: readonly string[];
}

/** A group of alerts, as /api/v2/alerts/groups shows it. */
export interface ManagedGroup {
  readonly key: string;
  readonly receiver: string;
  readonly labels: Labels;
  /** Names of the time intervals that mute it. */
  readonly mutedBy: readonly string[];
  readonly alerts: readonly ManagedAlert[];
}

/** What /metrics tells about notifications, by receiver, integration and result. */
export interface NotifyStats {
  readonly alerts: { readonly active: number; readonly suppressed: number; readonly unprocessed: number };
  readonly groups: number;
  /** Notifications that could not be told and wait on disk, that were added and that were dropped because there were too many. */
  readonly deadLetters: { readonly waiting: number; readonly added: number; readonly dropped: number };
  /** Events that the bus does not have yet, and those dropped because there were too many. */
  readonly events: { readonly unpublished: number; readonly dropped: number };
  /**
   * Where notifications are claimed: those left to another Tocsin that told them, taken over from one that was not heard of, and
   * sent without a claim since nobody could be asked.
   */
  readonly claims?: { readonly leftToOthers: number; readonly takenOver: number; readonly unclaimed: number };
  /**
   * Posted alerts whose sender was told to send them again: not taken since too many waited, not on disk in time, and refused by the
   * disk. The last two page all the same.
   */
  readonly unacknowledged?: { readonly refused: number; readonly late: number; readonly unwritten: number };
  readonly integrations: readonly {
    readonly receiver: string;
    readonly integration: string;
    /** Notifications that reached the receiver. */
    readonly sent: number;
    /** Notifications given up for now; they are tried again at the next group interval. */
    readonly failed: number;
    /** Single attempts, and those of them that failed. */
    readonly requests: number;
    readonly requestsFailed: number;
    /** Notifications that went to a fallback receiver because this one could not be told, or to tell it their end. */
    readonly fallbacks: number;
    /** Attempts' latency, cumulative counts for NOTIFY_LATENCY_BUCKETS (seconds). */
    readonly latencyBuckets: readonly number[];
    readonly latencySeconds: number;
  }[];
}

export const NOTIFY_LATENCY_BUCKETS: readonly number[] = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 15, 20];
