import { isTenant } from "../model/tenant.ts";
import { duration, integer, size } from "./schema/scalars.ts";
import { defaulted, type Key, map, object, optional, type ValueKey } from "./schema/schema.ts";

/** Limits that a tenant may have of its own. */
const tenantKeys = {
  max_label_names_per_series: defaulted(integer(1, 10_000), 64, "Labels that a series may have, its name included."),
  max_label_name_length: defaulted(integer(1, 65_535), 1024, "Longest label name, in bytes."),
  max_label_value_length: defaulted(integer(1, 65_535), 4096, "Longest label value, in bytes."),
  max_query_points: defaulted(integer(1), 11_000, "Points that a range query may have in each series."),
  max_query_samples: defaulted(integer(1), 50_000_000, "Samples that a query may read."),
  max_query_series: defaulted(
    integer(1),
    1_000_000,
    "Series that a query's selectors may match together, in all partitions; the same matchers count once. Counted on the index, before any sample is read.",
  ),
  max_query_memory: defaulted(
    size(1024),
    2 ** 30,
    "What a query may hold in memory, in one partition and where its parts are put together: about, points and labels.",
    "1GB",
  ),
  max_query_length: defaulted(integer(1), 65_536, "Longest text of a query, in bytes."),
  max_query_depth: defaulted(integer(1, 1000), 1000, "Levels of operators and calls that a query may have."),
  max_total_query_length: defaulted(
    duration(),
    0,
    "Longest time that a query may read, from its first sample to its last: ranges and subqueries count. 0: any.",
    "0",
  ),
  max_lookback_delta: defaulted(duration(), 0, "Largest `lookback_delta` that a request may ask for; 0: any.", "0"),
  max_regex_cost: defaulted(
    integer(1, 1_000_000),
    10_000,
    "Steps of the program that a regular expression may become; alternatives that are plain texts cost nothing.",
  ),
  max_concurrent_queries_per_tenant: defaulted(
    integer(0),
    0,
    "Queries of one tenant that run at a time; 0: as many as `max_concurrent_queries`.",
  ),
  query_timeout: defaulted(duration(1), 120_000, "Longest run time of a query.", "2m"),
  query_shard_timeout: defaulted(
    duration(),
    0,
    "A partition that has not answered after this time is left out of the answer, which is marked partial then.",
    "three quarters of the query's own time",
  ),
  max_rules_per_rule_group: defaulted(
    integer(0),
    1000,
    "Rules that a group which comes over the ruler's API may have; 0: any number.",
  ),
  max_rule_groups: defaulted(
    integer(0),
    1000,
    "Rule groups that a tenant may have over the ruler's API; 0: any number.",
  ),
  query_lookback: defaulted(
    duration(1),
    300_000,
    "How far back an instant selector looks for the newest sample.",
    "5m",
  ),
};

/** Limits of the server as a whole. */
export const limitsSchema = object("limits section", {
  max_body_size: defaulted(size(1024), 32 * 2 ** 20, "Largest request body as it is sent (compressed).", "32MB"),
  max_decoded_size: defaulted(size(1024), 256 * 2 ** 20, "Largest request body after decompression.", "256MB"),
  ...tenantKeys,
  max_concurrent_queries: defaulted(
    integer(1),
    20,
    "Queries that run at a time; others wait, tenants taking turns. Those of rules do not wait.",
  ),
  query_cache_size: defaulted(
    size(),
    64 * 2 ** 20,
    "Memory for results of range queries, so that only what is new of them is evaluated; 0: none are kept.",
    "64MB",
  ),
  max_queued_queries: defaulted(
    integer(0),
    2000,
    "Queries that may wait; others are answered 503, those of the tenant with the most first.",
  ),
});

type AllOptional<K> = { readonly [P in keyof K]: K[P] extends ValueKey<infer T> ? ValueKey<T, "optional"> : never };

function allOptional<K extends Readonly<Record<string, Key>>>(keys: K): AllOptional<K> {
  const entries = Object.entries(keys).map(([name, key]) => {
    if (key.kind !== "value") throw new Error(`${name} has no value`);
    return [name, optional(key.schema, key.doc, `as \`limits.${name}\``)];
  });
  return Object.fromEntries(entries);
}

export const overridesSchema = map(object("tenant limits section", allOptional(tenantKeys)), (tenant) =>
  isTenant(tenant)
    ? undefined
    : `${JSON.stringify(tenant)} is no tenant: 1 to 64 letters, digits, '.', '_' or '-' are expected`,
);
