/** The process around the supervision tree: signals, finalizers, exit code. */
import * as Cause from "effect/Cause";
import type * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Runtime from "effect/Runtime";

export interface RunMainOptions {
  /** How long the finalizers may take after a signal before the process exits by force, with code 1. */
  readonly graceMs: number;
  /** False: the program says itself why it failed, and the runtime does not log it once more. */
  readonly reportFailure?: boolean;
}

/**
 * Runs the program until it ends or a signal comes. SIGTERM and SIGINT interrupt it, its finalizers run, and the process
 * exits with 0; a second signal exits at once with 130. A failure is logged and gives exit code 1.
 */
export function runMain<A, E>(program: Effect.Effect<A, E>, options: RunMainOptions = { graceMs: 15_000 }): void {
  const run = Runtime.makeRunMain(({ fiber, teardown }) => {
    let stopping = false;
    const stop = () => {
      if (stopping) process.exit(130);
      stopping = true;
      fiber.interruptUnsafe();
      setTimeout(() => process.exit(1), options.graceMs).unref();
    };
    process.on("SIGTERM", stop).on("SIGINT", stop);
    fiber.addObserver((exit) => teardown(exit, (code) => process.exit(code)));
  });
  run(program, {
    disableErrorReporting: options.reportFailure === false,
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1),
  });
}
