import type { ScrapeConfig } from "../../model/config.ts";
import type { DroppedTarget } from "../../model/targets.ts";
import { compileRelabel, type Relabeler } from "./relabel.ts";
import { makeScrapeClient, type ScrapeClient } from "./scrape-http.ts";
import { type Discovered, makeTarget, SELF_ADDRESS, type Target } from "./target.ts";
import type { TargetState } from "./target-actor.ts";

/** One job while it runs: its configuration made ready, what its discoveries found, and its targets. */
export interface ScrapePool {
  readonly config: ScrapeConfig;
  readonly targetRelabeler: Relabeler;
  readonly metricRelabeler: Relabeler;
  readonly client: ScrapeClient;
  /** Targets by discovery: static_configs under -1, file_sd_configs under their index. */
  readonly discovered: Map<number, readonly Discovered[]>;
  /** Ids of the children that watch files. */
  readonly discoveryIds: string[];
  readonly running: Map<string, RunningTarget>;
  /** Targets of the job's last configuration that wait for the first answer of the discoveries, to go on or to end. */
  carried: readonly RunningTarget[];
  dropped: readonly DroppedTarget[];
}

export interface RunningTarget {
  readonly target: Target;
  readonly childId: string;
  readonly state: TargetState;
  readonly forcedError: string;
}

export const STATIC = -1;

export function makePool(config: ScrapeConfig, selfAddress: string, userAgent: string): ScrapePool {
  const fixed = config.staticConfigs.flatMap(({ targets, labels }) =>
    targets.map((address) => ({ address: address === SELF_ADDRESS ? selfAddress : address, labels })),
  );
  return {
    config,
    targetRelabeler: compileRelabel(config.relabelConfigs),
    metricRelabeler: compileRelabel(config.metricRelabelConfigs),
    client: makeScrapeClient(config, userAgent),
    discovered: new Map([[STATIC, fixed]]),
    discoveryIds: [],
    running: new Map(),
    carried: [],
    dropped: [],
  };
}

export interface WantedTargets {
  readonly targets: ReadonlyMap<string, Target>;
  readonly dropped: readonly DroppedTarget[];
  /** Addresses that make no target, and why. */
  readonly problems: readonly string[];
  /** Not "": every scrape of the job fails with this. */
  readonly forcedError: string;
}

/** The targets that a pool should have for what was discovered; equal ones count once. */
export function wantedTargets(pool: ScrapePool): WantedTargets {
  const { jobName, targetLimit } = pool.config;
  const targets = new Map<string, Target>();
  const dropped: DroppedTarget[] = [];
  const problems: string[] = [];
  for (const discovered of [...pool.discovered.values()].flat()) {
    const made = makeTarget(pool.config, pool.targetRelabeler, discovered);
    if (made.kind === "target") targets.set(made.target.key, made.target);
    else if (made.kind === "dropped") dropped.push({ discoveredLabels: made.discoveredLabels, scrapePool: jobName });
    else problems.push(`job ${jobName}: target ${JSON.stringify(discovered.address)}: ${made.reason}`);
  }
  const tooMany = targetLimit > 0 && targets.size > targetLimit;
  const forcedError = tooMany ? `target_limit exceeded: ${targets.size} targets, the limit is ${targetLimit}` : "";
  return { targets, dropped, problems, forcedError };
}
