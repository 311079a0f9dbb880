import type { FastifyInstance, FastifyRequest } from "fastify";
import { TestSendError, type TestWanted } from "../../actors/notify/test-send.ts";
import { QueryError } from "../../model/query.ts";
import type { ApiDeps } from "../deps.ts";
import { sendData, sendError, sendQueryError } from "../respond.ts";

type Path = { Params: { receiver: string } };

/** /api/v1/receivers/<name>/test: sends a test to each integration of a receiver, and answers what came of it. */
export function testSendRoutes(app: FastifyInstance, { alertManager }: Pick<ApiDeps, "alertManager">): void {
  app.post<Path>("/api/v1/receivers/:receiver/test", async (request, reply) => {
    try {
      const sent = await alertManager.tests.send(request.params.receiver, wantedOf(request));
      return sendData(request, reply, sent);
    } catch (e) {
      if (!(e instanceof TestSendError)) return sendQueryError(reply, e);
      if (e.kind === "missing") return sendError(reply, "not_found", e.message);
      if (e.kind === "empty") return sendError(reply, "bad_data", e.message);
      const body = JSON.stringify({ status: "error", errorType: "too_many_requests", error: e.message });
      return reply.code(429).header("retry-after", "1").type("application/json").send(Buffer.from(body));
    }
  });
}

const KEYS: readonly string[] = ["labels", "annotations", "resolve"];

/** Throws QueryError for a body that is none of ours. */
function wantedOf(request: FastifyRequest): TestWanted {
  const bytes = request.body;
  const text = Buffer.isBuffer(bytes) ? bytes.toString("utf8").trim() : "";
  let body: unknown = {};
  try {
    if (text !== "") body = JSON.parse(text);
  } catch (e) {
    throw bad(`the body is no JSON: ${(e as Error).message}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw bad("the body must be a JSON object");
  const given = body as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) throw bad(`nobody knows ${unknown.join(", ")}; there are ${KEYS.join(", ")}`);
  const { labels, annotations, resolve = true } = given;
  if (typeof resolve !== "boolean") throw bad("resolve must be true or false");
  return {
    ...(labels === undefined ? {} : { labels: texts(labels, "label") }),
    ...(annotations === undefined ? {} : { annotations: texts(annotations, "annotation") }),
    resolve,
  };
}

const MAX_TEXTS = 100;
const MAX_BYTES = 16_384;

function texts(value: unknown, what: string): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw bad(`${what}s must be an object of texts`);
  const entries = Object.entries(value);
  if (entries.length > MAX_TEXTS) throw bad(`there are more than ${MAX_TEXTS} ${what}s`);
  for (const [name, text] of entries) {
    if (name === "" || !name.isWellFormed()) throw bad(`invalid ${what} name ${JSON.stringify(name)}`);
    if (typeof text !== "string" || !text.isWellFormed()) throw bad(`${what} ${name} must be a text`);
    if (what === "label" && text === "") throw bad(`label ${name} is empty: leave it out`);
    if (Buffer.byteLength(text) > MAX_BYTES) throw bad(`${what} ${name} is longer than ${MAX_BYTES} bytes`);
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

function bad(message: string): QueryError {
  return new QueryError("bad_data", message);
}
