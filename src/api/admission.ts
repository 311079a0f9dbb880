import type { FastifyReply, FastifyRequest } from "fastify";
import { TryLater } from "../model/ingest.ts";
import type { ApiDeps } from "./deps.ts";

/** What a body of unknown length counts for, while it is received and until it is answered. */
const UNKNOWN_LENGTH = 1 << 20;

/**
 * A hook for routes that take samples: before the body is received it must have room among all that waits, else the sender is
 * told to come again (503, Retry-After), and the memory stays bounded however many send at once.
 */
export function admission(deps: ApiDeps, protocol: string) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const length = Number(request.headers["content-length"] ?? UNKNOWN_LENGTH);
    // A length over the limit is refused where the body is read.
    const bytes = Math.min(Number.isFinite(length) ? length : UNKNOWN_LENGTH, deps.limits.maxBodyBytes);
    try {
      const release = deps.ingest.admit?.(bytes);
      if (release !== undefined) reply.raw.once("close", release);
      return undefined;
    } catch (error) {
      if (!(error instanceof TryLater)) throw error;
      deps.observe.rejected(protocol, error.reason, 1);
      reply.header("retry-after", String(error.retryAfterSeconds));
      return reply.code(error.status).type("text/plain").send(`${error.message}\n`);
    }
  };
}
