import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { PostedAlert } from "../../model/alerts.ts";
import { type Labels, labelsFromObject } from "../../model/labels.ts";
import { spawn } from "../runtime/actor.ts";
import { type HeldAlert, isResolved } from "./alert-store.ts";
import { formatMatchers } from "./matcher-syntax.ts";
import type { Silence } from "./silence.core.ts";
import type { Silences } from "./silences.ts";

export interface SilenceClockDeps {
  /** The alerts that are held now. */
  readonly alerts: () => Iterable<HeldAlert>;
  /** Takes the alerts that say that a silence will end. */
  readonly receive: (alerts: readonly PostedAlert[]) => void;
  readonly event: (event: unknown) => void;
}

const TICK_MS = 2000;
const TIDY_MS = 60_000;

/** Opens the silences for as long as the scope, and runs their clock: notices, until-resolved ones that end, old ones that go. */
export const runSilences = Effect.fnUntraced(function* (silences: Silences, deps: SilenceClockDeps) {
  const begin = yield* Clock.currentTimeMillis;
  const damaged = yield* Effect.acquireRelease(
    Effect.promise(() => silences.open(begin)),
    () => Effect.ignore(Effect.tryPromise(() => silences.close())),
  );
  if (damaged > 0)
    yield* Effect.logError(`silences.log: ${damaged} damaged lines skipped, the file is kept as .damaged`);
  yield* spawn(
    "silence-clock",
    Effect.forever(Effect.andThen(Effect.sleep(TICK_MS), orWarn("silences not looked after", tick(silences, deps)))),
  );
  yield* spawn(
    "silence-tidy",
    Effect.forever(
      Effect.andThen(
        Effect.sleep(TIDY_MS),
        orWarn(
          "old silences not removed",
          Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.tryPromise(() => silences.tidy(now))),
        ),
      ),
    ),
  );
});

const tick = Effect.fnUntraced(function* (silences: Silences, deps: SilenceClockDeps) {
  const now = yield* Clock.currentTimeMillis;
  const { ending, finished } = yield* Effect.tryPromise(() => silences.tick(() => firing(deps.alerts(), now), now));
  for (const s of finished) {
    yield* Effect.logInfo(`silence ${s.id} of ${s.createdBy} ended: its alerts are resolved`);
    deps.event({ version: 1, type: "silence_finished", id: s.id, time: new Date(now).toISOString() });
  }
  for (const s of ending) {
    const time = new Date(now).toISOString();
    const endsAt = new Date(s.endsAt).toISOString();
    yield* Effect.logWarning(`silence ${s.id} of ${s.createdBy} ends at ${endsAt}`);
    deps.event({ version: 1, type: "silence_ending", id: s.id, time, endsAt });
  }
  if (ending.length > 0) deps.receive(ending.map(noticeOf));
});

function* firing(alerts: Iterable<HeldAlert>, now: number): Iterable<Labels> {
  for (const a of alerts) if (!isResolved(a, now)) yield a.labels;
}

const orWarn = <E extends { readonly cause?: unknown }>(what: string, work: Effect.Effect<void, E>) =>
  Effect.catch(work, (e) => Effect.logWarning(`${what} (${String(e.cause)})`));

/** The alert that tells of a silence's end; it is routed as every other, by `created_by` to whoever made the silence. */
export function noticeOf(s: Silence): PostedAlert {
  return {
    labels: labelsFromObject({ alertname: "SilenceEnding", silence: s.id, created_by: s.createdBy }),
    annotations: {
      summary: `The silence ${formatMatchers(s.matchers)} ends at ${new Date(s.endsAt).toISOString()}`,
      comment: s.comment,
    },
    startsAt: s.endsAt - (s.noticeBeforeMs ?? 0),
    endsAt: s.endsAt,
    generatorUrl: "",
  };
}
