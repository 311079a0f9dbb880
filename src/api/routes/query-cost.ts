import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type CostRequest, type QueryCost, QueryError, type TierUse } from "../../model/query.ts";
import type { ApiDeps } from "../deps.ts";
import {
  invalidParameter,
  type Params,
  parseDurationParam,
  parseLookback,
  parseTime,
  requiredStep,
  requiredTime,
} from "../params.ts";
import { clientSignal, paramsOf, tenantOf } from "../request.ts";
import { markPartial, sendData, sendError, sendQueryError } from "../respond.ts";

/**
 * /api/v1/query_cost, GET and POST form: what a query would read, with the parameters of query_range, or of query where it has
 * neither start, end nor step.
 */
export function queryCostRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    try {
      const params = paramsOf(request);
      const { engine } = deps;
      if (engine.cost === undefined) return sendError(reply, "not_found", "nothing is known before a query runs");
      const asked = { ...optionsOf(request, reply, params), ...timesOf(params, deps.now()) };
      const cost = await engine.cost(asked).catch((e) => Promise.reject(named(e)));
      markPartial(reply, cost.partial);
      return sendData(request, reply, jsonOf(cost), { warnings: cost.warnings, infos: [] });
    } catch (e) {
      return sendQueryError(reply, e);
    }
  };
  app.route({ method: ["GET", "POST"], url: "/api/v1/query_cost", handler });
}

function timesOf(params: Params, now: number): Pick<CostRequest, "start" | "end" | "step"> {
  if (!["start", "end", "step"].some((name) => (params.get(name) ?? "") !== "")) {
    const time = parseTime(params, "time", now);
    return { start: time, end: time, step: 0 };
  }
  const start = requiredTime(params, "start");
  const end = requiredTime(params, "end");
  if (end < start) throw invalidParameter("end", "end timestamp must not be before start time");
  return { start, end, step: requiredStep(params) };
}

function optionsOf(request: FastifyRequest, reply: FastifyReply, params: Params) {
  const timeout = parseDurationParam(params, "timeout");
  if (timeout !== undefined && timeout <= 0) throw new QueryError("timeout", "query timed out in query execution");
  const lookbackMs = parseLookback(params);
  return {
    tenant: tenantOf(request),
    query: params.get("query") ?? "",
    signal: clientSignal(request, reply),
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
  };
}

/** As the query's own call says it. */
function named(e: unknown): unknown {
  return e instanceof QueryError && e.type === "bad_data" ? invalidParameter("query", e.message) : e;
}

/** Times in Unix seconds. */
function jsonOf({ selectors, series, samples, bytes, steps, points, exceeds }: QueryCost): unknown {
  return {
    series,
    samples,
    bytes,
    steps,
    points,
    exceeds,
    selectors: selectors.map((s) => ({
      selector: s.selector,
      from: s.after / 1000,
      to: s.until / 1000,
      steps: s.steps,
      series: s.series,
      samples: s.samples,
      bytes: s.bytes,
      tiers: s.tiers.map(tierJson),
      shards: s.shards.map((o) => ({ shard: o.partition, series: o.series, samples: o.samples, bytes: o.bytes })),
    })),
  };
}

function tierJson({ tier, after, until, rows, rounded }: TierUse): unknown {
  return { tier, from: after / 1000, to: until / 1000, rows, rounded };
}
