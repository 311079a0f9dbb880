import type { Matcher } from "../../model/matcher.ts";
import type { TimeInterval } from "./time-interval.ts";

/** Alertmanager's configuration as it is used: checked, inherited settings filled in, durations in milliseconds. */
export interface AlertmanagerConfig {
  readonly file: string;
  /** The file's text, for the status page. */
  readonly text: string;
  readonly resolveTimeoutMs: number;
  readonly route: Route;
  readonly receivers: readonly Receiver[];
  readonly inhibitRules: readonly InhibitRule[];
  readonly timeIntervals: ReadonlyMap<string, readonly TimeInterval[]>;
  /** Globs of template files, absolute. */
  readonly templates: readonly string[];
}

export interface Route {
  /** Alertmanager's key of the route: the matchers on the way from the root, `{}/{severity="page"}`. */
  readonly key: string;
  readonly receiver: string;
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
}

/** One way that a receiver is told, told apart by `kind`. */
export type Integration = WebhookConfig;

export interface IntegrationBase {
  /** The kind and its number among those of the kind in the receiver, as in Alertmanager: `slack[0]`. */
  readonly name: string;
  readonly sendResolved: boolean;
}

export interface WebhookConfig extends IntegrationBase {
  readonly kind: "webhook";
  readonly url: string;
  /** 0: no limit. */
  readonly maxAlerts: number;
  /** Of one attempt; 0: the default. */
  readonly timeoutMs: number;
  readonly http: HttpConfig;
}

export interface HttpConfig {
  readonly headers: Readonly<Record<string, string>>;
  readonly followRedirects: boolean;
}

export interface InhibitRule {
  readonly source: readonly Matcher[];
  readonly target: readonly Matcher[];
  readonly equal: readonly string[];
}
