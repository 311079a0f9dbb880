import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type IngestMode, type IngestResult, MalformedBody, TryLater } from "../../model/ingest.ts";
import { QueryError } from "../../model/query.ts";
import { type Admission, makeAdmission } from "../admission.ts";
import type { ApiDeps } from "../deps.ts";
import { POSITION_HEADER } from "../read-after.ts";
import { tenantOf } from "../request.ts";

/**
 * What senders post: remote write 1.0 and JSON push. 2xx: everything is durable. 400: something can never be taken, the
 * reason is in the body, the good samples of the request were taken. 413, 415: not read. 503: send it again later.
 */
export function writeRoutes(app: FastifyInstance, deps: ApiDeps): void {
  // In a scope of its own: their bodies are received in another way than those of the other routes.
  app.register(async (scope) => {
    const admission = makeAdmission(deps);
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", admission.parse);
    addRoutes(scope, deps, admission);
  });
}

function addRoutes(app: FastifyInstance, deps: ApiDeps, admission: Admission): void {
  const withInflated = makeInflater(deps.limits.maxDecodedBytes);
  app.post("/api/v1/write", { onRequest: admission.hook("remote_write") }, (request, reply) =>
    take(deps, request, reply, "remote_write", async (tenant) => {
      const message = messageOf(request.headers["content-type"] ?? "application/x-protobuf");
      const encoding = request.headers["content-encoding"] ?? "snappy";
      if (encoding !== "snappy") throw new Unsupported(`Content-Encoding ${encoding}`, "snappy");
      // What was written is told of every request that was understood, also when nothing of it was.
      tellWritten(reply, { accepted: 0, rejected: [] });
      const body = bodyOf(request);
      const result = await (message === WRITE_1
        ? deps.ingest.remoteWrite(tenant, body, modeOf(request))
        : deps.ingest.remoteWrite2(tenant, body, modeOf(request)));
      tellWritten(reply, result);
      return result;
    }),
  );

  app.post("/api/v1/ingest", { onRequest: admission.hook("json") }, (request, reply) =>
    take(deps, request, reply, "json", async (tenant) => {
      const type = request.headers["content-type"] ?? "application/json";
      if (!type.startsWith("application/json")) throw new Unsupported(`Content-Type ${type}`, "application/json");
      const mode = modeOf(request);
      return withInflated(request, (body) => deps.ingest.json(tenant, body, undefined, mode));
    }),
  );
}

const WRITE_1 = "prometheus.WriteRequest";
const WRITE_2 = "io.prometheus.write.v2.Request";

/** Which of remote write's messages the Content-Type names. Throws `Unsupported`. */
function messageOf(contentType: string): typeof WRITE_1 | typeof WRITE_2 {
  const [type = "", ...parameters] = contentType.split(";").map((s) => s.trim());
  const proto = parameters.map((p) => /^proto\s*=\s*"?([^"]*)"?$/i.exec(p)?.[1]).find((name) => name !== undefined);
  if (type.toLowerCase() === "application/x-protobuf" && (proto === undefined || proto === WRITE_1)) return WRITE_1;
  if (type.toLowerCase() === "application/x-protobuf" && proto === WRITE_2) return WRITE_2;
  const both = `application/x-protobuf;proto=${WRITE_2} or application/x-protobuf;proto=${WRITE_1}`;
  throw new Unsupported(`Content-Type ${contentType}`, both);
}

/** The response headers of remote write 2.0. */
function tellWritten(reply: FastifyReply, { accepted, histograms = 0, exemplars = 0 }: IngestResult): void {
  reply.header("x-prometheus-remote-write-samples-written", String(accepted - histograms));
  reply.header("x-prometheus-remote-write-histograms-written", String(histograms));
  reply.header("x-prometheus-remote-write-exemplars-written", String(exemplars));
}

