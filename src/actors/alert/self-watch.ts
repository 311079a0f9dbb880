import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { AlertSink } from "../../model/alerts.ts";
import { labelsFromObject } from "../../model/labels.ts";

/**
 * Alerts on Tocsin itself that need neither the bus nor the shards: the samples of its own metrics go through both, so that rules
 * cannot see when these are gone. Looked at in this process, and given to the alert manager as a rule's alerts are.
 */
export interface SelfCheck {
  readonly alertname: string;
  readonly summary: string;
  readonly description: string;
  /** What is wrong, undefined when nothing is. */
  readonly trouble: () => string | undefined;
}

export interface SelfWatchOptions {
  readonly checks: readonly SelfCheck[];
  readonly sink: AlertSink;
  /** So long something is wrong before it is told; what mends itself is not. */
  readonly holdMs: number;
  readonly externalLabels: () => Readonly<Record<string, string>>;
  readonly externalUrl: string;
}

const LOOK_EVERY_MS = 1000;
/** One that goes on is said again after this, and ends by itself when it is not said for four times as long. */
const RESEND_MS = 60_000;

/** Runs for ever. */
export const selfWatch = Effect.fnUntraced(function* (options: SelfWatchOptions) {
  const states = options.checks.map((check) => ({ check, since: 0, sentAt: 0 }));
  while (true) {
    const now = yield* Clock.currentTimeMillis;
    for (const state of states) {
      const { check } = state;
      const trouble = check.trouble();
      const alert = (startsAt: number, endsAt: number, detail: string) => ({
        labels: labelsFromObject({
          ...options.externalLabels(),
          alertname: check.alertname,
          job: "tocsin",
          severity: "critical",
        }),
        annotations: { summary: check.summary, description: `${check.description} ${detail}`.trim() },
        startsAt,
        endsAt,
        generatorUrl: options.externalUrl,
      });
      if (trouble === undefined) {
        if (state.sentAt > 0) options.sink([alert(state.since, now, "")]);
        state.since = 0;
        state.sentAt = 0;
        continue;
      }
      if (state.since === 0) state.since = now;
      if (now - state.since < options.holdMs || (state.sentAt > 0 && now - state.sentAt < RESEND_MS)) continue;
      state.sentAt = now;
      options.sink([alert(state.since, now + 4 * RESEND_MS, trouble)]);
    }
    yield* Effect.sleep(LOOK_EVERY_MS);
  }
});
