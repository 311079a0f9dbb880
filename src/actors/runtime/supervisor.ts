/**
 * One-for-one supervision. A child is an effect that does not return; the supervisor does not know where it runs (a fiber,
 * a worker thread, a process).
 *
 * Invariants:
 * - a child's scope is closed before the child is started again;
 * - a typed error, a throw and a return are all deaths; an interruption of the supervisor is none;
 * - restarts are delayed by a doubling backoff with jitter, and more than `max` deaths within the window fail the
 *   supervisor with `GaveUp`, for its own supervisor to deal with;
 * - the death of one child leaves its siblings running;
 * - a supervisor that stops has released all of its children, in the order that it was given.
 */
import * as Cause from "effect/Cause";
import * as Clock from "effect/Clock";
import * as Data from "effect/Data";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Random from "effect/Random";
import type * as Scope from "effect/Scope";
import { type DeathNotice, exitReason, logDeath, type OnDeath } from "./death.ts";

/** When a child is started again: `permanent` always, `transient` unless it returned, `temporary` never. */
export type RestartPolicy = "permanent" | "transient" | "temporary";

export interface ChildSpec<R = never> {
  /** Unique under its supervisor; for logs and metrics. */
  readonly id: string;
  readonly restart: RestartPolicy;
  /** Runs in a scope of its own, closed when it ends: acquire with `Effect.acquireRelease`, fork with `spawn`. */
  readonly run: Effect.Effect<unknown, unknown, R | Scope.Scope>;
}

/** How fast a child may die. The n-th death within the window waits `min(capMs, baseMs * 2^(n-1))`, jittered by 20 %. */
export interface Intensity {
  /** Deaths within `withinMs` that are still answered by a restart; Infinity never gives up. */
  readonly max: number;
  readonly withinMs: number;
  readonly baseMs: number;
  readonly capMs: number;
}

export const DEFAULT_INTENSITY: Intensity = { max: 8, withinMs: 60_000, baseMs: 100, capMs: 10_000 };
/** For children whose death must never take others along (a shard, a scrape target): bounded rate, no end. */
export const KEEP_TRYING: Intensity = { max: Number.POSITIVE_INFINITY, withinMs: 60_000, baseMs: 100, capMs: 10_000 };

/** A child died more often than the intensity allows. */
export class GaveUp extends Data.TaggedError("GaveUp")<{
  readonly supervisor: string;
  readonly child: string;
  readonly deaths: number;
  readonly reason: string;
}> {
  override get message(): string {
    return `${this.supervisor}/${this.child} died ${this.deaths} times in a row, last: ${this.reason}`;
  }
}

/** Runs one child until its policy lets it rest (returns), it is interrupted, or it dies too often (`GaveUp`). */
export const superviseOne = Effect.fnUntraced(function* <R>(
  supervisor: string,
  spec: ChildSpec<R>,
  intensity: Intensity,
  onDeath: OnDeath,
) {
  let deaths: number[] = [];
  while (true) {
    const exit = yield* Effect.exit(Effect.scoped(spec.run));
    // A child may interrupt itself; when the supervisor is interrupted, this fiber ends at its next step.
    const now = yield* Clock.currentTimeMillis;
    deaths = [...deaths.filter((t) => now - t < intensity.withinMs), now];
    const rests = spec.restart === "temporary" || (spec.restart === "transient" && Exit.isSuccess(exit));
    const gaveUp = !rests && deaths.length > intensity.max;
    const backoff = Math.min(intensity.capMs, intensity.baseMs * 2 ** (deaths.length - 1));
    const delayMs = rests || gaveUp ? 0 : backoff * (yield* Random.nextBetween(0.8, 1.2));
    const reason = exitReason(exit);
    const notice: DeathNotice = {
      supervisor,
      child: spec.id,
      kind: Exit.isSuccess(exit) ? "return" : "failure",
      reason,
      detail: Exit.isSuccess(exit) ? undefined : Cause.pretty(exit.cause),
      deaths: deaths.length,
      action: rests ? "rest" : gaveUp ? "give-up" : "restart",
      delayMs,
    };
    onDeath(notice);
    yield* logDeath(notice);
    if (rests) return;
    if (gaveUp) return yield* new GaveUp({ supervisor, child: spec.id, deaths: deaths.length, reason });
    yield* Effect.sleep(delayMs);
  }
});

/**
 * In what order a supervisor that is told to stop ends its children: `together`, or `in reverse` of how they are listed, each
 * released before the one above it is told. Children that use others are listed below them, so that those outlive them.
 */
export type StopOrder = "together" | "in reverse";

/**
 * Runs all children side by side, each restarted by itself. Returns when all of them rest; fails with `GaveUp` (after all
 * have been stopped and released) when one dies too often. Interrupt it to stop the children, in the order of `stopping`.
 */
export function oneForOne<R>(
  supervisor: string,
  children: readonly ChildSpec<R>[],
  intensity: Intensity,
  onDeath: OnDeath,
  stopping: StopOrder = "together",
): Effect.Effect<void, GaveUp, Exclude<R, Scope.Scope>> {
  const ids = new Set(children.map((c) => c.id));
  if (ids.size !== children.length) throw new Error(`supervisor ${supervisor}: two children have the same id`);
  const all = { concurrency: "unbounded", discard: true } as const;
  const one = (c: ChildSpec<R>) => superviseOne(supervisor, c, intensity, onDeath);
  if (stopping === "together") return Effect.forEach(children, one, all);
  // Finalizers of a scope run one after the other, the last one first.
  const start = (c: ChildSpec<R>) =>
    Effect.acquireRelease(Effect.forkDetach(Effect.interruptible(one(c))), (fiber) => Fiber.interrupt(fiber));
  return Effect.scoped(
    Effect.andThen(Effect.forEach(children, start), (fibers) => Effect.forEach(fibers, Fiber.join, all)),
  );
}
