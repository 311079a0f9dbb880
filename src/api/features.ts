import { FUNCTIONS } from "../query/parse/functions.ts";
import { AGGREGATORS } from "../query/parse/token.ts";

type Category = Readonly<Record<string, boolean>>;

const on = (names: Iterable<string>): Category => Object.fromEntries([...names].sort().map((name) => [name, true]));

const OPERATORS = ["!=", "!~", "%", "*", "+", "-", "/", "<", "<=", "==", "=~", ">", ">=", "@", "^"];
const SET_OPERATORS = ["and", "atan2", "or", "unless"];

const SYNTAX = [
  ...[
    "anchored",
    "at_modifier",
    "bool",
    "by",
    "delayed_name_removal",
    "duration_expr",
    "fill",
    "fill_left",
    "fill_right",
  ],
  ...["group_left", "group_right", "ignoring", "negative_offset", "offset", "on", "per_query_lookback_delta"],
  ...["per_step_stats", "smoothed", "subqueries", "type_and_unit_labels", "without"],
];

/**
 * What /api/v1/features tells: Prometheus's names of features by category, and whether they are there. What Prometheus hides behind
 * a flag is always on; categories in which nothing can be told (the parts of its page, say) are left out.
 */
export const FEATURES: Readonly<Record<string, Category>> = {
  api: {
    admin: true,
    exclude_alerts: true,
    label_values_match: true,
    lifecycle: true,
    "openapi_3.1": true,
    "openapi_3.2": true,
    otlp_write_receiver: false,
    query_stats: true,
    query_warnings: true,
    remote_write_receiver: true,
    time_range_labels: true,
    time_range_series: true,
  },
  otlp_receiver: { delta_conversion: false, native_delta_ingestion: false },
  prometheus: { agent_mode: false, auto_reload_config: false, server_mode: true },
  promql: on(SYNTAX),
  promql_functions: on(FUNCTIONS.keys()),
  promql_operators: on([...OPERATORS, ...SET_OPERATORS, ...AGGREGATORS]),
  rules: { concurrent_rule_eval: false, keep_firing_for: true, query_offset: true },
  scrape: { extra_scrape_metrics: true, start_timestamp_zero_ingestion: false, type_and_unit_labels: false },
  service_discovery_providers: { file: true, static: true },
  tsdb: { delayed_compaction: false, exemplar_storage: true, native_histograms: true, use_uncached_io: false },
};