/** What was posted is of a kind that this route does not read: HTTP 415, with what to send instead. */
class Unsupported extends Error {
  constructor(what: string, instead: string) {
    super(`${what} is not supported here, send ${instead}`);
    this.name = "Unsupported";
  }
}

/** X-Tocsin-Backfill: 1 sends history, of any age that is kept. */
function modeOf(request: FastifyRequest): IngestMode | undefined {
  const header = request.headers["x-tocsin-backfill"];
  if (header === undefined || header === "0") return undefined;
  if (header === "1") return { backfill: true };
  throw new MalformedBody("invalid_header", `X-Tocsin-Backfill: ${JSON.stringify(header)} is neither 1 nor 0`);
}

/** A request without a body is one with an empty body. */
function bodyOf(request: FastifyRequest): Buffer {
  return (request.body as Buffer | undefined) ?? Buffer.alloc(0);
}

const inflate = promisify(gunzip);

/** Bodies in gzip that are larger when decompressed are in memory as such one at a time: nobody counts what they take there. */
const INFLATED_AT_ONCE = 1 << 18;
/** Compressed bytes that wait for that, also of senders that left, whose bodies nobody else counts any more. */
const MAX_WAITING_BYTES = 64 << 20;

/** Makes the function that calls `use` with a request's body, decompressed; bodies that are large then have their turn one by one. */
function makeInflater(maxBytes: number) {
  let last: Promise<unknown> = Promise.resolve();
  let waitingBytes = 0;
  return async <T>(request: FastifyRequest, use: (body: Uint8Array) => Promise<T>): Promise<T> => {
    const body = bodyOf(request);
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (encoding === "identity") return use(body);
    if (encoding !== "gzip") throw new Unsupported(`Content-Encoding ${encoding}`, "gzip or none");
    const small = maxBytes <= INFLATED_AT_ONCE ? undefined : await inflated(body, INFLATED_AT_ONCE);
    if (small !== undefined) return use(small);
    if (waitingBytes > 0 && waitingBytes + body.length > MAX_WAITING_BYTES) {
      throw new TryLater("overloaded", 503, 1, "too many large bodies wait to be read: send again later");
    }
    waitingBytes += body.length;
    const mine = last.then(async () => {
      waitingBytes -= body.length;
      const large = await inflated(body, maxBytes);
      if (large !== undefined) return use(large);
      const message = `more than ${maxBytes} bytes after decompression (limits.max_decoded_size)`;
      throw new MalformedBody("body_too_large", message);
    });
    last = mine.catch(() => {});
    return mine;
  };
}

/** Undefined when there are more than so many bytes. Throws MalformedBody. */
async function inflated(body: Uint8Array, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    return await inflate(body, { maxOutputLength: maxBytes });
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") return undefined;
    throw new MalformedBody("malformed_gzip", `the body cannot be decompressed as gzip: ${(e as Error).message}`);
  }
}

/** Runs one write and turns its outcome into the protocol's statuses; counts what was taken and what was refused. */
async function take(
  deps: ApiDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  protocol: string,
  run: (tenant: string) => Promise<IngestResult>,
): Promise<FastifyReply> {
  const refuse = (status: number, reason: string, message: string) => {
    deps.observe.rejected(protocol, reason, 1);
    return reply.code(status).type("text/plain").send(`${message}\n`);
  };
  try {
    const result = await run(tenantOf(request));
    deps.observe.accepted(protocol, result.accepted);
    if (result.position !== undefined) reply.header(POSITION_HEADER, result.position);
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
    if (e instanceof MalformedBody) return refuse(e.reason === "body_too_large" ? 413 : 400, e.reason, e.message);
    if (e instanceof Unsupported) return refuse(415, "unsupported_media_type", e.message);
    if (e instanceof QueryError) return refuse(400, "invalid_tenant", e.message);
    if (e instanceof TryLater) {
      reply.header("retry-after", String(e.retryAfterSeconds));
      return refuse(e.status, e.reason, e.message);
    }
    throw e;
  }
}
