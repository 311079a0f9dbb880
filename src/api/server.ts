import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { TryLater } from "../model/ingest.ts";
import { QueryError } from "../model/query.ts";
import type { ApiDeps } from "./deps.ts";
import { readAfterHook } from "./read-after.ts";
import { sendError } from "./respond.ts";
import { adminRoutes } from "./routes/admin.ts";
import { alertingRoutes } from "./routes/alerting.ts";
import { alertmanagerRoutes } from "./routes/alertmanager.ts";
import { deadLetterRoutes } from "./routes/dead-letters.ts";
import { escalationRoutes } from "./routes/escalations.ts";
import { exemplarRoutes } from "./routes/exemplars.ts";
import { explainRoutes } from "./routes/explain.ts";
import { federateRoutes } from "./routes/federate.ts";
import { healthRoutes } from "./routes/health.ts";
import { insideRoutes } from "./routes/inside.ts";
import { openapiRoutes } from "./routes/openapi.ts";
import { queryRoutes } from "./routes/query.ts";
import { queryCostRoutes } from "./routes/query-cost.ts";
import { remoteReadRoutes } from "./routes/remote-read.ts";
import { rulerRoutes } from "./routes/ruler.ts";
import { scrapingRoutes } from "./routes/scraping.ts";
import { searchRoutes } from "./routes/search.ts";
import { seriesRoutes } from "./routes/series.ts";
import { shadowRoutes } from "./routes/shadow.ts";
import { statusRoutes } from "./routes/status.ts";
import { testSendRoutes } from "./routes/test-send.ts";
import { uiRoutes } from "./routes/ui.ts";
import { writeRoutes } from "./routes/write.ts";

function noSchemas(): () => never {
  return () => {
    throw new Error("a route has a schema, for which there is no compiler");
  };
}

/** The HTTP server with all its routes, not listening yet. */
export function makeServer(deps: ApiDeps): FastifyInstance {
  const prefix = (deps.externalUrl === undefined ? "" : new URL(deps.externalUrl).pathname).replace(/\/+$/, "");
  const app = Fastify({
    // Every request that matters is counted; a log line each would cost more than the work itself.
    logger: false,
    bodyLimit: deps.limits.maxBodyBytes,
    routerOptions: { maxParamLength: 4096 },
    // No route has a schema (bodies are read by who knows them), and the compilers of schemas take a tenth of a second to load.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    requestTimeout: 60_000,
    // A proxy in front may leave the path of the external URL as it is, or take it away.
    rewriteUrl: withoutPrefix(prefix),
    // As Prometheus: HEAD is refused where it was not asked for, rather than answered with what a GET would have cost.
    exposeHeadRoutes: false,
    // Answered below, with words of Tocsin's own.
    return503OnClosing: false,
    // What the server itself refuses before a route is found.
    frameworkErrors: (error, request, reply) => {
      const isUrl = error.code === "FST_ERR_BAD_URL";
      // Its own text has all of the path in it, however long.
      const isLong = error.code === "FST_ERR_MAX_PARAM_LENGTH";
      const reason = isUrl
        ? `the path ${request.url} is not UTF-8 in percent encoding`
        : isLong
          ? "a name in the path is longer than 4096 characters"
          : error.message;
      return sendError(reply, "bad_data", reason);
    },
  });

  // Bodies reach their handlers as they arrived: each route knows what it reads. Over bodyLimit is refused with 413
  // from the length header, or as soon as the bytes have come, before the whole is held.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unknown";
    deps.observe.request(route, request.method, reply.statusCode, reply.elapsedTime / 1000);
  });

  // A closing server answers what is in flight, takes nothing more, and tells keep-alive clients to go.
  let closing = false;
  app.addHook("preClose", async () => {
    closing = true;
  });
  app.addHook("onRequest", async (_request, reply) => {
    if (closing) return sendError(reply, "unavailable", "Tocsin is being stopped: send it again when it is back");
  });
  app.addHook("onSend", async (_request, reply) => {
    reply.header("x-content-type-options", "nosniff");
    if (closing) reply.header("connection", "close");
  });

  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof QueryError) return sendError(reply, error.type, error.message);
    if (error instanceof TryLater) {
      // In the middle of its body (admission.ts), the rest of which is thrown away as it comes: a sender that is to come again
      // must see the answer. It costs no memory, and the request's timeout ends it.
      deps.observe.rejected(protocolOf(request.url), error.reason, 1);
      request.raw.resume();
      reply.header("connection", "keep-alive");
      reply.header("retry-after", String(error.retryAfterSeconds));
      return reply.code(error.status).type("text/plain").send(`${error.message}\n`);
    }
    const status = error.statusCode ?? 500;
    if (status === 413) {
      deps.observe.rejected(protocolOf(request.url), "body_too_large", 1);
      const message = `the body is larger than limits.max_body_size (${deps.limits.maxBodyBytes} bytes): send smaller requests or raise the limit`;
      lingerAfter(request, reply);
      return reply.code(413).type("text/plain").send(`${message}\n`);
    }
    if (status < 500) return reply.code(status).type("text/plain").send(`${error.message}\n`);
    deps.log.error({ err: error, url: request.url }, "request failed");
    return sendError(reply, "internal", "internal error, see Tocsin's log");
  });
  const methodsOf = rememberRoutes(app);
  app.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(request.url);
    if (methods.length > 0) {
      reply.header("allow", [...methods, "OPTIONS"].join(", "));
      if (request.method === "OPTIONS") return reply.code(204).send();
      return reply.code(405).type("text/plain").send("Method Not Allowed\n");
    }
    if (!request.url.startsWith("/api/")) return reply.code(404).type("text/plain").send("404 page not found\n");
    return sendError(reply, "not_found", `no such API call: ${request.method} ${request.url.split("?")[0]}`);
  });

  readAfterHook(app, deps);
  healthRoutes(app, deps);
  writeRoutes(app, deps);
  queryRoutes(app, deps);
  queryCostRoutes(app, deps);
  seriesRoutes(app, deps);
  alertingRoutes(app, deps);
  rulerRoutes(app, deps);
  shadowRoutes(app, deps);
  alertmanagerRoutes(app, deps);
  deadLetterRoutes(app, deps);
  testSendRoutes(app, deps);
  escalationRoutes(app, deps);
  explainRoutes(app, deps);
  statusRoutes(app, deps);
  insideRoutes(app, deps);
  scrapingRoutes(app, deps);
  searchRoutes(app, deps);
  openapiRoutes(app, deps);
  adminRoutes(app, deps);
  exemplarRoutes(app, deps);
  federateRoutes(app, deps);
  remoteReadRoutes(app, deps);
  uiRoutes(app, prefix);
  return app;
}

