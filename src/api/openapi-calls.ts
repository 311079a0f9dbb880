/** Every call that the server answers but for its page: what /api/v1/openapi.yaml is made of. A test holds it to the router. */

import type { Call } from "./openapi-call.ts";
import { RULER_CALLS } from "./openapi-ruler-calls.ts";

interface Parameter {
  readonly type: "string" | "integer" | "number" | "boolean" | "array";
  readonly description: string;
  readonly values?: readonly string[];
}

const TIME = "Unix seconds with fractions, or RFC 3339";
const SPAN = "seconds with fractions, or as 1h30m";

export const PARAMETERS: Readonly<Record<string, Parameter>> = {
  query: { type: "string", description: "PromQL" },
  time: { type: "string", description: `${TIME}; now where it is not given` },
  start: { type: "string", description: TIME },
  end: { type: "string", description: TIME },
  step: { type: "string", description: SPAN },
  timeout: { type: "string", description: SPAN },
  limit: { type: "integer", description: "at most so many; 0 for no limit" },
  lookback_delta: { type: "string", description: SPAN },
  stats: { type: "string", description: "anything: what the query took; all: by step as well" },
  trace: { type: "string", description: "1: where the time went, as `trace` beside `data`" },
  nocache: { type: "string", description: "1: kept results are not used" },
  "match[]": { type: "array", description: "a selector; may be given several times" },
  skip_head: { type: "boolean", description: "leave out what is in memory only" },
  metric: { type: "string", description: "a metric's name" },
  limit_per_metric: { type: "integer", description: "at most so many descriptions of a metric" },
  match_target: { type: "string", description: "a selector of targets" },
  state: { type: "string", description: "of the targets", values: ["active", "dropped", "any"] },
  scrapePool: { type: "string", description: "a scrape job's name" },
  labels: {
    type: "string",
    description: 'of a target before relabeling: a JSON object; of an alert: matchers, as alertname="X",job="a"',
  },
  window: { type: "string", description: `how far back; ${SPAN}` },
  type: { type: "string", description: "of the rules", values: ["alert", "record"] },
  shadow: { type: "string", description: "of shadow rules", values: ["true", "false", "any"] },
  namespace: { type: "string", description: "the namespace of a rule group that came over the API" },
  file: { type: "string", description: "the file of a rule group" },
  group: { type: "string", description: "a rule group's name" },
  rule: { type: "string", description: "an alert's name; all of the group without it" },
  "rule_name[]": { type: "array", description: "a rule's name" },
  "rule_group[]": { type: "array", description: "a group's name" },
  "file[]": { type: "array", description: "a rule file's path" },
  exclude_alerts: { type: "boolean", description: "leave out the alerts" },
  group_limit: { type: "integer", description: "at most so many groups" },
  group_next_token: { type: "string", description: "goes on behind an answer that had a limit" },
  metric_name_pattern: { type: "string", description: "RE2, of the whole name" },
  "search[]": { type: "array", description: "what is typed; one of several has to fit" },
  label: { type: "string", description: "a label's name" },
  receiver_name: { type: "string", description: "a receiver's name" },
  "id[]": { type: "array", description: "a dead letter's id" },
  all: { type: "boolean", description: "every one" },
  fuzz_alg: { type: "string", description: "how it is compared", values: ["subsequence", "jarowinkler"] },
  fuzz_threshold: { type: "integer", description: "from 0 to 100: what fits less well is left out" },
  case_sensitive: { type: "boolean", description: "true where it is not given" },
  sort_by: { type: "string", description: "order of the results", values: ["alpha", "score"] },
  sort_dir: { type: "string", description: "with sort_by=alpha", values: ["asc", "dsc"] },
  include_score: { type: "boolean", description: "tell how well each fits" },
  include_metadata: { type: "boolean", description: "tell type, help and unit" },
  batch_size: { type: "integer", description: "results a line" },
  active: { type: "boolean", description: "with those that nothing holds back; true where it is not given" },
  silenced: { type: "boolean", description: "with those that a silence mutes; true where it is not given" },
  inhibited: { type: "boolean", description: "with those that another inhibits; true where it is not given" },
  unprocessed: { type: "boolean", description: "without effect, as with Alertmanager" },
  muted: { type: "boolean", description: "with groups that a time interval mutes; true where it is not given" },
  filter: { type: "array", description: 'a matcher, as severity=~"page|ticket"; all have to hold' },
  receiver: { type: "string", description: "RE2, of a receiver's whole name" },
  receiver_matchers: {
    type: "array",
    description: "a matcher of a receiver's labels, its name among them; all have to hold",
  },
  escalation_state: {
    type: "string",
    description: "of the escalations",
    values: ["active", "triggered", "acknowledged", "exhausted", "resolved"],
  },
  at: { type: "string", description: `${TIME}; now where it is not given` },
  schedule: { type: "string", description: "a schedule's name" },
  by: { type: "string", description: "who acknowledges, as the link says" },
  expires: { type: "integer", description: "Unix seconds until which the link works" },
  signature: { type: "string", description: "of the link" },
  openapi_version: { type: "string", description: "of this document", values: ["3.1", "3.2"] },
};

