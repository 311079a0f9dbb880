import type { Matcher } from "../../model/matcher.ts";
import type { EscalationConfig } from "../escalation/escalation-config.ts";
import type { Integration } from "./integration-config.ts";
import type { TimeInterval } from "./time-interval.ts";

/** Alertmanager's configuration as it is used: checked, inherited settings filled in, durations in milliseconds. */
export interface AlertmanagerConfig {
  readonly file: string;
  /** The file's text with its secrets masked, for what shows it. */
  readonly text: string;
  /** Of all that was read, secret and template files included: a configuration with the same one is the same. */
  readonly hash: string;
  /** Absolute paths of the files that hold its secrets. */
  readonly secretFiles?: readonly string[];
  /** The same text with its secret files as they are now. Throws ConfigError. */
  readonly reread?: () => AlertmanagerConfig;
  readonly resolveTimeoutMs: number;
  readonly route: Route;
  /** Tocsin's own: stands in for receivers that name none themselves. */
  readonly fallbackReceiver?: string;
  /** Tocsin's own: the alert that always fires. */
  readonly heartbeat?: Heartbeat;
  readonly receivers: readonly Receiver[];
  readonly inhibitRules: readonly InhibitRule[];
  readonly timeIntervals: ReadonlyMap<string, readonly TimeInterval[]>;
  /** Tocsin's own keys: who is on call, and who is paged when nobody acknowledges. */
  readonly escalation: EscalationConfig;
}

/**
 * Tocsin's own key `heartbeat`: an alert that always fires, evaluated as any rule and told to a receiver at every interval. Somebody
 * outside, such as `tocsin watchdog`, pages when it stays away.
 */
export interface Heartbeat {
  readonly receiver: string;
  readonly intervalMs: number;
}

export interface Route {
  /** Alertmanager's key of the route: the matchers on the way from the root, `{}/{severity="page"}`. */
  readonly key: string;
  readonly receiver: string;
  /** Name of the escalation that pages for it; its receiver is then the last resort. */
  readonly escalation: string | undefined;
  /** The route names a receiver beside its escalation, which is told as without one. */
  readonly tellsReceiver: boolean;
  readonly matchers: readonly Matcher[];
  readonly continue: boolean;
  /** `group_by: [...]`: every label. */
  readonly groupByAll: boolean;
  readonly groupBy: readonly string[];
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatIntervalMs: number;
  readonly muteTimeIntervals: readonly string[];
  readonly activeTimeIntervals: readonly string[];
  readonly routes: readonly Route[];
}

export interface Receiver {
  readonly name: string;
  /** In Alertmanager's order of kinds. */
  readonly integrations: readonly Integration[];
  /** Tocsin's own: the receiver that is told what this one could not be told. */
  readonly fallbackReceiver?: string;
  /** By which the API finds it, besides its name; absent: none. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface InhibitRule {
  readonly source: readonly Matcher[];
  readonly target: readonly Matcher[];
  readonly equal: readonly string[];
}
