import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Labels } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import type { Listed, ShardRequest } from "../../model/shard.ts";
import type { Pace } from "../../query/execute/pace.ts";
import { parseLimits } from "../../query/limits.ts";
import { askAll } from "../ask-all.ts";
import type { ApiDeps } from "../deps.ts";
import { annotations } from "../encode.ts";
import { jsonPieces, labelsJson, mergeSets, mergeTexts, paceOf } from "../merge-lists.ts";
import { unescapeName } from "../name-escaping.ts";
import { MAX_TIME, MIN_TIME, matchSetsNamed, type Params, parseLimit, parseMatchSets, parseTime } from "../params.ts";
import { clientSignal, paramsOf, tenantOf } from "../request.ts";
import { markPartial, sendPieces, sendQueryError } from "../respond.ts";
import { TRUNCATED } from "./query.ts";

/** /api/v1/series, labels, label/<name>/values: what there is, without samples. */
export function seriesRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.route({
    method: ["GET", "POST"],
    url: "/api/v1/series",
    handler: (request, reply) =>
      answer(reply, async () => {
        const params = paramsOf(request);
        if (params.getAll("match[]").length === 0) throw new QueryError("bad_data", "no match[] parameter provided");
        const limit = parseLimit(params);
        const window = parseWindow(params);
        const tenant = tenantOf(request);
        const { maxQuerySeries } = deps.limitsOf(tenant);
        const most = limit > 0 ? Math.min(limit, maxQuerySeries) : maxQuerySeries;
        const sets = matchSetsNamed(params, selectorLimits(deps, tenant));
        const ask = { kind: "series", tenant, sets, ...window, limit: most + 1 } as const;
        const signal = clientSignal(request, reply);
        const { lists, warnings } = await listAll<Labels, "series">(reply, deps, ask, signal);
        const pace = paceOf(signal);
        const all = await mergeSets(pace, lists);
        if (all.length > maxQuerySeries && (limit === 0 || limit > maxQuerySeries)) {
          const over = `match[] selects more than ${maxQuerySeries} series, the limit (limits.max_query_series)`;
          throw new QueryError("execution", `${over}: narrow the matchers or ask for fewer with limit`);
        }
        return sendList(request, reply, pace, limited(all, limit, warnings), labelsJson(), warnings);
      }),
  });

  app.route({
    method: ["GET", "POST"],
    url: "/api/v1/labels",
    handler: (request, reply) =>
      answer(reply, async () => {
        const params = paramsOf(request);
        const limit = parseLimit(params);
        const window = parseWindow(params);
        const tenant = tenantOf(request);
        const sets = parseMatchSets(params, selectorLimits(deps, tenant));
        const ask = { kind: "labelNames", tenant, sets, ...window } as const;
        return strings(request, reply, deps, ask, limit);
      }),
  });

  app.get<{ Params: { name: string } }>("/api/v1/label/:name/values", (request, reply) =>
    answer(reply, async () => {
      const name = unescapeName(request.params.name);
      if (name === "") throw new QueryError("bad_data", `invalid label name: ${JSON.stringify(name)}`);
      const params = paramsOf(request);
      const limit = parseLimit(params);
      const window = parseWindow(params);
      const tenant = tenantOf(request);
      const sets = parseMatchSets(params, selectorLimits(deps, tenant));
      const ask = { kind: "labelValues", tenant, name, sets, ...window } as const;
      return strings(request, reply, deps, ask, limit);
    }),
  );
}

/** What a tenant's selectors may be. */
function selectorLimits(deps: ApiDeps, tenant: string) {
  const { maxQueryDepth, maxRegexCost } = deps.limitsOf(tenant);
  return parseLimits({ maxDepth: maxQueryDepth, maxRegexCost });
}

/** A window that ends before it starts holds nothing: an empty answer, as Prometheus gives. */
export function parseWindow(params: Params): { readonly minT: number; readonly maxT: number } {
  return { minT: parseTime(params, "start", MIN_TIME), maxT: parseTime(params, "end", MAX_TIME) };
}

/** Only /api/v1/series names the parameter in what it says of a selector; so does Prometheus. */
async function strings(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: ApiDeps,
  ask: Extract<ShardRequest, { kind: "labelNames" | "labelValues" }>,
  limit: number,
): Promise<FastifyReply> {
  const signal = clientSignal(request, reply);
  const { lists, warnings } = await listAll<string, "labelNames" | "labelValues">(reply, deps, ask, signal);
  const pace = paceOf(signal);
  const all = limited(await mergeTexts(pace, lists), limit, warnings);
  return sendList(request, reply, pace, all, JSON.stringify, warnings);
}

/** Written in slices: an answer of a million entries takes long, and others are to be heard meanwhile. */
async function sendList<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  pace: Pace,
  entries: readonly T[],
  textOf: (entry: T) => string,
  warnings: readonly string[],
): Promise<FastifyReply> {
  const around = ['{"status":"success","data":', `${annotations({ warnings, infos: [] })}}`] as const;
  return sendPieces(request, reply, await jsonPieces(pace, entries, textOf, around));
}

/** As many problems as a query tells. */
const MAX_TOLD = 10;

/** What all shards list. Where anything may be missing from it the answer says so, as that of a query does. */
async function listAll<T, K extends "series" | "labelNames" | "labelValues">(
  reply: FastifyReply,
  deps: ApiDeps,
  ask: Extract<ShardRequest, { kind: K }> & { readonly tenant: string },
  signal: AbortSignal,
): Promise<{ lists: readonly Listed<T>[]; warnings: string[] }> {
  const { answers, warnings } = await askAll<K>(deps, ask, signal);
  const lists = answers as unknown as Listed<T>[];
  const problems = [...new Set(lists.flatMap((list) => list.problems))].sort();
  warnings.push(...problems.slice(0, MAX_TOLD));
  if (problems.length > MAX_TOLD) warnings.push(`${problems.length - MAX_TOLD} more warning annotations omitted`);
  markPartial(reply, warnings.length > 0);
  return { lists, warnings };
}

function limited<T>(all: T[], limit: number, warnings: string[]): T[] {
  if (limit === 0 || all.length <= limit) return all;
  warnings.push(TRUNCATED);
  return all.slice(0, limit);
}

export async function answer(reply: FastifyReply, run: () => Promise<FastifyReply>): Promise<FastifyReply> {
  try {
    return await run();
  } catch (e) {
    return sendQueryError(reply, e);
  }
}
