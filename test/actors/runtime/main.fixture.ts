/** A program for the test of runMain: says that it runs, and what its finalizer does; `argv[2]` names how it behaves. */
import * as Effect from "effect/Effect";
import { runMain } from "../../../src/actors/runtime/run-main.ts";

const how = process.argv[2];
const say = (text: string) => Effect.sync(() => process.stdout.write(`${text}\n`));

const program = Effect.gen(function* () {
  yield* Effect.acquireRelease(say("running"), () =>
    how === "stuck" ? Effect.andThen(say("stuck"), Effect.never) : say("released"),
  );
  if (how === "fail") return yield* Effect.fail(new Error("cannot go on"));
  // A timer keeps the process alive, as a server would.
  return yield* how === "end" ? Effect.void : Effect.sleep("1 hour");
});

runMain(Effect.scoped(program), { graceMs: how === "stuck" ? 100 : 10_000 });
