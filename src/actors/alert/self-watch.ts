import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { AlertSink } from "../../model/alerts.ts";
import { type Labels, labelsFromObject } from "../../model/labels.ts";

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
  /** False while nobody can tell that all is well, though no trouble is seen: what was told is not over then. Absent: always true. */
  readonly isWell?: () => boolean;
}

export interface SelfWatchOptions {
  readonly checks: readonly SelfCheck[];
  readonly sink: AlertSink;
  /** So long something is wrong before it is told; what mends itself is not. */
  readonly holdMs: number;
  readonly externalLabels: () => Readonly<Record<string, string>>;
  readonly externalUrl: string;
  /** Since when an alert with these labels fires, as a process before this one may have told; Unix ms. */
  readonly firesSince?: (labels: Labels, now: number) => number | undefined;
}

const LOOK_EVERY_MS = 1000;
/** One that goes on is said again after this, and ends by itself when it is not said for four times as long. */
const RESEND_MS = 60_000;

/** Runs for ever. */
export const selfWatch = Effect.fnUntraced(function* (options: SelfWatchOptions) {
  const states = options.checks.map((check) => ({ check, since: 0, sentAt: 0, told: "" }));
  while (true) {
    const now = yield* Clock.currentTimeMillis;
    for (const state of states) {
      const { check } = state;
      const labels = labelsFromObject({
        ...options.externalLabels(),
        alertname: check.alertname,
        job: "tocsin",
        severity: "critical",
      });
      const tell = (endsAt: number, detail: string) =>
        options.sink([
          {
            labels,
            annotations: { summary: check.summary, description: `${check.description} ${detail}`.trim() },
            startsAt: state.since,
            endsAt,
            generatorUrl: options.externalUrl,
          },
        ]);
      const seen = check.trouble();
      const isWell = check.isWell?.() ?? true;
      const before = state.sentAt > 0 ? undefined : options.firesSince?.(labels, now);
      if (before !== undefined) state.since = before;
      if (seen === undefined && (isWell || state.sentAt === 0)) {
        if (isWell && (state.sentAt > 0 || before !== undefined)) tell(now, "");
        state.since = 0;
        state.sentAt = 0;
        continue;
      }
      state.told = seen ?? state.told;
      if (state.since === 0) state.since = now;
      if (now - state.since < options.holdMs || (state.sentAt > 0 && now - state.sentAt < RESEND_MS)) continue;
      state.sentAt = now;
      tell(now + 4 * RESEND_MS, state.told);
    }
    yield* Effect.sleep(LOOK_EVERY_MS);
  }
});
