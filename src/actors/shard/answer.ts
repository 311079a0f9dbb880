/** Answers to what a shard is asked, from its storage. Synchronous: a shard is one thread. */

import { RegexError } from "../../lib/regex.ts";
import { watched } from "../../lib/work-at-hand.ts";
import { compareLabels, type Labels, labelsKey } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import { PACK_FROM, type PackedList, packedBuffers, packSets, packTexts } from "../../model/packed-list.ts";
import { QueryError } from "../../model/query.ts";
import type { SeriesSource } from "../../model/series-source.ts";
import type { ChangePoint, FamilyMetadata, Listed, ShardChanges, ShardRequest, ShardStats } from "../../model/shard.ts";
import { runShardQuery } from "../../query/execute/run-shard-query.ts";
import { cardinality } from "../../storage/head/cardinality.ts";
import { selectExemplars } from "../../storage/head/exemplars.ts";
import type { Head } from "../../storage/head/head.ts";
import { familyMetadata, type MetadataTable, tenantMetadata } from "./metric-metadata.ts";

export interface Answer {
  readonly value: unknown;
  /** Buffers of the value that may be moved to the receiver. */
  readonly transfer: ArrayBuffer[];
}

/** What a shard's storage answers from. */
export interface AnswerSources {
  readonly source: SeriesSource;
  readonly head: Head;
  readonly metadata: MetadataTable;
  readonly stats: () => ShardStats;
  readonly changes: (since: ChangePoint | undefined) => ShardChanges;
}

/**
 * Answers one request. Throws QueryError for what the caller did wrong.
 * @param stopped asked now and then; true ends the work early, its answer is then of no interest
 */
export function answerRequest(from: AnswerSources, request: ShardRequest, stopped: () => boolean): Answer {
  // A search for series in the index may be long as well.
  const check = () => {
    if (stopped()) throw new QueryError("canceled", "the request was canceled");
  };
  try {
    return watched(check, () => answerUnchecked(from, request, stopped, check));
  } catch (error) {
    // A matcher's pattern that is no regular expression is the caller's fault.
    if (error instanceof RegexError) throw new QueryError("bad_data", error.message);
    throw error;
  }
}

function answerUnchecked(
  from: AnswerSources,
  request: ShardRequest,
  stopped: () => boolean,
  check: () => void,
): Answer {
  const { source } = from;
  const packSorted = (texts: readonly string[]) => packTexts(sorted(texts, compareTexts, check), check);
  switch (request.kind) {
    case "query": {
      const { result, transfer } = runShardQuery(source, request.plan, stopped);
      return { value: result, transfer };
    }
    case "series":
      return listed(source, request, series(source, request, stopped), (sets) => {
        return packSets(sorted(sets, compareLabels, check), check);
      });
    case "labelNames": {
      const { tenant, sets, minT, maxT } = request;
      return listed(
        source,
        request,
        union(sets, (set) => source.labelNames(tenant, set, minT, maxT)),
        packSorted,
      );
    }
    case "labelValues": {
      const { tenant, name, sets, minT, maxT } = request;
      return listed(
        source,
        request,
        union(sets, (set) => source.labelValues(tenant, name, set, minT, maxT)),
        packSorted,
      );
    }
    case "stats":
      return plain(from.stats());
    case "changes":
      return plain(from.changes(request.since));
    case "cardinality":
      return plain(cardinality(from.head, request.tenant, request.limit, request.sketch));
    case "exemplars": {
      const { tenant, sets, minT, maxT } = request;
      return plain(sets.flatMap((set) => selectExemplars(from.head, tenant, set, minT, maxT)));
    }
    case "metadata":
      return plain(familiesOf(from.metadata, request.tenant, request.family));
    default:
      throw new Error(`${request.kind} is not answered at once`);
  }
}

function familiesOf(table: MetadataTable, tenant: string, family: string | undefined): FamilyMetadata[] {
  if (family === undefined) return [...tenantMetadata(table, tenant)].map(([name, m]) => ({ family: name, ...m }));
  const found = familyMetadata(table, tenant, family);
  return found === undefined ? [] : [{ family, ...found }];
}

const plain = (value: unknown): Answer => ({ value, transfer: [] });

/** The list with what could not be read of it: `values` must have been read by now. Long ones are packed. */
function listed<T>(
  source: SeriesSource,
  { minT, maxT }: { minT: number; maxT: number },
  values: readonly T[],
  pack: (values: readonly T[]) => PackedList,
): Answer {
  const problems = source.problems?.(minT, maxT) ?? [];
  if (values.length < PACK_FROM) return plain({ values, problems } satisfies Listed<T>);
  const packed = pack(values);
  return { value: { values: [], packed, problems } satisfies Listed<T>, transfer: packedBuffers(packed) };
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Comparisons between two looks at whether the work is to end. */
const CHECK_EVERY = 8192;

function sorted<T>(values: readonly T[], compare: (a: T, b: T) => number, check: () => void): T[] {
  let compared = 0;
  return values.toSorted((a, b) => {
    if (++compared % CHECK_EVERY === 0) check();
    return compare(a, b);
  });
}

/** No set at all selects everything. */
const orEverything = (sets: readonly (readonly Matcher[])[]) => (sets.length === 0 ? [[]] : sets);

function union(sets: readonly (readonly Matcher[])[], each: (set: readonly Matcher[]) => string[]): string[] {
  const all = orEverything(sets);
  if (all.length === 1) return each(all[0]!);
  return [...new Set(all.flatMap(each))].sort();
}

function series(
  source: SeriesSource,
  request: Extract<ShardRequest, { kind: "series" }>,
  stopped: () => boolean,
): readonly Labels[] {
  const { tenant, sets, minT, maxT } = request;
  const limit = request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
  // Two ids may have the same labels once series come from several sources (head and blocks).
  const found = new Map<string, Labels>();
  for (const set of orEverything(sets)) {
    const ids = source.select(tenant, set, minT, maxT);
    for (let i = 0; i < ids.length; i++) {
      if (found.size >= limit || ((i & 0xff) === 0 && stopped())) return [...found.values()];
      const labels = source.labels(ids[i]!);
      found.set(labelsKey(labels), labels);
    }
  }
  return [...found.values()];
}
