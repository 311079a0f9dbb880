import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { formatDuration } from "../../lib/duration.ts";
import { nextTick, stampTick, tickOffset } from "../../lib/ticks.ts";
import type { ScrapeConfig } from "../../model/config.ts";
import { labelsToObject } from "../../model/labels.ts";
import type { TargetStatus } from "../../model/targets.ts";
import type { SampleBatch } from "../../streams/outbox/sample-batch.ts";
import { type ScrapeOutcome, type ScrapeRules, type TargetMemory, takeScrape } from "./scrape-core.ts";
import { contentTypeProblem, type ScrapeClient } from "./scrape-http.ts";
import type { Target } from "./target.ts";

/** What is known of a target from scrape to scrape; outlives the actor, so a crash of it loses nothing. */
export interface TargetState {
  readonly memory: TargetMemory;
  health: TargetStatus["health"];
  lastError: string;
  /** Unix ms, 0 before the first scrape. */
  lastScrape: number;
  lastSeconds: number;
  scrapes: number;
  failures: number;
  samples: number;
}

export interface TargetActorOptions {
  readonly target: Target;
  readonly state: TargetState;
  readonly rules: ScrapeRules;
  readonly client: ScrapeClient;
  /** Tells servers apart that scrape the same targets, so that they do not do it at the same moment. */
  readonly seed: string;
  /** Every scrape fails with this, without a request ("" for none). */
  readonly forcedError: string;
  readonly send: (batch: SampleBatch, now: number) => void;
  /** Hears of a target that goes down or comes back. */
  readonly onChange: (message: string) => void;
}

/** Scrapes one target at its ticks; never returns. */
export function targetActor(options: TargetActorOptions): Effect.Effect<never> {
  const { intervalMs } = options.target;
  const offset = tickOffset(`${options.seed}\0${options.target.key}`, intervalMs);
  return Effect.gen(function* () {
    let due = nextTick(yield* Clock.currentTimeMillis, intervalMs, offset);
    while (true) {
      const now = yield* Clock.currentTimeMillis;
      if (now < due) yield* Effect.sleep(due - now);
      yield* scrapeOnce(options, stampTick(yield* Clock.currentTimeMillis, due, intervalMs));
      due = nextTick(Math.max(due, yield* Clock.currentTimeMillis), intervalMs, offset);
    }
  });
}

/** One scrape, stamped with `t`: fetch, parse, hand over. Never fails: a failed scrape is a sample too (`up` 0). */
export const scrapeOnce = Effect.fnUntraced(function* (options: TargetActorOptions, t: number) {
  const { target, state, rules } = options;
  const start = performance.now();
  const fetched = yield* Effect.result(
    options.forcedError === ""
      ? Effect.tryPromise({
          try: (signal) => options.client.fetch(target.url, target.timeoutMs, signal),
          catch: (error) => (error instanceof Error ? error.message : String(error)),
        })
      : Effect.fail(options.forcedError),
  );
  const seconds = (performance.now() - start) / 1000;
  let outcome: ScrapeOutcome;
  if (fetched._tag === "Failure") outcome = { ok: false, error: fetched.failure, t, seconds };
  else {
    const wrong = contentTypeProblem(fetched.success.contentType, rules.config.fallbackToText);
    outcome =
      wrong === undefined
        ? { ok: true, body: fetched.success.bytes, t, seconds }
        : { ok: false, error: wrong, t, seconds };
  }
  const taken = takeScrape(state.memory, rules, outcome);
  remember(options, taken.error, t, seconds, taken.scraped);
  options.send(taken.batch, yield* Clock.currentTimeMillis);
  return taken;
});

function remember(options: TargetActorOptions, error: string, t: number, seconds: number, samples: number): void {
  const { state, target, rules } = options;
  const health = error === "" ? "up" : "down";
  if (health !== state.health && (health === "down" || state.health === "down")) {
    const why = health === "down" ? `is down: ${error}` : "is up again";
    options.onChange(`target ${target.url} of job ${rules.config.jobName} ${why}`);
  }
  state.health = health;
  state.lastError = error;
  state.lastScrape = t;
  state.lastSeconds = seconds;
  state.scrapes++;
  state.samples += samples;
  if (error !== "") state.failures++;
}

export function targetStatus(config: ScrapeConfig, target: Target, state: TargetState): TargetStatus {
  return {
    discoveredLabels: target.discoveredLabels,
    labels: labelsToObject(target.labels),
    scrapePool: config.jobName,
    scrapeUrl: target.url,
    globalUrl: target.url,
    lastError: state.lastError,
    lastScrape: state.lastScrape === 0 ? "0001-01-01T00:00:00Z" : new Date(state.lastScrape).toISOString(),
    lastScrapeDuration: state.lastSeconds,
    health: state.health,
    scrapeInterval: formatDuration(target.intervalMs),
    scrapeTimeout: formatDuration(target.timeoutMs),
  };
}
