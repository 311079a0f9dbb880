import * as Cause from "effect/Cause";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { FastifyInstance } from "fastify";
import type { ApiDeps } from "../api/deps.ts";
import { makeServer } from "../api/server.ts";
import { attempt } from "./attempt.ts";
import { explainListen, type ListenError, type ListenOption, urlOf } from "./listen.ts";

export interface ServeApiOptions {
  readonly address: ListenOption;
  /** Failed when the address cannot be had: it is what a person asked for, and without it the process is of no use. */
  readonly unusable: Deferred.Deferred<never, ListenError>;
  /** Called when the process is about to end, before the requests at hand are waited for. */
  readonly onStop?: () => void;
  /** Hears of the server of each incarnation, once it listens. */
  readonly onUp?: (app: FastifyInstance) => void;
}

/**
 * The HTTP server as a supervised child; never returns, fails when the server does (no file descriptors left for a
 * connection, say). Each incarnation is a server of its own, since one that was closed cannot listen again.
 */
export const serveApi = Effect.fnUntraced(function* (
  deps: ApiDeps,
  { address, unusable, onStop, onUp }: ServeApiOptions,
) {
  const app = yield* Effect.acquireRelease(
    Effect.sync(() => makeServer(deps)),
    (a, exit) =>
      Effect.promise(() => {
        // A server that broke is followed by another one; only an interruption is the end.
        if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) onStop?.();
        return a.close();
      }),
  );
  yield* attempt(() => app.listen(address)).pipe(
    Effect.mapError((e) => explainListen(e as NodeJS.ErrnoException, address)),
    Effect.tapError((e) => Deferred.fail(unusable, e)),
  );
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  app.server.on("error", broken.reject);
  deps.log.info(`Tocsin ${deps.version}: open ${urlOf(address)}`);
  onUp?.(app);
  return yield* attempt(() => broken.promise);
});
