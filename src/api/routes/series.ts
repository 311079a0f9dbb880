import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { compareLabels, type Labels, labelsKey, labelsToObject } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import type { Listed, ShardClient, ShardRequest, ShardResponses } from "../../model/shard.ts";
import type { ApiDeps } from "../deps.ts";
import { unescapeName } from "../name-escaping.ts";
import { MAX_TIME, MIN_TIME, matchSetsNamed, type Params, parseLimit, parseMatchSets, parseTime } from "../params.ts";
import { clientSignal, paramsOf, tenantOf } from "../request.ts";
import { markPartial, sendData, sendQueryError } from "../respond.ts";
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
        const ask = {
          kind: "series",
          tenant: tenantOf(request),
          sets: matchSetsNamed(params),
          ...window,
          limit: limit > 0 ? limit + 1 : 0,
        } as const;
        const { answers, warnings } = await listAll<Labels, "series">(request, reply, deps.shards, ask);
        const bySet = new Map<string, Labels>();
        for (const labels of answers) bySet.set(labelsKey(labels), labels);
        const all = [...bySet.values()].sort(compareLabels);
        const data = limited(all, limit, warnings).map(labelsToObject);
        return sendData(request, reply, data, { warnings, infos: [] });
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
        const ask = { kind: "labelNames", tenant: tenantOf(request), sets: parseMatchSets(params), ...window } as const;
        return strings(request, reply, deps.shards, ask, limit);
      }),
  });

  app.get<{ Params: { name: string } }>("/api/v1/label/:name/values", (request, reply) =>
    answer(reply, async () => {
      const name = unescapeName(request.params.name);
      if (name === "") throw new QueryError("bad_data", `invalid label name: ${JSON.stringify(name)}`);
      const params = paramsOf(request);
      const limit = parseLimit(params);
      const window = parseWindow(params);
      const ask = {
        kind: "labelValues",
        tenant: tenantOf(request),
        name,
        sets: parseMatchSets(params),
        ...window,
      } as const;
      return strings(request, reply, deps.shards, ask, limit);
    }),
  );
}

/** A window that ends before it starts holds nothing: an empty answer, as Prometheus gives. */
export function parseWindow(params: Params): { readonly minT: number; readonly maxT: number } {
  return { minT: parseTime(params, "start", MIN_TIME), maxT: parseTime(params, "end", MAX_TIME) };
}

/** Only /api/v1/series names the parameter in what it says of a selector; so does Prometheus. */
async function strings(
  request: FastifyRequest,
  reply: FastifyReply,
  shards: readonly ShardClient[],
  ask: Extract<ShardRequest, { kind: "labelNames" | "labelValues" }>,
  limit: number,
): Promise<FastifyReply> {
  const { answers, warnings } = await listAll<string, "labelNames" | "labelValues">(request, reply, shards, ask);
  const all = [...new Set(answers)].sort();
  return sendData(request, reply, limited(all, limit, warnings), { warnings, infos: [] });
}

/** As many problems as a query tells. */
const MAX_TOLD = 10;

/** What all shards list. Where anything may be missing from it the answer says so, as that of a query does. */
async function listAll<T, K extends "series" | "labelNames" | "labelValues">(
  request: FastifyRequest,
  reply: FastifyReply,
  shards: readonly ShardClient[],
  ask: Extract<ShardRequest, { kind: K }>,
): Promise<{ answers: T[]; warnings: string[] }> {
  const { answers, warnings } = await askAll<K>(shards, ask, clientSignal(request, reply));
  const lists = answers as unknown as Listed<T>[];
  const problems = [...new Set(lists.flatMap((list) => list.problems))].sort();
  warnings.push(...problems.slice(0, MAX_TOLD));
  if (problems.length > MAX_TOLD) warnings.push(`${problems.length - MAX_TOLD} more warning annotations omitted`);
  markPartial(reply, warnings.length > 0);
  return { answers: lists.flatMap((list) => list.values), warnings };
}

/** Asks every shard; one that does not answer makes the result partial, which a warning says. */
export async function askAll<K extends ShardRequest["kind"]>(
  shards: readonly ShardClient[],
  ask: Extract<ShardRequest, { kind: K }>,
  signal: AbortSignal,
): Promise<{ answers: ShardResponses[K][]; warnings: string[] }> {
  const settled = await Promise.allSettled(shards.map((s) => s.request<K>(ask, signal)));
  const answers: ShardResponses[K][] = [];
  const warnings: string[] = [];
  settled.forEach((outcome, i) => {
    if (outcome.status === "fulfilled") {
      answers.push(outcome.value);
      return;
    }
    if (outcome.reason instanceof QueryError) throw outcome.reason;
    const why = outcome.reason instanceof Error ? outcome.reason.message : String(outcome.reason);
    warnings.push(`partial answer: shard ${shards[i]!.partition} did not answer: ${why}`);
  });
  return { answers, warnings };
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
