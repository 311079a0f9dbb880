import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { Mailbox } from "../runtime/mailbox.ts";
import type { HeldAlert } from "./alert-store.ts";
import { type AlertGroup, beginFlush, endFlush } from "./group.core.ts";

export interface GroupDeps {
  /** Tells the receiver; true when everybody who has to know knows. Deadline: Unix ms. */
  readonly notify: (group: AlertGroup, alerts: readonly HeldAlert[], now: number) => Effect.Effect<boolean>;
  /** The group is empty: forgets it and has this actor stopped, or answers false when an alert came in between. */
  readonly retire: (group: AlertGroup) => boolean;
}

/** The actor of one aggregation group: flushes when it is time, until the group is empty. `wake` says that `nextFlush` has changed. */
export const groupActor = Effect.fnUntraced(function* (group: AlertGroup, wake: Mailbox<void>, deps: GroupDeps) {
  while (true) {
    const now = yield* Clock.currentTimeMillis;
    if (group.nextFlush > now) {
      yield* Effect.raceFirst(Effect.sleep(group.nextFlush - now), wake.take);
      continue;
    }
    const alerts = beginFlush(group, now);
    if (yield* deps.notify(group, alerts, now)) endFlush(group, alerts);
    if (group.alerts.size === 0 && deps.retire(group)) return yield* Effect.never;
  }
});
