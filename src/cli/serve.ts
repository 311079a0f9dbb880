import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Logger from "effect/Logger";
import type { Logger as Log } from "pino";
import { runMain } from "../actors/runtime/run-main.ts";
import { ConfigError, formatProblem } from "../model/config.ts";
import { NatsError } from "../streams/nats/nats-error.ts";
import type { Say } from "../streams/nats/say.ts";
import { DataDirError } from "./data-dir.ts";
import { ListenError } from "./listen.ts";
import { effectLogger, makeLog } from "./log.ts";
import { runTocsin } from "./run-tocsin.ts";
import type { ServeOptions } from "./serve-options.ts";

/** What a stop may take, ms: the API answers what it has (5 s at most), and the shards write their snapshots after it. */
const STOP_MS = 25_000;

/** `tocsin serve`: runs until a signal comes or something that cannot be mended is wrong; then says what, and exits with 1. */
export function serve(options: ServeOptions): void {
  const log = makeLog(options.logLevel);
  const say: Say = (level, line) => log[level](line);
  const program = Effect.scoped(runTocsin(options, log, say)).pipe(
    Effect.onExit((exit) => {
      return Effect.sync(() => (Exit.isFailure(exit) ? explain(exit, log) : undefined));
    }),
    Effect.provide(Logger.layer([effectLogger(log)])),
  );
  runMain(program, { graceMs: STOP_MS, reportFailure: false });
}

function explain(exit: Exit.Failure<unknown, unknown>, log: Log): void {
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Interrupt") {
      log.info("stopped");
      continue;
    }
    const error = reason._tag === "Fail" ? reason.error : reason.defect;
    if (error instanceof ConfigError) for (const p of error.problems) log.fatal(formatProblem(p));
    else if (error instanceof DataDirError || error instanceof NatsError || error instanceof ListenError) {
      log.fatal(error.message);
    } else log.fatal({ err: error }, "tocsin cannot go on");
  }
}
