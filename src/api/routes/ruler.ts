import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type GroupDocument, yamlOf } from "../../actors/rule/ruler-document.ts";
import { type Ruler, RulerError } from "../../actors/rule/ruler-store.ts";
import { QueryError } from "../../model/query.ts";
import type { ApiDeps } from "../deps.ts";
import { tenantOf } from "../request.ts";
import { sendError } from "../respond.ts";

/** Where the calls are: Mimir's prefix, the same without its prefix for Prometheus's API, and Cortex's older one. */
const PREFIXES: readonly string[] = ["/prometheus/config/v1/rules", "/config/v1/rules", "/api/v1/rules"];

type Path = { Params: { namespace: string; group: string } };

/**
 * Mimir's ruler: the rule groups of a tenant by namespace, as YAML. A change answers 202 when it is durable; the groups run
 * from then on. /api/v1/rules itself is Prometheus's call (alerting.ts).
 */
export function rulerRoutes(app: FastifyInstance, { ruler }: Pick<ApiDeps, "ruler">): void {
  for (const prefix of PREFIXES) {
    if (prefix !== "/api/v1/rules") {
      app.get(prefix, (request, reply) =>
        answer(reply, () => sendYaml(reply, contents(ruler.list(tenantOf(request))))),
      );
    }
    app.get<Path>(`${prefix}/:namespace`, (request, reply) =>
      answer(reply, () => sendYaml(reply, contents(ruler.list(tenantOf(request), request.params.namespace)))),
    );
    app.get<Path>(`${prefix}/:namespace/:group`, (request, reply) =>
      answer(reply, () => sendYaml(reply, groupOf(ruler, tenantOf(request), request.params).content)),
    );
    app.post<Path>(`${prefix}/:namespace`, (request, reply) =>
      change(reply, () => ruler.set(tenantOf(request), request.params.namespace, textOf(request))),
    );
    app.delete<Path>(`${prefix}/:namespace`, (request, reply) =>
      change(reply, () => ruler.deleteNamespace(tenantOf(request), request.params.namespace)),
    );
    app.delete<Path>(`${prefix}/:namespace/:group`, (request, reply) =>
      change(reply, () => ruler.deleteGroup(tenantOf(request), request.params.namespace, request.params.group)),
    );
  }
  app.post("/ruler/delete_tenant_config", (request, reply) =>
    answer(reply, async () => {
      await ruler.deleteTenant(tenantOf(request));
      return reply.code(200).send();
    }),
  );
}

function contents(namespaces: Readonly<Record<string, readonly GroupDocument[]>>): unknown {
  return Object.fromEntries(Object.entries(namespaces).map(([name, groups]) => [name, groups.map((g) => g.content)]));
}

function groupOf(ruler: Ruler, tenant: string, { namespace, group }: Path["Params"]): GroupDocument {
  const found = ruler.list(tenant, namespace)[namespace]?.find((g) => g.name === group);
  if (found === undefined) throw new RulerError("missing", "group does not exist");
  return found;
}

function textOf(request: FastifyRequest): string {
  const body = request.body;
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") {
    throw new RulerError(
      "bad",
      `Content-Encoding ${JSON.stringify(encoding)} is not taken here: send the rule group as plain text`,
    );
  }
  try {
    return Buffer.isBuffer(body) ? new TextDecoder("utf-8", { fatal: true }).decode(body) : "";
  } catch {
    throw new RulerError("bad", "the rule group is not UTF-8 text");
  }
}

function sendYaml(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type("application/yaml").send(Buffer.from(yamlOf(value)));
}

const ACCEPTED = Buffer.from('{"status":"success","data":null,"errorType":"","error":""}');

function change(reply: FastifyReply, work: () => Promise<void>): Promise<FastifyReply> {
  return answer(reply, async () => {
    await work();
    return reply.code(202).type("application/json").send(ACCEPTED);
  });
}

async function answer(reply: FastifyReply, work: () => FastifyReply | Promise<FastifyReply>): Promise<FastifyReply> {
  try {
    return await work();
  } catch (e) {
    if (e instanceof QueryError) return sendError(reply, e.type, e.message);
    if (!(e instanceof RulerError)) throw e;
    const status = { bad: 400, missing: 404, stored: 500 }[e.kind];
    return reply.code(status).type("text/plain").send(`${e.message}\n`);
  }
}
