import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { QueryError } from "../../model/query.ts";
import { checkedLength, checkPoints, parseLimits } from "../../query/limits.ts";
import { prettyExpr } from "../../query/parse/format.ts";
import { parseKept } from "../../query/parse/kept-trees.ts";
import type { ApiDeps } from "../deps.ts";
import { encodeInstant, encodeRange } from "../encode.ts";
import {
  invalidParameter,
  type Params,
  parseDurationParam,
  parseLimit,
  parseLookback,
  parseTime,
  requiredStep,
  requiredTime,
} from "../params.ts";
import { clientSignal, paramsOf, tenantOf } from "../request.ts";
import { markPartial, sendData, sendPieces, sendQueryError } from "../respond.ts";
import { syntaxTree } from "../syntax-tree.ts";

/** /api/v1/query, query_range, parse_query, format_query: as Prometheus's web/api/v1, GET and POST form. */
export function queryRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const get = (url: string, handler: (request: FastifyRequest, reply: FastifyReply) => unknown) =>
    app.route({ method: ["GET", "POST"], url, handler });

  get("/api/v1/query", (request, reply) =>
    measured(deps, "query", reply, async () => {
      const params = paramsOf(request);
      const limit = parseLimit(params);
      const time = parseTime(params, "time", deps.now());
      const result = await deps.engine.instant({ ...options(deps, request, reply, params), time });
      markPartial(reply, result.partial);
      if (limit > 0 && (result.type === "vector" || result.type === "matrix") && result.labels.length > limit) {
        const warnings = [...result.warnings, TRUNCATED];
        const labels = result.labels.slice(0, limit);
        return sendPieces(request, reply, encodeInstant({ ...result, labels, warnings }));
      }
      return sendPieces(request, reply, encodeInstant(result));
    }),
  );

  get("/api/v1/query_range", (request, reply) =>
    measured(deps, "query_range", reply, async () => {
      const params = paramsOf(request);
      const limit = parseLimit(params);
      const start = requiredTime(params, "start");
      const end = requiredTime(params, "end");
      if (end < start) throw invalidParameter("end", "end timestamp must not be before start time");
      const step = requiredStep(params);
      checkPoints(Math.floor((end - start) / step), deps.limitsOf(tenantOf(request)).maxQueryPoints);
      const asked = { ...options(deps, request, reply, params), start, end, step };
      const result = await deps.engine.range(asked).catch((e) => Promise.reject(named("query", e)));
      markPartial(reply, result.partial);
      if (limit > 0 && result.matrix.labels.length > limit) {
        const matrix = { ...result.matrix, labels: result.matrix.labels.slice(0, limit) };
        return sendPieces(
          request,
          reply,
          encodeRange({ ...result, matrix, warnings: [...result.warnings, TRUNCATED] }),
        );
      }
      return sendPieces(request, reply, encodeRange(result));
    }),
  );

  get("/api/v1/parse_query", (request, reply) => {
    try {
      return sendData(request, reply, syntaxTree(parseOf(deps, request, paramsOf(request).get("query") ?? "")));
    } catch (e) {
      return sendQueryError(reply, e);
    }
  });

  get("/api/v1/format_query", (request, reply) => {
    try {
      const query = paramsOf(request).get("query") ?? "";
      return sendData(request, reply, prettyExpr(parseOf(deps, request, query)));
    } catch (e) {
      return sendQueryError(reply, e);
    }
  });
}

export const TRUNCATED = "results truncated due to limit";

/** Parses within the tenant's limits. */
function parseOf(deps: ApiDeps, request: FastifyRequest, query: string) {
  const { maxQueryBytes, maxQueryDepth, maxRegexCost } = deps.limitsOf(tenantOf(request));
  checkedLength({ maxQueryBytes }, query);
  try {
    return parseKept(query, parseLimits({ maxDepth: maxQueryDepth, maxRegexCost }));
  } catch (e) {
    throw named("query", e);
  }
}

/** What is wrong with a parameter's content, with the parameter's name in front. */
function named(name: string, e: unknown): unknown {
  return e instanceof QueryError && e.type === "bad_data" ? invalidParameter(name, e.message) : e;
}

function options(deps: ApiDeps, request: FastifyRequest, reply: FastifyReply, params: Params) {
  const timeout = parseDurationParam(params, "timeout");
  const lookbackMs = parseLookback(params);
  const query = params.get("query") ?? "";
  parseOf(deps, request, query);
  if (timeout !== undefined && timeout <= 0) throw new QueryError("timeout", "query timed out in query execution");
  return {
    tenant: tenantOf(request),
    query,
    timeoutMs: Math.min(timeout ?? Number.POSITIVE_INFINITY, deps.limitsOf(tenantOf(request)).queryTimeoutMs),
    signal: clientSignal(request, reply),
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
    ...statsOf(params),
    ...(isAsked(params, "trace") ? { trace: true } : {}),
    ...(isAsked(params, "nocache") ? { noCache: true } : {}),
  };
}

/** Any value but those that say no. */
function isAsked(params: Params, name: string): boolean {
  return !["", "0", "false"].includes(params.get(name) ?? "");
}

/** `stats=all` asks for what every step took, anything else that is not empty for the totals, as with Prometheus. */
function statsOf(params: Params): { stats?: "total" | "perStep" } {
  const asked = params.get("stats") ?? "";
  if (asked === "") return {};
  return { stats: asked === "all" ? "perStep" : "total" };
}

async function measured(
  deps: ApiDeps,
  call: "query" | "query_range",
  reply: FastifyReply,
  run: () => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const start = performance.now();
  let outcome = "success";
  try {
    return await run();
  } catch (e) {
    outcome = e instanceof QueryError ? e.type : "internal";
    return sendQueryError(reply, e);
  } finally {
    deps.observe.query(call, outcome, (performance.now() - start) / 1000);
  }
}
