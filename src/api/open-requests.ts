import type { FastifyInstance, FastifyReply } from "fastify";
import { sendError } from "./respond.ts";

/** The requests of a server that are not answered yet. */
export interface OpenRequests {
  /**
   * Answers 503 with the reason to each of them. Where an answer is under way its connection is closed: what was sent of it must
   * not be taken for the whole.
   */
  refuse(why: string): void;
}

/** Follows the requests of a server; to be called before it listens. */
export function openRequests(app: FastifyInstance): OpenRequests {
  const open = new Set<FastifyReply>();
  app.addHook("onRequest", async (_request, reply) => {
    open.add(reply);
    reply.raw.once("close", () => open.delete(reply));
  });
  return {
    refuse: (why) => {
      for (const reply of open) {
        if (reply.raw.headersSent) reply.raw.destroy();
        else if (!reply.sent) sendError(reply, "unavailable", why);
      }
    },
  };
}
