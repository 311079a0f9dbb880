import { Readable } from "node:stream";
import { constants, createGzip, createZstdCompress, gzipSync, zstdCompressSync } from "node:zlib";
import type { FastifyReply, FastifyRequest } from "fastify";
import { QueryError } from "../model/query.ts";
import { annotations } from "./encode.ts";
import { gzipPieces } from "./gzip-pieces.ts";

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

/** Bodies below this size fit into a packet or so as they are: compressing them takes longer than sending them. */
const COMPRESS_FROM = 1536;
/**
 * Bodies up to this size are compressed at once and sent whole: that takes half a millisecond, less than the way through a stream
 * and another thread.
 */
const AT_ONCE = 64 * 1024;
const GZIP = { level: 1 };
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

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
  const text = `{"status":"success","data":${JSON.stringify(data)}${annotations(notes)}}`;
  return sendPieces(request, reply, [Buffer.from(text)]);
}

/** Sends JSON that comes in pieces, compressed where the client takes that: whole where it is short, streamed where it is long. */
export function sendPieces(request: FastifyRequest, reply: FastifyReply, pieces: Iterable<Buffer>): FastifyReply {
  reply.type(JSON_TYPE).header("vary", "Accept-Encoding");
  const iterator = pieces[Symbol.iterator]();
  const heads: Buffer[] = [];
  let length = 0;
  let done = false;
  while (length <= AT_ONCE && !done) {
    const next = iterator.next();
    done = next.done === true;
    if (next.done) continue;
    heads.push(next.value);
    length += next.value.length;
  }
  const head = Buffer.concat(heads, length);
  if (done && length <= AT_ONCE) return sendWhole(request, reply, head);
  const bytes = { objectMode: false, highWaterMark: 2 * AT_ONCE };
  if (encodingFor(request.headers["accept-encoding"]) === "gzip") {
    return reply.header("content-encoding", "gzip").send(Readable.from(gzipPieces(rest(head, iterator)), bytes));
  }
  return compressed(request, reply, Readable.from(rest(head, iterator), bytes));
}

function sendWhole(request: FastifyRequest, reply: FastifyReply, body: Buffer): FastifyReply {
  const encoding = body.length < COMPRESS_FROM ? "identity" : encodingFor(request.headers["accept-encoding"]);
  if (encoding === "identity") return reply.send(body);
  reply.header("content-encoding", encoding);
  return reply.send(encoding === "gzip" ? gzipSync(body, GZIP) : zstdCompressSync(body, ZSTD));
}

/** Sends a stream in the best encoding that the client takes, whatever its type. */
export function compressed(request: FastifyRequest, reply: FastifyReply, source: Readable): FastifyReply {
  reply.header("vary", "Accept-Encoding");
  const encoding = encodingFor(request.headers["accept-encoding"]);
  if (encoding === "identity") return reply.send(source);
  reply.header("content-encoding", encoding);
  const squeeze = encoding === "gzip" ? createGzip(GZIP) : createZstdCompress(ZSTD);
  source.on("error", (e) => squeeze.destroy(e));
  return reply.send(source.pipe(squeeze));
}

function* rest(head: Buffer, iterator: Iterator<Buffer>): Generator<Buffer> {
  yield head;
  for (;;) {
    const next = iterator.next();
    if (next.done) return;
    yield next.value;
  }
}

/** The one of ours to which an Accept-Encoding header gives the most weight; of equal ones zstd, which takes less time. */
export function encodingFor(accept: string | readonly string[] | undefined): "zstd" | "gzip" | "identity" {
  if (accept === undefined) return "identity";
  const weights = new Map<string, number>();
  for (const part of [accept].flat().join(",").split(",")) {
    const [name = "", ...parameters] = part.split(";").map((s) => s.trim().toLowerCase());
    const weight = parameters.map((p) => /^q\s*=\s*([\d.]+)$/.exec(p)?.[1]).find((q) => q !== undefined);
    weights.set(name, Number(weight ?? 1));
  }
  const zstd = weights.get("zstd") ?? 0;
  const gzip = weights.get("gzip") ?? 0;
  if (zstd > 0 && zstd >= gzip) return "zstd";
  return gzip > 0 ? "gzip" : "identity";
}

/** A person or program must not take a partial answer for a whole one: it says so in `warnings` and in this header. */
export function markPartial(reply: FastifyReply, partial: boolean): void {
  if (partial) reply.header("x-tocsin-partial", "true");
}
