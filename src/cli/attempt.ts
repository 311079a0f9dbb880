import * as Effect from "effect/Effect";

/** A promise as an effect that fails with what the promise rejects with. */
export function attempt<A>(run: () => Promise<A>): Effect.Effect<A, unknown> {
  return Effect.tryPromise({ try: run, catch: (e) => e });
}
