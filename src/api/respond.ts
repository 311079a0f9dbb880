import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import type { FastifyReply, FastifyRequest } from "fastify";
import { QueryError } from "../model/query.ts";
import { annotations } from "./encode.ts";

/** Prometheus's errorType values that only the API itself uses, next to those of QueryError. */
export type ApiErrorType = QueryError["type"] | "not_found" | "unavailable" | "not_acceptable";

const STATUS: Record<ApiErrorType, number> = {
  bad_data: 400,
  execution: 422,
  // nginx's "client closed request", as Prometheus answers since 3.0; nobody is there to read it.
  canceled: 499,
  timeout: 503,
  internal: 500,
  not_found: 404,
  unavailable: 503,
  not_acceptable: 406,
};

/** Sent with bytes, not text: to text the server would add a charset, which JSON does not have. */
const JSON_TYPE = "application/json";

/** Bodies below this size are not worth compressing. */
const GZIP_FROM = 1024;

export function sendError(reply: FastifyReply, type: ApiErrorType, message: string): FastifyReply {
  return reply
    .code(STATUS[type])
    .type(JSON_TYPE)
    .send(Buffer.from(JSON.stringify({ status: "error", errorType: type, error: message.toWellFormed() })));
}

/** Answers an error of the engine or of parameter parsing in Prometheus's shape; anything else is left to the server's error handler. */
export function sendQueryError(reply: FastifyReply, error: unknown): FastifyReply {
  if (error instanceof QueryError) return sendError(reply, error.type, error.message);
  throw error;
}

export function sendData(
  request: FastifyRequest,
  reply: FastifyReply,
  data: unknown,
  notes: { warnings: readonly string[]; infos: readonly string[] } = { warnings: [], infos: [] },
): FastifyReply {
  return sendPieces(request, reply, [`{"status":"success","data":${JSON.stringify(data)}${annotations(notes)}}`]);
}

/** Sends JSON that comes in pieces: at once where it is short, streamed (and compressed where the client takes gzip) where it is long. */
export function sendPieces(request: FastifyRequest, reply: FastifyReply, pieces: Iterable<string>): FastifyReply {
  reply.type(JSON_TYPE).header("vary", "Accept-Encoding");
  const iterator = pieces[Symbol.iterator]();
  let head = "";
  let done = false;
  while (head.length < GZIP_FROM && !done) {
    const next = iterator.next();
    done = next.done === true;
    if (!next.done) head += next.value;
  }
  if (done && head.length < GZIP_FROM) return reply.send(Buffer.from(head));
  const source = Readable.from(rest(head, iterator), { objectMode: false, highWaterMark: 64 * 1024 });
  if (!acceptsGzip(request)) return reply.send(source);
  reply.header("content-encoding", "gzip");
  const gzip = createGzip({ level: 1 });
  source.on("error", (e) => gzip.destroy(e));
  return reply.send(source.pipe(gzip));
}

function* rest(head: string, iterator: Iterator<string>): Generator<Buffer> {
  yield Buffer.from(head);
  for (;;) {
    const next = iterator.next();
    if (next.done) return;
    yield Buffer.from(next.value);
  }
}

function acceptsGzip(request: FastifyRequest): boolean {
  const accept = request.headers["accept-encoding"];
  return typeof accept === "string" && /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(accept);
}

/** A person or program must not take a partial answer for a whole one: it says so in `warnings` and in this header. */
export function markPartial(reply: FastifyReply, partial: boolean): void {
  if (partial) reply.header("x-tocsin-partial", "true");
}
