import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { parsePositions, type StreamPosition } from "../model/position.ts";
import { QueryError } from "../model/query.ts";
import type { ShardClient } from "../model/shard.ts";
import type { ApiDeps } from "./deps.ts";
import { parseDurationParam } from "./params.ts";
import { clientSignal, paramsOf, tenantOf } from "./request.ts";
import { sendQueryError } from "./respond.ts";

/** The response header of a write, and the request header of a query that is to see it. */
export const POSITION_HEADER = "x-tocsin-position";
export const READ_AFTER_HEADER = "x-tocsin-read-after";

/** What reads samples or series. */
const READS: ReadonlySet<string> = new Set([
  "/api/v1/query",
  "/api/v1/query_range",
  "/api/v1/query_exemplars",
  "/api/v1/series",
  "/api/v1/labels",
  "/api/v1/label/:name/values",
]);

/** What sees a moment's less without harm, but is better with it: no token is taken here, and no wait is failed for. */
const ALSO_VISIBLE: ReadonlySet<string> = new Set([
  "/api/v1/search/metric_names",
  "/api/v1/search/label_names",
  "/api/v1/search/label_values",
  "/api/v1/read",
  "/federate",
  "/api/v1/admin/tsdb/delete_series",
]);

const DEFAULT_WAIT_MS = 5_000;
/** A shard that is away for the moment is asked again after this. */
const RETRY_MS = 50;

/**
 * Read-your-writes: a query with X-Tocsin-Read-After waits until the shards have the samples of the write that gave the
 * token. It does not get an answer without them: after 5 s, or the query's own timeout where that is shorter, it is 503
 * (send it again, or without the header). 400 for what is no token, 422 for one that no wait can satisfy.
 *
 * Without the header it waits for what this process has acknowledged, for some milliseconds at most and only where that is
 * of use (src/actors/shard/visibility.ts): it runs after that in any case.
 */
export function readAfterHook(app: FastifyInstance, deps: ApiDeps): void {
  app.addHook("preHandler", async (request, reply) => {
    const header = request.headers[READ_AFTER_HEADER];
    const route = request.routeOptions.url ?? "";
    if (header === undefined || !READS.has(route)) {
      if (!READS.has(route) && !ALSO_VISIBLE.has(route)) return;
      const wait = deps.visible();
      if (wait === undefined) return;
      const begun = performance.now();
      await wait;
      deps.observe.waitedVisible((performance.now() - begun) / 1000);
      return;
    }
    try {
      const positions = positionsOf(Array.isArray(header) ? header.join() : header, deps.shards);
      const signal = clientSignal(request, reply);
      await Promise.all(
        positions.map(([shard, position]) => reached(shard, position, patience(request, deps), signal)),
      );
    } catch (error) {
      return sendQueryError(reply, error);
    }
  });
}

function positionsOf(token: string, shards: readonly ShardClient[]): (readonly [ShardClient, StreamPosition])[] {
  const positions = parsePositions(token);
  if (positions === undefined) {
    throw new QueryError(
      "bad_data",
      `invalid X-Tocsin-Read-After ${shown(token)}: it is not a token that a write gave`,
    );
  }
  return positions.map((position) => {
    const shard = shards.find((s) => s.partition === position.partition);
    if (shard !== undefined) return [shard, position];
    const why = `there is no partition ${position.partition}`;
    throw new QueryError("bad_data", `invalid X-Tocsin-Read-After ${shown(token)}: ${why}`);
  });
}

const shown = (token: string) => JSON.stringify(token.length > 80 ? `${token.slice(0, 80)}…` : token);

function patience(request: FastifyRequest, deps: ApiDeps): number {
  const timeout = parseDurationParam(paramsOf(request), "timeout") ?? Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(timeout, deps.limitsOf(tenantOf(request)).queryTimeoutMs, DEFAULT_WAIT_MS));
}

/** Waits for one shard, also for one that is being restarted. */
async function reached(
  shard: ShardClient,
  { sequence, stream }: StreamPosition,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + waitMs;
  let why = `its shard has not read message ${sequence} of the stream yet, or the labels of its series are missing`;
  for (;;) {
    const timeoutMs = Math.max(0, end - performance.now());
    try {
      const answer = await shard.request<"reached">({ kind: "reached", sequence, stream, timeoutMs }, signal);
      if (answer === "reached") return;
      if (answer === "other_stream") {
        throw new QueryError(
          "execution",
          `the stream of partition ${shard.partition} was made anew since the write that X-Tocsin-Read-After names: leave out the header`,
        );
      }
    } catch (error) {
      if (signal.aborted || error instanceof QueryError) throw error;
      why = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() >= end) {
      throw new QueryError(
        "timeout",
        `what X-Tocsin-Read-After names cannot be read yet: partition ${shard.partition}: ${why}`,
      );
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}
