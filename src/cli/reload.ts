import * as Effect from "effect/Effect";
import type { Logger as Log } from "pino";
import { type Loaded, loadAll, loadRules } from "./load-all.ts";
import type { Parts } from "./wire-parts.ts";

/** The configuration in force. */
export interface LiveConfiguration {
  current(): Loaded;
  /** Reads all files again. Throws ConfigError and keeps the one before. */
  read(): Loaded;
  /** Reads the rule files again, and nothing else. Throws ConfigError and keeps the ones before. */
  readRules(): Loaded;
  /** Reads the receivers' secret files again, and nothing else. Throws ConfigError and keeps what was before. */
  readSecrets(): Loaded;
}

/** Reads the configuration for the first time; throws ConfigError with every problem. */
export function liveConfiguration(file: string, log: Log): LiveConfiguration {
  let loaded = loadAll(file, log);
  return {
    current: () => loaded,
    read: () => {
      loaded = loadAll(file, log);
      return loaded;
    },
    readRules: () => {
      loaded = { ...loaded, groups: loadRules(loaded.config, loaded.alertmanager, log) };
      return loaded;
    },
    readSecrets: () => {
      loaded = { ...loaded, alertmanager: loaded.alertmanager.reread?.() ?? loaded.alertmanager };
      return loaded;
    },
  };
}

/** What a reload does: rules, receivers and scrapes go over to the new configuration. Rejects when there is none to use. */
export const makeReload = (live: LiveConfiguration, parts: Parts, log: Log) => async (): Promise<void> => {
  const loaded = live.read();
  parts.applyRules();
  parts.alertManager.reload(loaded.alertmanager);
  const scrapes = parts.scrapes.current();
  if (scrapes !== undefined) await Effect.runPromise(scrapes.reload(loaded.config));
  log.info("configuration reloaded");
};

/** SIGHUP reloads, for as long as the scope. */
export const reloadOnHangup = (reload: () => Promise<void>, log: Log) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const listener = () => {
        reload().catch((e: unknown) => log.error({ err: e }, "configuration not reloaded, the old one goes on"));
      };
      process.on("SIGHUP", listener);
      return listener;
    }),
    (listener) => Effect.sync(() => process.off("SIGHUP", listener)),
  );
