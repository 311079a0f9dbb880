import { gunzipSync } from "node:zlib";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type IngestResult, MalformedBody, TryLater } from "../../model/ingest.ts";
import { QueryError } from "../../model/query.ts";
import type { ApiDeps } from "../deps.ts";
import { tenantOf } from "../request.ts";

/**
 * What senders post: remote write 1.0 and JSON push. 2xx: everything is durable. 400: something can never be taken, the
 * reason is in the body, the good samples of the request were taken. 413, 415: not read. 429, 503: send it again later.
 */
export function writeRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.post("/api/v1/write", (request, reply) =>
    take(deps, reply, "remote_write", async () => {
      const type = request.headers["content-type"] ?? "application/x-protobuf";
      if (!type.startsWith("application/x-protobuf"))
        return unsupported(reply, `Content-Type ${type}`, "application/x-protobuf");
      if (type.includes("io.prometheus.write.v2")) {
        return unsupported(reply, "remote write 2.0", "application/x-protobuf;proto=prometheus.WriteRequest");
      }
      const encoding = request.headers["content-encoding"] ?? "snappy";
      if (encoding !== "snappy") return unsupported(reply, `Content-Encoding ${encoding}`, "snappy");
      return deps.ingest.remoteWrite(tenantOf(request), request.body as Buffer);
    }),
  );

  app.post("/api/v1/ingest", (request, reply) =>
    take(deps, reply, "json", async () => {
      const type = request.headers["content-type"] ?? "application/json";
      if (!type.startsWith("application/json")) return unsupported(reply, `Content-Type ${type}`, "application/json");
      const body = inflate(request, deps.limits.maxDecodedBytes);
      if (body === undefined) return unsupported(reply, "this Content-Encoding", "gzip or none");
      return deps.ingest.json(tenantOf(request), body);
    }),
  );
}

function inflate(request: FastifyRequest, maxBytes: number): Uint8Array | undefined {
  const body = request.body as Buffer;
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return body;
  if (encoding !== "gzip") return undefined;
  try {
    return gunzipSync(body, { maxOutputLength: maxBytes });
  } catch (e) {
    throw new MalformedBody("gzip", `the body cannot be decompressed as gzip: ${(e as Error).message}`);
  }
}

function unsupported(reply: FastifyReply, what: string, instead: string): FastifyReply {
  return reply.code(415).type("text/plain").send(`${what} is not supported here, send ${instead}\n`);
}

/** Runs one write and turns its outcome into the protocol's statuses; counts what was taken and what was refused. */
async function take(
  deps: ApiDeps,
  reply: FastifyReply,
  protocol: string,
  run: () => Promise<IngestResult | FastifyReply>,
): Promise<FastifyReply> {
  try {
    const result = await run();
    if (!("accepted" in result)) return result;
    deps.observe.accepted(protocol, result.accepted);
    if (result.rejected.length === 0) return reply.code(204).send();
    for (const r of result.rejected) deps.observe.rejected(protocol, r.reason, r.count);
    const lines = result.rejected.map(
      (r) => `${r.count} sample${r.count === 1 ? "" : "s"} refused (${r.reason}): ${r.message}`,
    );
    return reply
      .code(400)
      .type("text/plain")
      .send(`${lines.join("\n")}\n`);
  } catch (e) {
    if (e instanceof MalformedBody) {
      deps.observe.rejected(protocol, e.reason, 1);
      return reply
        .code(e.reason === "body_too_large" ? 413 : 400)
        .type("text/plain")
        .send(`${e.message}\n`);
    }
    if (e instanceof TryLater) {
      deps.observe.rejected(protocol, e.reason, 1);
      return reply
        .code(e.status)
        .header("retry-after", String(e.retryAfterSeconds))
        .type("text/plain")
        .send(`${e.message}\n`);
    }
    if (e instanceof QueryError) return reply.code(400).type("text/plain").send(`${e.message}\n`);
    throw e;
  }
}
