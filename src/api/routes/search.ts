import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { QueryError } from "../../model/query.ts";
import type { FamilyMetadata, ShardRequest } from "../../model/shard.ts";
import { due, type Pace, sortedIndexes, turn } from "../../query/execute/pace.ts";
import { askAll } from "../ask-all.ts";
import type { ApiDeps } from "../deps.ts";
import { parseGoInt } from "../go-number.ts";
import { mergeTexts, paceOf } from "../merge-lists.ts";
import { type Params, parseMatchSets, parseTime } from "../params.ts";
import { clientSignal, paramsOf, tenantOf } from "../request.ts";
import { compressed, markPartial } from "../respond.ts";
import { FUZZ_ALGORITHMS, scorer } from "../search-match.ts";
import { answer } from "./series.ts";

const HOUR_MS = 3_600_000;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
const DEFAULT_BATCH = 100;

/** /api/v1/search/*: names and values that fit what somebody types, a line of JSON for each batch of them. */
export function searchRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const search = (url: string, ask: (params: Params) => Asked) =>
    app.route({
      method: ["GET", "POST"],
      url,
      handler: (request, reply) => answer(reply, () => run(deps, request, reply, ask)),
    });
  search("/api/v1/search/metric_names", () => ({ kind: "labelValues", name: "__name__" }));
  search("/api/v1/search/label_names", () => ({ kind: "labelNames" }));
  search("/api/v1/search/label_values", (params) => {
    const name = params.get("label") ?? "";
    if (name === "") throw new QueryError("bad_data", 'missing required parameter "label"');
    return { kind: "labelValues", name };
  });
}

type Asked = { readonly kind: "labelNames" } | { readonly kind: "labelValues"; readonly name: string };

async function run(
  deps: ApiDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  asked: (params: Params) => Asked,
): Promise<FastifyReply> {
  const params = paramsOf(request);
  const options = read(params);
  const now = deps.now();
  const minT = parseTime(params, "start", now - HOUR_MS);
  const maxT = parseTime(params, "end", now);
  const tenant = tenantOf(request);
  const ask = { ...asked(params), tenant, sets: parseMatchSets(params), minT, maxT } as Extract<
    ShardRequest,
    { kind: "labelNames" | "labelValues" }
  >;
  const signal = clientSignal(request, reply);
  const { answers, warnings } = await askAll<"labelNames" | "labelValues">(deps, ask, signal);
  warnings.push(...new Set(answers.flatMap((a) => a.problems)));
  markPartial(reply, warnings.length > 0);
  const pace = paceOf(signal);
  const found = await matches(pace, await mergeTexts(pace, answers), options);
  const wantsMetadata = ask.kind === "labelValues" && ask.name === "__name__" && options.metadata;
  const families = wantsMetadata ? await familiesOf(deps, tenant, signal) : undefined;
  const records = found.slice(0, options.limit).map(({ name, score }) => ({
    name,
    ...(options.score ? { score } : {}),
    ...told(families?.get(name)),
  }));
  reply.type("application/x-ndjson; charset=utf-8");
  return compressed(
    request,
    reply,
    Readable.from(lines(records, found.length > options.limit, warnings, options.batch)),
  );
}

function* lines(records: readonly object[], hasMore: boolean, warnings: readonly string[], batch: number) {
  for (let i = 0; i === 0 || i < records.length; i += batch) {
    const told = i === 0 && warnings.length > 0 ? { warnings } : {};
    yield Buffer.from(`${JSON.stringify({ results: records.slice(i, i + batch), ...told })}\n`);
  }
  yield Buffer.from(`${JSON.stringify({ status: "success", has_more: hasMore })}\n`);
}

interface Found {
  readonly name: string;
  readonly score: number;
}

