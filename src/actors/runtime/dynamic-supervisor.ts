/**
 * A supervisor whose children come and go at run time: scrape targets, rule groups, alert groups, receivers.
 *
 * Invariants: one child an id; `stop` returns after the child's scope is closed; closing the supervisor's scope stops all.
 */
import * as Data from "effect/Data";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import type * as Scope from "effect/Scope";
import type { OnDeath } from "./death.ts";
import { type ChildSpec, type GaveUp, type Intensity, superviseOne } from "./supervisor.ts";

/** A child of this id runs already. */
export class DuplicateChild extends Data.TaggedError("DuplicateChild")<{
  readonly supervisor: string;
  readonly child: string;
}> {
  override get message(): string {
    return `supervisor ${this.supervisor} already has a child ${this.child}`;
  }
}

export interface DynamicSupervisor<R = never> {
  /** Starts a child; it runs until it rests, is stopped, or the supervisor's scope is closed. */
  start(spec: ChildSpec<R>): Effect.Effect<void, DuplicateChild, Exclude<R, Scope.Scope>>;
  /** Stops a child and waits for its release; false when there is none. */
  stop(id: string): Effect.Effect<boolean>;
  /** Ids of the children that run (or wait for their restart), in the order they were started. */
  ids(): readonly string[];
  /**
   * Waits for a child that dies too often and fails with its `GaveUp`. A child that owns a dynamic supervisor ends with
   * `yield* supervisor.join`, so the failure goes up the tree; without it such a child stays down.
   */
  readonly join: Effect.Effect<never, GaveUp>;
}

/** Makes a dynamic supervisor that lives as long as the scope it is made in. */
export const makeDynamicSupervisor = Effect.fnUntraced(function* <R = never>(
  supervisor: string,
  intensity: Intensity,
  onDeath: OnDeath,
) {
  const scope = yield* Effect.scope;
  const children = new Map<string, Fiber.Fiber<void>>();
  const gaveUp = yield* Deferred.make<never, GaveUp>();

  const start = (spec: ChildSpec<R>) =>
    Effect.uninterruptible(
      Effect.gen(function* () {
        if (children.has(spec.id)) return yield* new DuplicateChild({ supervisor, child: spec.id });
        const run = superviseOne(supervisor, spec, intensity, onDeath).pipe(
          Effect.catch((error) => Effect.asVoid(Deferred.fail(gaveUp, error))),
          Effect.interruptible,
        );
        const fiber: Fiber.Fiber<void> = yield* Effect.forkIn(run, scope);
        children.set(spec.id, fiber);
        fiber.addObserver(() => {
          if (children.get(spec.id) === fiber) children.delete(spec.id);
        });
      }),
    );

  const result: DynamicSupervisor<R> = {
    start,
    stop: (id) =>
      Effect.suspend(() => {
        const fiber = children.get(id);
        return fiber === undefined ? Effect.succeed(false) : Effect.as(Fiber.interrupt(fiber), true);
      }),
    ids: () => [...children.keys()],
    join: Deferred.await(gaveUp),
  };
  return result;
});
