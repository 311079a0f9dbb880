import { stringify } from "yaml";
import type { Call, DataShape } from "./openapi-call.ts";
import { CALLS, PARAMETERS } from "./openapi-calls.ts";

/** Versions of OpenAPI that can be asked for, and what the document then says of itself. */
export const OPENAPI_VERSIONS: Readonly<Record<string, string>> = { "3.1": "3.1.0", "3.2": "3.2.0" };

/**
 * The description of the HTTP API as YAML.
 * @param openapi a value of OPENAPI_VERSIONS
 */
export function openapiText(openapi: string, version: string): string {
  const paths: Record<string, object> = {};
  for (const call of CALLS) paths[call.path] = { ...paths[call.path], ...pathItem(call) };
  return stringify(
    {
      openapi,
      info: {
        title: "Tocsin",
        version,
        description:
          "Prometheus's HTTP API and Tocsin's own calls. Every call takes a tenant in the header X-Scope-OrgID.",
        license: { name: "Apache-2.0" },
      },
      servers: [{ url: "/" }],
      tags: [...new Set(CALLS.map((c) => c.tag))].map((name) => ({ name })),
      paths,
      components: { schemas: { Error: ERROR }, parameters: { Tenant: TENANT } },
    },
    { aliasDuplicateObjects: false, lineWidth: 0 },
  );
}

const TENANT = {
  name: "X-Scope-OrgID",
  in: "header",
  description: "the tenant; default where it is not given",
  schema: { type: "string", pattern: "^[a-zA-Z0-9._-]{1,64}$" },
};

const TEXTS = { type: "array", items: { type: "string" } };

const ERROR = {
  type: "object",
  required: ["status", "errorType", "error"],
  properties: { status: { const: "error" }, errorType: { type: "string" }, error: { type: "string" } },
};

const DATA: Readonly<Record<DataShape, object>> = {
  list: { type: "array", items: { type: "object" } },
  object: { type: "object" },
  text: { type: "string" },
  texts: TEXTS,
};

function pathItem(call: Call): object {
  return Object.fromEntries(call.methods.map((method) => [method, operation(call, method)]));
}

function operation(call: Call, method: string): object {
  const inPath = [...call.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const given = (call.parameters ?? []).map((text) => parameter(text));
  const isForm = method === "post" && call.methods.includes("get") && given.length > 0;
  const inQuery = isForm
    ? []
    : given.map(({ name, required, description, schema }) => ({
        name,
        in: "query",
        ...(required ? { required } : {}),
        description,
        schema,
      }));
  return {
    tags: [call.tag],
    summary: call.summary,
    operationId:
      `${method}${call.path.replaceAll(/[^a-zA-Z0-9]+(\w)/g, (_, first: string) => first.toUpperCase())}`.replaceAll(
        /\W/g,
        "",
      ),
    parameters: [{ $ref: "#/components/parameters/Tenant" }, ...inPath, ...inQuery],
    ...(isForm ? { requestBody: formBody(given) } : {}),
    ...(call.body === undefined ? {} : { requestBody: plainBody(call.body) }),
    responses: responses(call),
  };
}

interface Given {
  readonly name: string;
  readonly required: boolean;
  readonly description: string;
  readonly schema: object;
}

/** Throws for a name that PARAMETERS does not have. */
function parameter(text: string): Given {
  const name = text.replace(/!$/, "");
  const known = PARAMETERS[name];
  if (known === undefined) throw new Error(`no description of the parameter ${name}`);
  const schema =
    known.type === "array"
      ? TEXTS
      : { type: known.type, ...(known.values === undefined ? {} : { enum: known.values }) };
  return { name, required: text.endsWith("!"), description: known.description, schema };
}

function formBody(given: readonly Given[]): object {
  const properties = Object.fromEntries(given.map((g) => [g.name, { description: g.description, ...g.schema }]));
  const required = given.filter((g) => g.required).map((g) => g.name);
  const schema = { type: "object", ...(required.length === 0 ? {} : { required }), properties };
  return { content: { "application/x-www-form-urlencoded": { schema } } };
}

const plainBody = (types: readonly string[]) => ({
  required: true,
  content: Object.fromEntries(types.map((type) => [type, {}])),
});

function responses({ status, answers, data }: Call): object {
  const error = {
    description: "an error",
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  };
  if (status === 204) return { "204": { description: "done" }, default: error };
  if (status === 202) return { "202": { description: "stored" }, default: error };
  if (answers !== undefined) return { "200": { description: "success", content: { [answers]: {} } }, default: error };
  const schema = {
    type: "object",
    required: ["status", "data"],
    properties: { status: { const: "success" }, data: DATA[data ?? "object"], warnings: TEXTS, infos: TEXTS },
  };
  return { "200": { description: "success", content: { "application/json": { schema } } }, default: error };
}
