import * as Cause from "effect/Cause";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { FastifyInstance } from "fastify";
import type { ApiDeps } from "../api/deps.ts";
import { type OpenRequests, openRequests } from "../api/open-requests.ts";
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
  /** So long a server that is closed answers what it has taken, ms; what takes longer gets 503. Default 5000. */
  readonly answerMs?: number;
}

const ANSWER_MS = 5_000;
/** So long the 503s are on their way. */
const REFUSE_MS = 500;
const STOPPING = "Tocsin was told to stop before this was answered: send it again when Tocsin is back";
const BROKEN = "the server is started again, see Tocsin's log: send it again in a moment";

/**
 * The HTTP server as a supervised child; never returns, fails when the server does (no file descriptors left for a
 * connection, say). Each incarnation is a server of its own, since one that was closed cannot listen again.
 *
 * At its end it takes nothing new, and has ended when all that it had taken is answered.
 */
export const serveApi = Effect.fnUntraced(function* (
  deps: ApiDeps,
  { address, unusable, onStop, onUp, answerMs = ANSWER_MS }: ServeApiOptions,
) {
  const { app } = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const made = makeServer(deps);
      return { app: made, open: openRequests(made) };
    }),
    (server, exit) =>
      Effect.promise(() => {
        // A server that broke is followed by another one; only an interruption is the end.
        const isEnd = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause);
        if (isEnd) onStop?.();
        return closed(server, answerMs, isEnd ? STOPPING : BROKEN);
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

/** Closes the server when it has answered what it has, or has had the time for it. */
async function closed(
  { app, open }: { readonly app: FastifyInstance; readonly open: OpenRequests },
  answerMs: number,
  why: string,
): Promise<void> {
  let timer = setTimeout(() => {
    open.refuse(why);
    timer = setTimeout(() => app.server.closeAllConnections(), REFUSE_MS);
  }, answerMs);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}
