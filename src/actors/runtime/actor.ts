/** The loop of an actor: one message at a time against owned state. */
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import type { Mailbox } from "./mailbox.ts";

export interface Behaviour<S, M, E = never, R = never> {
  /** The state of a new incarnation; may acquire resources, released when the incarnation ends. */
  readonly init: Effect.Effect<S, E, R>;
  /** Handles one message and gives the next state. A failure or throw ends the incarnation. */
  receive(state: S, message: M): Effect.Effect<S, E, R>;
}

/** The `run` of a ChildSpec for a behaviour fed by a mailbox. Never returns. */
export const actor = Effect.fnUntraced(function* <S, M, E, R>(mailbox: Mailbox<M>, behaviour: Behaviour<S, M, E, R>) {
  let state = yield* behaviour.init;
  while (true) state = yield* behaviour.receive(state, yield* mailbox.take);
});

/**
 * Forks into the surrounding scope and logs a failure. Use it instead of the bare forks, which lose failures silently; use
 * a ChildSpec for what should be restarted.
 */
export function spawn<A, E, R>(
  name: string,
  self: Effect.Effect<A, E, R>,
): Effect.Effect<void, never, R | Scope.Scope> {
  return self.pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`${name} died (${Cause.pretty(cause)})`),
    ),
    Effect.forkScoped,
    Effect.asVoid,
  );
}
