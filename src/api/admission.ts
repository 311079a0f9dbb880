/**
 * Room for the bodies of routes that take samples, so that memory stays bounded however many send at once, and however slowly.
 *
 * Invariants:
 * - a body counts for what of it has come, from then until its request is answered: a length that is only announced holds nothing;
 * - who does not fit is told to come again (503, Retry-After), before the body is read where that can be seen, else in its middle;
 * - as soon as something does not fit, bodies that come too slowly lose their places.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { TryLater } from "../model/ingest.ts";
import type { ApiDeps } from "./deps.ts";

/** The slowest that a body may come while room is short, on average, once it has been on its way for so long. */
const SLOW_AFTER_MS = 5_000;
const SLOW_BYTES_PER_MS = 64;
/** What a piece of a body counts for besides its bytes: a sender may send them one by one. */
const PIECE_BYTES = 256;

/** A body that is on its way, or whose request was not answered yet. */
interface Body {
  readonly since: number;
  received: number;
  held: number;
  release: (() => void) | undefined;
  /** Ends the reception; undefined before it starts and after it has ended. */
  stop: ((error: Error) => void) | undefined;
}

export interface Admission {
  /** The onRequest hook of a route. */
  hook(protocol: string): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;
  /** A content type parser that gives the body as it arrived. */
  parse(
    request: FastifyRequest,
    payload: NodeJS.ReadableStream,
    done: (error: Error | null, body?: Buffer) => void,
  ): void;
}

export function makeAdmission(deps: ApiDeps): Admission {
  const { ingest, limits, now } = deps;
  const bodies = new WeakMap<object, Body>();
  /** Those on their way, the oldest first. */
  const receiving = new Set<Body>();

  /** Gives the places of slow bodies away; false when there are none. */
  const dropSlow = (): boolean => {
    const time = now();
    let dropped = false;
    for (const body of receiving) {
      const age = time - body.since;
      if (age < SLOW_AFTER_MS) break;
      if (body.received >= age * SLOW_BYTES_PER_MS) continue;
      dropped = true;
      body.stop?.(
        new TryLater("overloaded", 503, 1, "the body came too slowly while others wait: send it again later"),
      );
    }
    return dropped;
  };
  const admit = (bytes: number): (() => void) | undefined => {
    try {
      return ingest.admit?.(bytes);
    } catch (error) {
      if (!(error instanceof TryLater) || !dropSlow()) throw error;
      return ingest.admit?.(bytes);
    }
  };
  const free = (body: Body) => {
    body.release?.();
    body.release = undefined;
  };
  /** Throws TryLater when there is no room; then the body holds nothing any more. A body alone is always let in. */
  const hold = (body: Body, bytes: number) => {
    free(body);
    body.release = admit(bytes);
    body.held = bytes;
  };

  return {
    hook: (protocol) => async (request, reply) => {
      const length = Number(request.headers["content-length"] ?? 0);
      // A length over the limit is refused where the body is read.
      const bytes = Math.min(Number.isFinite(length) ? length : 0, limits.maxBodyBytes);
      try {
        admit(bytes)?.();
      } catch (error) {
        if (!(error instanceof TryLater)) throw error;
        deps.observe.rejected(protocol, error.reason, 1);
        reply.header("retry-after", String(error.retryAfterSeconds));
        return reply.code(error.status).type("text/plain").send(`${error.message}\n`);
      }
      const body: Body = { since: now(), received: 0, held: 0, release: undefined, stop: undefined };
      bodies.set(request.raw, body);
      reply.raw.once("close", () => {
        receiving.delete(body);
        free(body);
      });
      return undefined;
    },

    parse: (request, payload, done) => {
      const body = bodies.get(request.raw) as Body;
      if (Number(request.headers["content-length"]) > limits.maxBodyBytes) return done(tooLarge());
      const pieces: Buffer[] = [];
      const end = (error: Error | null) => {
        if (body.stop === undefined) return;
        body.stop = undefined;
        receiving.delete(body);
        payload.off("data", onData).off("end", onEnd).off("error", onError);
        if (error === null) return done(null, Buffer.concat(pieces, body.received));
        free(body);
        pieces.length = 0;
        done(error);
      };
      const onData = (piece: Buffer) => {
        body.received += piece.length;
        if (body.received > limits.maxBodyBytes) return end(tooLarge());
        try {
          hold(body, body.held + piece.length + PIECE_BYTES);
        } catch (error) {
          return end(error as Error);
        }
        // It may have been slow itself.
        if (body.stop === undefined) return free(body);
        pieces.push(piece);
      };
      const onEnd = () => end(null);
      const onError = (error: Error) => end(Object.assign(error, { statusCode: 400 }));
      body.stop = end;
      receiving.add(body);
      payload.on("data", onData).on("end", onEnd).on("error", onError);
    },
  };
}

function tooLarge(): Error {
  return Object.assign(new Error("the body is too large"), { statusCode: 413 });
}
