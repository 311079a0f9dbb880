import * as Effect from "effect/Effect";
import type { Logger as Log } from "pino";
import type { AlertmanagerConfig } from "../actors/alert/alertmanager-config.ts";
import { type RuleWatch, watchRuleFiles } from "../actors/rule/ruler-watch.ts";
import type { LiveConfiguration } from "./reload.ts";

export interface WatchSecretsOptions {
  readonly live: LiveConfiguration;
  /** Has notifications sent with this from now on. */
  readonly apply: (config: AlertmanagerConfig) => void;
  readonly log: Pick<Log, "info" | "error">;
  readonly everyMs?: number;
}

/**
 * Files that hold secrets of receivers are read again when they change, for as long as the scope: a token that is renewed every
 * hour must not wait for a reload. The rest of the configuration stays as it is.
 */
export const watchSecrets = (options: WatchSecretsOptions) =>
  Effect.acquireRelease(
    Effect.sync(() => startSecretWatch(options)),
    (watch) => Effect.sync(() => watch.close()),
  );

export function startSecretWatch({ live, apply, log, everyMs }: WatchSecretsOptions): RuleWatch {
  return watchRuleFiles({
    patterns: () => live.current().alertmanager.secretFiles ?? [],
    onChange: () => {
      try {
        apply(live.readSecrets().alertmanager);
        log.info("secret files of the receivers changed and were read again");
      } catch (e) {
        const reason = e instanceof Error ? e.message : String(e);
        log.error(`secret files of the receivers changed and cannot be used, the secrets before go on:\n${reason}`);
      }
    },
    ...(everyMs === undefined ? {} : { everyMs }),
  });
}
