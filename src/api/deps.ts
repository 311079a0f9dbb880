import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { AlertManager } from "../actors/alert/alert-manager.ts";
import type { Explainer } from "../actors/history/explainer.ts";
import type { Ruler } from "../actors/rule/ruler-store.ts";
import type { StorageAdmin } from "../actors/shard/storage-admin.ts";
import type { LimitsConfig, ScrapeConfig } from "../model/config.ts";
import type { Ingest } from "../model/ingest.ts";
import type { Engine } from "../model/query.ts";
import type { ActiveAlert, RuleGroupStatus } from "../model/rules.ts";
import type { ShardClient } from "../model/shard.ts";
import type { DroppedTarget, TargetStatus } from "../model/targets.ts";
import type { Patience } from "../query/execute/gather.ts";

/** What the HTTP layer needs from the rest of the process; wired in src/main. */
export interface ApiDeps {
  readonly engine: Engine;
  readonly shards: readonly ShardClient[];
  readonly ingest: Ingest;
  /** Resolves, soon in any case, when what was acknowledged until now can be queried; undefined when it can be already. */
  readonly visible: () => Promise<unknown> | undefined;
  readonly admin: StorageAdmin;
  /** Of the server, as it was started. */
  readonly limits: LimitsConfig;
  /** What holds for a tenant now. */
  readonly limitsOf: (tenant: string) => LimitsConfig;
  /** How long shards are waited for, shared with the engine. */
  readonly patience?: Patience;
  readonly rules: (tenant: string) => readonly RuleGroupStatus[];
  readonly alerts: (tenant: string) => readonly ActiveAlert[];
  /** The rule groups that came over the API. */
  readonly ruler: Ruler;
  readonly alertManager: AlertManager;
  /** Explains why somebody was paged or not; absent: the server keeps no records. */
  readonly explain?: Explainer;
  /** Counts alerts that were posted, by what they are. */
  readonly postedAlerts: (firing: number, resolved: number, invalid: number) => void;
  readonly targets: () => readonly TargetStatus[];
  /** Targets that relabeling took out. */
  readonly droppedTargets: () => readonly DroppedTarget[];
  /** The scrape jobs of the configuration in force. */
  readonly scrapeConfigs: () => readonly ScrapeConfig[];
  readonly registry: Registry;
  readonly observe: ApiMetrics;
  readonly ready: () => { readonly ready: boolean; readonly reason: string };
  /** Reads the configuration again; throws ConfigError and keeps the old one. */
  readonly reload: () => Promise<void>;
  /** The configuration file as it was read. */
  readonly configText: () => string;
  /** Where the server is reached from outside, without a slash at the end; its path may be in front of that of a request. */
  readonly externalUrl?: string;
  readonly version: string;
  readonly startTime: number;
  readonly now: () => number;
  readonly log: Logger;
}

/** What the routes count. */
export interface ApiMetrics {
  /** Seconds that a query took, by API call and outcome ("success" or the error's type). */
  query(call: "query" | "query_range", outcome: string, seconds: number): void;
  /** Seconds that a call waited for what had been acknowledged before it, where it did. */
  waitedVisible(seconds: number): void;
  request(route: string, method: string, status: number, seconds: number): void;
  accepted(protocol: string, samples: number): void;
  rejected(protocol: string, reason: string, samples: number): void;
}
