import type { FastifyInstance } from "fastify";
import type { ApiDeps } from "../deps.ts";
import { OPENAPI_VERSIONS, openapiText } from "../openapi.ts";
import { paramsOf } from "../request.ts";
import { sendError } from "../respond.ts";

/** /api/v1/openapi.yaml: the description of all calls, as Prometheus gives one of its own. */
export function openapiRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.get("/api/v1/openapi.yaml", (request, reply) => {
    const asked = paramsOf(request).get("openapi_version") || "3.1";
    const openapi = OPENAPI_VERSIONS[asked];
    if (openapi === undefined) return sendError(reply, "bad_data", `openapi_version is 3.1 or 3.2, not ${asked}`);
    return reply.type("application/yaml; charset=utf-8").send(Buffer.from(openapiText(openapi, deps.version)));
  });
}
