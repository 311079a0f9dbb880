import type { Labels } from "../model/labels.ts";
import type { Matcher } from "../model/matcher.ts";
import { QueryError } from "../model/query.ts";
import { instantGrid } from "../query/plan/grid.ts";
import type { PackedLabels, ShardAnswer, ShardPlan } from "../query/plan/shard-plan.ts";
import { askAll } from "./ask-all.ts";
import type { ApiDeps } from "./deps.ts";

/** One selector's samples, asked of the shards without PromQL: for the calls that hand on samples as they are. */
export interface SelectorRequest {
  readonly tenant: string;
  readonly matchers: readonly Matcher[];
  /** Unix ms; the window is (end - width, end]. */
  readonly end: number;
  readonly width: number;
  readonly signal: AbortSignal;
}

export interface Answers<K extends ShardAnswer["kind"]> {
  readonly answers: readonly Extract<ShardAnswer, { kind: K }>[];
  /** Shards that did not answer, in words. */
  readonly warnings: readonly string[];
}

/**
 * The newest sample of each series in the window: its value or its time (seconds). Series whose newest sample is a staleness
 * marker are left out. Throws QueryError.
 */
export function askNewest(
  deps: ApiDeps,
  request: SelectorRequest,
  output: "value" | "timestamp",
): Promise<Answers<"rows">> {
  return ask(deps, request, { select: { output, lookback: request.width }, end: request.end }, "rows");
}

/** All samples of the window, staleness markers included. Throws QueryError. */
export function askSamples(deps: ApiDeps, request: SelectorRequest, maxSamples: number): Promise<Answers<"raw">> {
  const select = { output: "value", lookback: request.width } as const;
  const range = { func: "last_over_time", range: request.width, params: [] } as const;
  return ask(deps, request, { select, range, raw: true, staleMarkers: true, end: request.end, maxSamples }, "raw");
}

interface PlanParts {
  readonly select: { readonly output: "value" | "timestamp"; readonly lookback: number };
  readonly range?: NonNullable<ShardPlan["range"]>;
  readonly raw?: true;
  readonly staleMarkers?: true;
  readonly end: number;
  readonly maxSamples?: number;
}

async function ask<K extends ShardAnswer["kind"]>(
  deps: ApiDeps,
  { tenant, matchers, signal }: SelectorRequest,
  { select, end, maxSamples, ...parts }: PlanParts,
  kind: K,
): Promise<Answers<K>> {
  const own = deps.limitsOf(tenant);
  const most = Math.min(own.maxQuerySamples, maxSamples ?? Number.POSITIVE_INFINITY);
  const plan: ShardPlan = {
    version: 1,
    tenant,
    grid: instantGrid(end),
    select: { matchers, offset: 0, ...select },
    maps: [],
    ...parts,
    limits: {
      maxSamples: most,
      maxSeries: own.maxQuerySeries,
      maxMemoryBytes: own.maxQueryMemoryBytes,
      timeoutMs: own.queryTimeoutMs,
    },
  };
  const { answers, warnings } = await askAll<"query">(deps, { kind: "query", tenant, plan }, signal);
  if (answers.length === 0) throw new QueryError("internal", `no shard answered: ${warnings.join("; ")}`);
  for (const answer of answers as ShardAnswer[]) {
    if (answer.kind === "failure") throw new QueryError(answer.type, answer.message);
    if (answer.kind !== kind || answer.kind === "count")
      throw new QueryError("internal", `a shard answered ${answer.kind} in place of ${kind}`);
    for (const note of answer.notes) if (note.kind === "missingData") warnings.push(note.text);
  }
  return { answers: answers as Extract<ShardAnswer, { kind: K }>[], warnings };
}

/** The label sets of an answer. */
export function* labelSets({ strings, ids, ends }: PackedLabels): Generator<Labels> {
  let at = 0;
  for (const end of ends) {
    const set: string[] = new Array(end - at);
    for (let k = 0; at < end; k++, at++) set[k] = strings[ids[at] as number] as string;
    yield set;
  }
}
