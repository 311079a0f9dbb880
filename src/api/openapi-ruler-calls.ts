import type { Call } from "./openapi-call.ts";

const YAML = "application/yaml";

const call = (path: string, method: "get" | "post" | "delete", summary: string, more: Partial<Call> = {}): Call => ({
  path,
  methods: [method],
  tag: "ruler",
  summary,
  ...(method === "get" ? { answers: YAML } : { status: 202 }),
  ...more,
});

const under = (prefix: string): readonly Call[] => [
  call(`${prefix}/{namespace}`, "get", "The rule groups of a namespace"),
  call(`${prefix}/{namespace}`, "post", "Adds a rule group, or replaces the one of its name", { body: [YAML] }),
  call(`${prefix}/{namespace}`, "delete", "Removes a namespace with its rule groups"),
  call(`${prefix}/{namespace}/{group}`, "get", "A rule group"),
  call(`${prefix}/{namespace}/{group}`, "delete", "Removes a rule group"),
];

/** Mimir's ruler API. */
export const RULER_CALLS: readonly Call[] = [
  ...["/prometheus/config/v1/rules", "/config/v1/rules"].flatMap((prefix) => [
    call(prefix, "get", "The tenant's rule groups by namespace"),
    ...under(prefix),
  ]),
  ...under("/api/v1/rules"),
  call("/ruler/delete_tenant_config", "post", "Removes all rule groups of the tenant", {
    answers: "text/plain",
    status: 200,
  }),
];