const FORM = ["get", "post"] as const;
const CHANGE = ["post", "put"] as const;
const GET = ["get"] as const;
const SEARCH = ["search[]", "match[]", "start", "end", "limit", "batch_size", "fuzz_alg", "fuzz_threshold"];
const SEARCH_ORDER = ["case_sensitive", "sort_by", "sort_dir", "include_score"];
const NDJSON = "application/x-ndjson";
const PROTOBUF = "application/x-protobuf";

const v1 = (
  path: string,
  methods: Call["methods"],
  tag: string,
  summary: string,
  parameters: readonly string[] = [],
  more: Omit<Call, "path" | "methods" | "tag" | "summary" | "parameters"> = {},
): Call => ({ path: `/api/v1/${path}`, methods, tag, summary, parameters, ...more });

/** Alertmanager's API. */
const v2 = (
  path: string,
  method: "get" | "post" | "delete",
  summary: string,
  parameters: readonly string[] = [],
): Call => ({
  path: `/api/v2/${path}`,
  methods: [method],
  tag: "alertmanager",
  summary,
  parameters,
  answers: "application/json",
  ...(method === "post" ? { body: ["application/json"] } : {}),
});

const RANGE = ["query!", "start!", "end!", "step!", "timeout", "limit", "lookback_delta"];
const OBJECT = { data: "object" } as const;
const LIST = { data: "list" } as const;
const TEXTS = { data: "texts" } as const;

