import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { QueryError } from "../../model/query.ts";
import { isTooMany } from "../../query/execute/memory.ts";
import type { ApiDeps } from "../deps.ts";
import { chunkedAnswer } from "../remote-read/chunked-answer.ts";
import { makeGate } from "../remote-read/gate.ts";
import { type ReadQuery, ReadRequestError, readRequest } from "../remote-read/read-request.ts";
import { sampledAnswer } from "../remote-read/sampled-answer.ts";
import { type SelectedSeries, selectedSeries } from "../remote-read/selected-series.ts";
import { decodeBlock, SnappyError } from "../remote-read/snappy-block.ts";
import { clientSignal, tenantOf } from "../request.ts";
import { markPartial } from "../respond.ts";
import { askSamples } from "../shard-plans.ts";

/** prometheus.ReadRequest.ResponseType */
const SAMPLES = 0;
const STREAMED_XOR_CHUNKS = 1;
const TYPE_NAMES = ["SAMPLES", "STREAMED_XOR_CHUNKS"];

/** As Prometheus's default of storage.remote.read-max-bytes-in-frame. */
const MAX_BYTES_IN_FRAME = 1 << 20;
/** A request is selectors and times: more than this, decompressed, is none. */
const MAX_REQUEST_BYTES = 32 << 20;

/** As Prometheus's default of storage.remote.read-concurrent-limit: what an answer is made of is in memory until it is sent. */
const AT_ONCE = 10;

/** POST /api/v1/read: Prometheus's remote read, with both of its response types. */
export function remoteReadRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const gate = makeGate(AT_ONCE);
  app.post("/api/v1/read", async (request, reply) => {
    const refuse = (status: number, message: string) => reply.code(status).type("text/plain").send(`${message}\n`);
    try {
      const leave = await gate.enter(clientSignal(request, reply));
      if (reply.raw.destroyed) leave();
      else reply.raw.once("close", leave);
      return await remoteRead(deps, request, reply);
    } catch (e) {
      if (e instanceof SnappyError || e instanceof ReadRequestError) return refuse(400, e.message);
      if (!(e instanceof QueryError)) throw e;
      if (e.type === "bad_data" || e.type === "execution") return refuse(400, e.message);
      return refuse(e.type === "timeout" ? 503 : 500, e.message);
    }
  });
}

async function remoteRead(deps: ApiDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
  const { queries, accepted } = readRequest(decodeBlock(body, MAX_REQUEST_BYTES));
  const type = responseType(accepted);
  const tenant = tenantOf(request);
  const signal = clientSignal(request, reply);
  const results: SelectedSeries[][] = [];
  let left = deps.limitsOf(tenant).maxQuerySamples;
  // One after the other: what one has taken of the limit, the next has not.
  for (const query of queries) {
    const { series, partial } = await select(deps, query, tenant, left, signal);
    if (partial) markPartial(reply, true);
    left -= series.reduce((sum, { from, to }) => sum + to - from, 0);
    if (left < 0) throw overLimit(deps, tenant);
    results.push(series);
  }
  if (type === SAMPLES) {
    reply.type("application/x-protobuf").header("content-encoding", "snappy");
    return reply.send(Buffer.from(await sampledAnswer(results)));
  }
  reply.type("application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
  return reply.send(Readable.from(chunkedAnswer(results, MAX_BYTES_IN_FRAME), { objectMode: false }));
}

/** The first of the types that the reader takes and we have. */
function responseType(accepted: readonly number[]): number {
  if (accepted.length === 0) return SAMPLES;
  const type = accepted.find((t) => t === SAMPLES || t === STREAMED_XOR_CHUNKS);
  if (type !== undefined) return type;
  const asked = accepted.map((t) => TYPE_NAMES[t] ?? t).join(" ");
  throw new ReadRequestError(
    `server does not support any of the requested response types: [${asked}]; supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]`,
  );
}

async function select(
  deps: ApiDeps,
  { start, end, matchers }: ReadQuery,
  tenant: string,
  maxSamples: number,
  signal: AbortSignal,
): Promise<{ series: SelectedSeries[]; partial: boolean }> {
  // As in Prometheus's storage, no matcher at all selects nothing.
  if (end < start || matchers.length === 0) return { series: [], partial: false };
  const ask = { tenant, matchers, end, width: end - start + 1, signal };
  try {
    const { answers, warnings } = await askSamples(deps, ask, maxSamples);
    return { series: selectedSeries(answers), partial: warnings.length > 0 };
  } catch (e) {
    // The shards' own words are of a query in PromQL.
    if (e instanceof QueryError && isTooMany(e)) throw overLimit(deps, tenant);
    throw e;
  }
}

function overLimit(deps: ApiDeps, tenant: string): QueryError {
  const { maxQuerySamples } = deps.limitsOf(tenant);
  return new QueryError("bad_data", `exceeded sample limit (${maxQuerySamples}, limits.max_query_samples)`);
}
