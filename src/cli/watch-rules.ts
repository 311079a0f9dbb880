import * as Effect from "effect/Effect";
import type { Logger as Log } from "pino";
import { type RuleWatch, watchRuleFiles } from "../actors/rule/ruler-watch.ts";
import type { RuleFileReloads } from "../api/rule-file-metrics.ts";
import type { LiveConfiguration } from "./reload.ts";

export interface WatchRulesOptions {
  readonly live: LiveConfiguration;
  /** Has the groups run that are in force now. */
  readonly applyRules: () => void;
  readonly log: Pick<Log, "info" | "error">;
  readonly everyMs?: number;
}

/** Rule files that change are read again by themselves, for as long as the scope. All of them, or none where one is wrong. */
export const watchRules = (options: WatchRulesOptions) =>
  Effect.acquireRelease(
    Effect.sync(() => startWatch(options)),
    ({ watch }) => Effect.sync(() => watch.close()),
  );

export function startWatch({ live, applyRules, log, everyMs }: WatchRulesOptions): {
  readonly watch: RuleWatch;
  readonly reloads: () => RuleFileReloads;
} {
  const counts = { ok: 0, failed: 0, current: true };
  const watch = watchRuleFiles({
    patterns: () => live.current().config.ruleFiles,
    onChange: () => {
      try {
        const { groups } = live.readRules();
        applyRules();
        counts.ok++;
        counts.current = true;
        const rules = groups.reduce((n, g) => n + g.rules.length, 0);
        log.info(`rule files changed and were read again: ${groups.length} groups with ${rules} rules`);
      } catch (e) {
        counts.failed++;
        counts.current = false;
        const reason = e instanceof Error ? e.message : String(e);
        log.error(`rule files changed and cannot be used, the rules before go on:\n${reason}`);
      }
    },
    ...(everyMs === undefined ? {} : { everyMs }),
  });
  return { watch, reloads: () => counts };
}