export const CALLS: readonly Call[] = [
  ...RULER_CALLS,
  v1(
    "query",
    FORM,
    "query",
    "The value of an expression at one time",
    ["query!", "time", "timeout", "limit", "lookback_delta", "stats", "trace"],
    OBJECT,
  ),
  v1(
    "query_range",
    FORM,
    "query",
    "The values of an expression over time",
    [...RANGE, "stats", "nocache", "trace"],
    OBJECT,
  ),
  v1(
    "query_cost",
    FORM,
    "query",
    "What a query would read, without running it",
    ["query!", "time", "start", "end", "step", "timeout", "lookback_delta"],
    OBJECT,
  ),
  v1(
    "query_exemplars",
    FORM,
    "query",
    "Exemplars of the series that a query selects",
    ["query!", "start", "end"],
    LIST,
  ),
  v1("format_query", FORM, "query", "An expression, printed prettily", ["query!"], { data: "text" }),
  v1("parse_query", FORM, "query", "An expression as a syntax tree", ["query!"], OBJECT),
  v1("series", FORM, "labels", "Series that selectors find", ["match[]!", "start", "end", "limit"], LIST),
  v1("labels", FORM, "labels", "Names of labels", ["match[]", "start", "end", "limit"], TEXTS),
  v1("label/{name}/values", GET, "labels", "Values of a label", ["match[]", "start", "end", "limit"], TEXTS),
  v1(
    "search/metric_names",
    FORM,
    "search",
    "Metric names that fit what is typed",
    [...SEARCH, ...SEARCH_ORDER, "include_metadata"],
    {
      answers: NDJSON,
    },
  ),
  v1("search/label_names", FORM, "search", "Label names that fit what is typed", [...SEARCH, ...SEARCH_ORDER], {
    answers: NDJSON,
  }),
  v1("search/label_values", FORM, "search", "Values that fit what is typed", ["label!", ...SEARCH, ...SEARCH_ORDER], {
    answers: NDJSON,
  }),
  v1("metadata", GET, "labels", "Type, help and unit of metrics", ["metric", "limit", "limit_per_metric"], OBJECT),
  v1(
    "rules",
    GET,
    "alerting",
    "Groups and rules with their states",
    [
      "type",
      "rule_name[]",
      "rule_group[]",
      "file[]",
      "match[]",
      "exclude_alerts",
      "group_limit",
      "group_next_token",
      "shadow",
    ],
    OBJECT,
  ),
  v1("alerts", GET, "alerting", "Active alerts", ["shadow"], OBJECT),
  v1(
    "alerts/explain",
    GET,
    "alerting",
    "Why somebody was paged for an alert, or nobody",
    ["labels", "filter", "match[]", "time", "window", "receiver", "limit"],
    OBJECT,
  ),
  v1("shadow-rules", GET, "alerting", "Shadow rules and what they would have told", [], OBJECT),
  ...["promote", "demote"].map((what) =>
    v1(
      `shadow-rules/${what}`,
      ["post"],
      "alerting",
      `Makes alert rules ${what === "promote" ? "live" : "shadow"} ones; 409 with the change to make for those of a file`,
      ["namespace", "file", "group", "rule"],
      { status: 202 },
    ),
  ),
  v1("receivers/{receiver}/test", ["post"], "alerting", "Sends a test to a receiver", [], {
    body: ["application/json"],
    ...OBJECT,
  }),
  v1("alertmanagers", GET, "alerting", "Empty: the alert manager is inside", [], OBJECT),
  v1("targets", GET, "targets", "Scrape targets", ["state", "scrapePool"], OBJECT),
  v1("targets/metadata", GET, "targets", "Empty: not kept", ["match_target", "metric", "limit"], LIST),
  v1(
    "targets/relabel_steps",
    GET,
    "targets",
    "What each relabeling rule makes of a target",
    ["scrapePool!", "labels!"],
    OBJECT,
  ),
  v1("scrape_pools", GET, "targets", "Scrape jobs that have targets", [], OBJECT),
  v1("scrape_pools/config", GET, "targets", "A scrape job's configuration", ["scrapePool!"], OBJECT),
  v1("status/buildinfo", GET, "status", "Versions", [], OBJECT),
  v1("status/runtimeinfo", GET, "status", "Start, host and shards", [], OBJECT),
  v1("status/config", GET, "status", "The configuration, secrets masked", [], OBJECT),
  v1("status/alertmanager_config", GET, "status", "The alert manager's configuration, secrets masked", [], OBJECT),
  v1("status/flags", GET, "status", "Settings that Prometheus has as flags", [], OBJECT),
  v1("status/tsdb", GET, "status", "What is in memory", ["limit"], OBJECT),
  v1("status/tsdb/blocks", GET, "status", "Blocks on disk", [], OBJECT),
  v1("status/walreplay", GET, "status", "Zeros: the API is up when logs are read", [], OBJECT),
  v1("status/self_metrics", GET, "status", "The server's own metrics as JSON", ["metric_name_pattern"], LIST),
  v1("features", GET, "status", "What the server can do", [], OBJECT),
  v1("notifications", GET, "status", "Empty: what a person has to know comes as alerts", [], LIST),
  v1(
    "notifications/dead-letters",
    GET,
    "alerting",
    "Notifications that could not be told",
    ["receiver_name", "id[]"],
    OBJECT,
  ),
  v1(
    "notifications/dead-letters/redrive",
    ["post"],
    "alerting",
    "Sends dead letters again",
    ["id[]", "receiver_name", "all"],
    OBJECT,
  ),
  v1("notifications/live", GET, "status", "The same as a stream of events", [], { answers: "text/event-stream" }),
  v1("openapi.yaml", GET, "status", "This document", ["openapi_version"], { answers: "application/yaml" }),
  v1("write", ["post"], "samples", "Remote write 1.0 and 2.0", [], { body: [PROTOBUF], status: 204 }),
  v1("ingest", ["post"], "samples", "JSON push", [], { body: ["application/json"], status: 204 }),
  v1("read", ["post"], "samples", "Remote read", [], { body: [PROTOBUF], answers: PROTOBUF }),
  v1("admin/tsdb/snapshot", CHANGE, "admin", "A consistent copy of all data", ["skip_head"], OBJECT),
  v1("admin/tsdb/delete_series", CHANGE, "admin", "Deletes samples", ["match[]!", "start", "end"], { status: 204 }),
  v1("admin/tsdb/clean_tombstones", CHANGE, "admin", "Gives back the space of what was deleted", [], { status: 204 }),
  v1("escalations", GET, "alerting", "Escalations, the newest first", ["escalation_state", "limit"]),
  v1("escalations/{id}", GET, "alerting", "An escalation with its history"),
  v1("escalations/{id}/ack", ["post"], "alerting", "Acknowledges an escalation", [], { body: ["application/json"] }),
  v1("oncall", GET, "alerting", "Who is on call by each schedule", ["at", "schedule"]),
  {
    path: "/ack/{id}",
    methods: ["get", "post"],
    tag: "alerting",
    summary: "The link in a page: shows the escalation, and acknowledges it",
    parameters: ["by!", "expires!", "signature!"],
    answers: "text/html",
  },
  v2("status", "get", "Configuration, version and start"),
  v2("receivers", "get", "Names and labels of receivers", ["receiver", "receiver_matchers"]),
  v2("alerts", "get", "Alerts that fire", [
    "active",
    "silenced",
    "inhibited",
    "unprocessed",
    "filter",
    "receiver",
    "receiver_matchers",
  ]),
  v2("alerts", "post", "Takes alerts in"),
  v2("alerts/groups", "get", "Alerts by group", [
    "active",
    "silenced",
    "inhibited",
    "muted",
    "filter",
    "receiver",
    "receiver_matchers",
  ]),
  v2("silences", "get", "Silences", ["filter"]),
  v2("silences", "post", "Makes or changes a silence"),
  v2("silence/{id}", "get", "A silence"),
  v2("silence/{id}", "delete", "Ends a silence"),
  {
    path: "/federate",
    methods: GET,
    tag: "samples",
    summary: "The newest samples, for another Prometheus to scrape",
    parameters: ["match[]"],
    answers: "text/plain",
  },
  { path: "/metrics", methods: GET, tag: "status", summary: "The server's own metrics", answers: "text/plain" },
  { path: "/-/healthy", methods: ["get", "head"], tag: "status", summary: "Whether it runs", answers: "text/plain" },
  { path: "/-/ready", methods: ["get", "head"], tag: "status", summary: "Whether it is ready", answers: "text/plain" },
  { path: "/-/reload", methods: CHANGE, tag: "admin", summary: "Reads the configuration again", answers: "text/plain" },
];