/** Under which Mimir has Prometheus's API, and so clients of it. */
const MIMIR_PREFIX = "/prometheus";

/** A request's URL without the prefix, where it has it; Prometheus's API is found with Mimir's prefix as well. */
function withoutPrefix(prefix: string): (request: { readonly url?: string | undefined }) => string {
  return ({ url = "/" }) => {
    const rest = prefix !== "" && url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : url;
    return rest.startsWith(`${MIMIR_PREFIX}/api/v1/`) ? rest.slice(MIMIR_PREFIX.length) : rest;
  };
}

/** Remembers the routes that come after, and gives the methods of those that a URL's path fits. */
function rememberRoutes(app: FastifyInstance): (url: string) => string[] {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    const parts = url
      .split("/")
      .map((part) => (part.startsWith(":") ? "[^/]+" : part === "*" ? ".*" : RegExp.escape(part)));
    routes.push({ pattern: new RegExp(`^${parts.join("/")}$`), methods: [method].flat() });
  });
  return (url) => {
    const path = url.split("?")[0] as string;
    return [...new Set(routes.filter((r) => r.pattern.test(path)).flatMap((r) => r.methods))];
  };
}

function protocolOf(url: string): string {
  if (url.startsWith("/api/v1/write")) return "remote_write";
  return url.startsWith("/api/v1/ingest") ? "json" : "http";
}

/** How long a sender may go on sending a body that was refused. */
const LINGER_MS = 1_000;

/**
 * Answers a request whose body is still on its way. Were the connection closed at once, what the sender still sends would
 * reset it, and the sender would see that in place of the answer. So the rest is read and thrown away for a moment, and
 * then the connection is closed.
 */
function lingerAfter(request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = request;
  reply.header("connection", "keep-alive");
  reply.raw.once("finish", () => {
    raw.resume();
    setTimeout(() => {
      if (!raw.complete) raw.socket.destroy();
    }, LINGER_MS).unref();
  });
}
