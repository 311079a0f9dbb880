import type { FastifyInstance, FastifyReply } from "fastify";
import { QueryError } from "../../model/query.ts";
import type { ApiDeps } from "../deps.ts";
import { anyMatchSets, invalidParameter, MAX_TIME, MIN_TIME, parseTime } from "../params.ts";
import { paramsOf, tenantOf } from "../request.ts";
import { sendData, sendError, sendQueryError } from "../respond.ts";

/**
 * /api/v1/admin/tsdb/*: what changes or copies stored data. All three work on every shard; when one of them fails, the answer
 * is an error that names it, and the same call can be made again.
 */
export function adminRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.route({
    method: ["POST", "PUT"],
    url: "/api/v1/admin/tsdb/delete_series",
    handler: (request, reply) =>
      answer(reply, async () => {
        const params = paramsOf(request);
        if (params.getAll("match[]").length === 0) throw new QueryError("bad_data", "no match[] parameter provided");
        const sets = anyMatchSets(params);
        const minT = parseTime(params, "start", MIN_TIME);
        const maxT = parseTime(params, "end", MAX_TIME);
        if (maxT < minT) throw invalidParameter("end", "end timestamp must not be before start time");
        await deps.admin.deleteSeries(tenantOf(request), sets, minT, maxT);
        return reply.code(204).send();
      }),
  });

  app.route({
    method: ["POST", "PUT"],
    url: "/api/v1/admin/tsdb/clean_tombstones",
    handler: (_request, reply) =>
      answer(reply, async () => {
        await deps.admin.cleanTombstones();
        return reply.code(204).send();
      }),
  });

  app.route({
    method: ["POST", "PUT"],
    url: "/api/v1/admin/tsdb/snapshot",
    handler: (request, reply) =>
      answer(reply, async () => {
        const skip = paramsOf(request).get("skip_head") ?? "";
        if (skip !== "" && !YES.has(skip) && !NO.has(skip)) {
          throw invalidParameter("skip_head", `${JSON.stringify(skip)} is neither true nor false`);
        }
        return sendData(request, reply, { name: await deps.admin.snapshot(YES.has(skip)) });
      }),
  });
}

/** What Go reads as a boolean. */
const YES: ReadonlySet<string> = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const NO: ReadonlySet<string> = new Set(["0", "f", "F", "false", "FALSE", "False"]);

async function answer(reply: FastifyReply, work: () => Promise<FastifyReply>): Promise<FastifyReply> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof QueryError) return sendQueryError(reply, error);
    return sendError(reply, "internal", error instanceof Error ? error.message : String(error));
  }
}
