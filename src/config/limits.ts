import type { LimitsConfig, TenantLimits } from "../model/config.ts";
import type { limitsSchema, overridesSchema } from "./limit-keys.ts";
import type { ReadKeys, Schema } from "./schema/schema.ts";

type ReadLimits = ReadKeys<(typeof limitsSchema)["keys"]>;
type ReadOverrides = typeof overridesSchema extends Schema<infer T> ? T : never;
type TenantKey = keyof ReadOverrides[string];

/** The keys of what a tenant may have of its own. */
const FIELD: Readonly<Record<TenantKey, keyof TenantLimits>> = {
  max_label_names_per_series: "maxLabelNamesPerSeries",
  max_label_name_length: "maxLabelNameBytes",
  max_label_value_length: "maxLabelValueBytes",
  max_query_points: "maxQueryPoints",
  max_query_samples: "maxQuerySamples",
  max_query_series: "maxQuerySeries",
  max_query_memory: "maxQueryMemoryBytes",
  max_query_length: "maxQueryBytes",
  max_query_depth: "maxQueryDepth",
  max_total_query_length: "maxTotalQueryMs",
  max_lookback_delta: "maxLookbackDeltaMs",
  max_regex_cost: "maxRegexCost",
  max_concurrent_queries_per_tenant: "maxTenantQueries",
  query_timeout: "queryTimeoutMs",
  query_shard_timeout: "queryShardTimeoutMs",
  max_rules_per_rule_group: "maxRulesPerRuleGroup",
  max_rule_groups: "maxRuleGroups",
  query_lookback: "queryLookbackMs",
};

/** Of those keys that are there. */
function tenantLimits(read: Readonly<Partial<Record<TenantKey, number | undefined>>>): Partial<TenantLimits> {
  const out: { -readonly [K in keyof TenantLimits]?: number } = {};
  for (const [key, field] of Object.entries(FIELD) as [TenantKey, keyof TenantLimits][]) {
    const value = read[key];
    if (value !== undefined) out[field] = value;
  }
  return out;
}

/** The section `limits`. */
export function toLimits(read: ReadLimits): LimitsConfig {
  return {
    // All of them have defaults.
    ...(tenantLimits(read) as TenantLimits),
    maxBodyBytes: read.max_body_size,
    maxDecodedBytes: read.max_decoded_size,
    maxConcurrentQueries: read.max_concurrent_queries,
    maxQueuedQueries: read.max_queued_queries,
    queryCacheBytes: read.query_cache_size,
  };
}

/** The section `overrides`. */
export function toOverrides(read: ReadOverrides): Readonly<Record<string, Partial<TenantLimits>>> {
  const out: Record<string, Partial<TenantLimits>> = Object.create(null);
  for (const [tenant, own] of Object.entries(read)) out[tenant] = tenantLimits(own);
  return out;
}
