import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { formatFloat } from "../../lib/float-format.ts";
import { compareLabels, labelsToObject } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import { QueryError } from "../../model/query.ts";
import type { FamilyMetadata } from "../../model/shard.ts";
import type { Expr } from "../../query/parse/ast.ts";
import { parseExpr } from "../../query/parse/parse.ts";
import { askAll } from "../ask-all.ts";
import type { ApiDeps } from "../deps.ts";
import { parseGoInt } from "../go-number.ts";
import { clientSignal, paramsOf, tenantOf } from "../request.ts";
import { sendData, sendError } from "../respond.ts";
import { answer, parseWindow } from "./series.ts";

/** /api/v1/query_exemplars and /api/v1/metadata: what senders tell beside samples. */
export function exemplarRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.route({
    method: ["GET", "POST"],
    url: "/api/v1/query_exemplars",
    handler: (request, reply) => answer(reply, () => queryExemplars(deps, request, reply)),
  });
  app.get("/api/v1/metadata", (request, reply) => answer(reply, () => metadata(deps, request, reply)));
}

async function queryExemplars(deps: ApiDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const params = paramsOf(request);
  const { minT, maxT } = parseWindow(params);
  if (maxT < minT) throw new QueryError("bad_data", "end timestamp must not be before start timestamp");
  const sets = selectorsOf(parseExpr(params.get("query") ?? ""));
  if (sets.length === 0) return reply.code(204).send();
  const ask = { kind: "exemplars", tenant: tenantOf(request), sets, minT, maxT } as const;
  const { answers, warnings } = await askAll(deps, ask, clientSignal(request, reply));
  const all = answers.flat().sort((a, b) => compareLabels(a.series, b.series));
  const data = all.map(({ series, exemplars }) => ({
    seriesLabels: labelsToObject(series),
    exemplars: exemplars.map((e) => ({
      labels: labelsToObject(e.labels),
      value: formatFloat(e.value),
      timestamp: e.ts / 1000,
    })),
  }));
  return sendData(request, reply, data, { warnings, infos: [] });
}

/** The matchers of every selector in the expression. */
function selectorsOf(expr: Expr): (readonly Matcher[])[] {
  switch (expr.kind) {
    case "vectorSelector":
      return [expr.matchers];
    case "matrixSelector":
      return [expr.selector.matchers];
    case "call":
      return expr.args.flatMap(selectorsOf);
    case "binary":
      return [...selectorsOf(expr.lhs), ...selectorsOf(expr.rhs)];
    case "aggregate":
      return [...selectorsOf(expr.expr), ...(expr.param === undefined ? [] : selectorsOf(expr.param))];
    case "subquery":
    case "unary":
    case "paren":
    case "stepInvariant":
      return selectorsOf(expr.expr);
    default:
      return [];
  }
}

async function metadata(deps: ApiDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const params = paramsOf(request);
  const limits: Record<string, number> = {};
  for (const name of ["limit", "limit_per_metric"]) {
    const text = params.get(name) ?? "";
    const limit = text === "" ? -1 : parseGoInt(text, "Atoi");
    if (typeof limit === "string") return sendError(reply, "bad_data", `${name} must be a number`);
    limits[name] = Number(limit);
  }
  const metric = params.get("metric") ?? "";
  const ask = { kind: "metadata", tenant: tenantOf(request), ...(metric === "" ? {} : { family: metric }) } as const;
  const { answers, warnings } = await askAll(deps, ask, clientSignal(request, reply));
  const families = new Map<string, FamilyMetadata[]>();
  for (const family of answers.flat()) {
    const known = families.get(family.family);
    if (known === undefined) families.set(family.family, [family]);
    else if (!known.some((k) => k.type === family.type && k.help === family.help && k.unit === family.unit)) {
      known.push(family);
    }
  }
  const most = limits.limit as number;
  const each = limits.limit_per_metric as number;
  const shown = [...families].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, most < 0 ? undefined : most);
  const data = Object.fromEntries(
    shown.map(([name, list]) => [
      name,
      list.slice(0, each > 0 ? each : undefined).map(({ type, help, unit }) => ({ type, help, unit })),
    ]),
  );
  return sendData(request, reply, data, { warnings, infos: [] });
}