/** @param names in their order, each once */
async function matches(pace: Pace, names: readonly string[], { terms, sort }: SearchOptions): Promise<Found[]> {
  const score = scorer(terms);
  const found: Found[] = [];
  for (const name of names) {
    const fits = score(name);
    if (fits !== undefined) found.push({ name, score: fits });
    if (due(pace, SCORE_WORK)) await turn(pace);
  }
  if (sort === "dsc") return found.reverse();
  if (sort === "asc") return found;
  const at = (i: number) => found[i] as Found;
  // Equal ones stay in the order of their names.
  const order = await sortedIndexes(pace, found.length, (a, b) => at(b).score - at(a).score || a - b);
  return Array.from(order, at);
}

/** What scoring a name counts for. */
const SCORE_WORK = 256;

async function familiesOf(deps: ApiDeps, tenant: string, signal: AbortSignal): Promise<Map<string, FamilyMetadata>> {
  const { answers } = await askAll<"metadata">(deps, { kind: "metadata", tenant }, signal);
  return new Map(answers.flat().map((m) => [m.family, m]));
}

function told(family: FamilyMetadata | undefined): object {
  if (family === undefined) return {};
  return Object.fromEntries(Object.entries(family).filter(([key, text]) => key !== "family" && text !== ""));
}

interface SearchOptions {
  readonly terms: Parameters<typeof scorer>[0];
  readonly sort: "asc" | "dsc" | "score";
  readonly score: boolean;
  readonly metadata: boolean;
  readonly limit: number;
  readonly batch: number;
}

function read(params: Params): SearchOptions {
  const terms = params.getAll("search[]").filter((term) => term !== "");
  const algorithm = params.get("fuzz_alg") || FUZZ_ALGORITHMS[0];
  const known = FUZZ_ALGORITHMS.find((name) => name === algorithm);
  if (known === undefined) {
    throw bad(`unsupported fuzz_alg ${JSON.stringify(algorithm)}: must be one of [${FUZZ_ALGORITHMS.join(" ")}]`);
  }
  const threshold = whole(params, "fuzz_threshold", 0, "must be 0-100");
  if (threshold > 100) throw bad(`invalid fuzz_threshold "${threshold}": must be 0-100`);
  const limit = whole(params, "limit", 0, "must be non-negative integer") || DEFAULT_LIMIT;
  if (limit > MAX_LIMIT) throw bad(`limit must not exceed ${MAX_LIMIT}`);
  return {
    terms: { terms, algorithm: known, threshold: threshold / 100, caseSensitive: flag(params, "case_sensitive", true) },
    sort: sortOf(params, terms.length > 0),
    score: flag(params, "include_score", false),
    metadata: flag(params, "include_metadata", false),
    limit,
    batch: whole(params, "batch_size", 0, "must be non-negative integer") || DEFAULT_BATCH,
  };
}

function sortOf(params: Params, searching: boolean): SearchOptions["sort"] {
  const by = params.get("sort_by") ?? "";
  const direction = params.get("sort_dir") ?? "";
  if (by !== "" && by !== "alpha" && by !== "score") {
    throw bad(`invalid sort_by ${JSON.stringify(by)}: must be "alpha" or "score"`);
  }
  if (direction !== "" && by === "") throw bad("sort_dir is only valid when sort_by is set");
  if (direction !== "" && by === "score") throw bad("sort_dir is not supported for sort_by=score");
  if (direction !== "" && direction !== "asc" && direction !== "dsc") {
    throw bad(`invalid sort_dir ${JSON.stringify(direction)}: must be "asc" or "dsc"`);
  }
  if (by === "score" && !searching) throw bad("sort_by=score requires search[] to be set");
  return by === "score" ? "score" : direction === "dsc" ? "dsc" : "asc";
}

const bad = (message: string) => new QueryError("bad_data", message);

function whole(params: Params, name: string, fallback: number, rule: string): number {
  const text = params.get(name) ?? "";
  if (text === "") return fallback;
  const value = parseGoInt(text, "Atoi");
  if (typeof value === "string" || value < 0) throw bad(`invalid ${name} ${JSON.stringify(text)}: ${rule}`);
  return value;
}

function flag(params: Params, name: string, fallback: boolean): boolean {
  const text = params.get(name) ?? "";
  if (text === "") return fallback;
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw bad(`invalid ${name} ${JSON.stringify(text)}: must be boolean`);
}
