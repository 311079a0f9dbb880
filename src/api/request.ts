import type { FastifyReply, FastifyRequest } from "fastify";
import { QueryError } from "../model/query.ts";
import { DEFAULT_TENANT } from "../model/sample.ts";
import { isTenant } from "../model/tenant.ts";
import type { Params } from "./params.ts";

/** The tenant of a request: X-Scope-OrgID, `default` when absent. */
export function tenantOf(request: FastifyRequest): string {
  const header = request.headers["x-scope-orgid"];
  if (header === undefined || header === "") return DEFAULT_TENANT;
  if (typeof header === "string" && isTenant(header)) return header;
  throw new QueryError(
    "bad_data",
    `invalid X-Scope-OrgID ${JSON.stringify(header)}: a tenant is 1 to 64 letters, digits, '.', '_' or '-'`,
  );
}

/** Parameters of the URL and, for a POST form, of the body; of a name given in both, the body's is found first. */
export function paramsOf(request: FastifyRequest): Params {
  const url = new URL(request.url, "http://localhost");
  const type = request.headers["content-type"] ?? "";
  if (request.method !== "POST" || !type.startsWith("application/x-www-form-urlencoded")) return url.searchParams;
  const params = new URLSearchParams((request.body as Buffer | undefined)?.toString("utf8") ?? "");
  for (const [name, value] of url.searchParams) params.append(name, value);
  return params;
}

/** A signal that is aborted when the client goes away before it was answered. */
export function clientSignal(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) controller.abort(new QueryError("canceled", "the client closed the connection"));
  });
  if (request.raw.destroyed && !request.raw.complete) controller.abort();
  return controller.signal;
}
