import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import type { Bus } from "../../streams/nats/bus.ts";
import { type LabelsWanted, onLabelsRequest } from "../../streams/nats/labels-request.ts";

/**
 * The gateway's ear for shards that ask for labels, as a supervised child; never returns. A listener that throws ends it
 * with what was thrown (in the connection's own callback it would take the process along); the request is lost, and the
 * shard asks again.
 */
export const labelRequestsChild = (
  bus: Bus,
  listener: (partition: number, wanted: LabelsWanted) => void,
): Effect.Effect<never, never, Scope.Scope> =>
  Effect.gen(function* () {
    // A bus that was not there at the start comes later; one that is closed never does.
    yield* Effect.promise(() => bus.ready());
    const thrown = yield* Deferred.make<never>();
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        onLabelsRequest(bus, (partition, wanted) => {
          try {
            listener(partition, wanted);
          } catch (error) {
            Deferred.doneUnsafe(thrown, Effect.die(error));
          }
        }),
      ),
      (stop) => Effect.sync(stop),
    );
    return yield* Deferred.await(thrown);
  });
