import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { MatcherSyntaxError, parseMatcher } from "../../actors/alert/matcher-syntax.ts";
import { hasMatchers, SilenceRefused, sortSilences } from "../../actors/alert/silence.core.ts";
import { goQuote } from "../../lib/go-quote.ts";
import { compileMatcherRegex } from "../../lib/regex.ts";
import type { ManagedAlert, ManagedGroup } from "../../model/alerts.ts";
import { type Labels, labelValue } from "../../model/labels.ts";
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import { QueryError } from "../../model/query.ts";
import type { ApiDeps } from "../deps.ts";
import type { Params } from "../params.ts";
import { paramsOf } from "../request.ts";
import { sendPieces } from "../respond.ts";
import { BodyError, readAlerts, readSilence } from "./alertmanager-body.ts";
import { shownConfig } from "./alertmanager-config.ts";
import { alertText, groupText, shownState, silenceJson } from "./alertmanager-json.ts";
import { listPieces, sendList } from "./alertmanager-list.ts";

/** The Alertmanager whose API v2 is spoken; its clients compare it with their own. */
const VERSION = "0.33.1";
/** When a sender may try again whose alerts were not acknowledged. */
const RETRY_AFTER_S = 5;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** /api/v2: Alertmanager's API, for amtool, Prometheus and whatever else speaks to one. Tocsin's rules send to the same. */
export function alertmanagerRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { alertManager, now } = deps;
  const { silences } = alertManager;
  const on = (
    method: "GET" | "POST" | "DELETE",
    path: string,
    handle: (request: FastifyRequest, reply: FastifyReply) => unknown,
  ) =>
    app.route({
      method,
      url: `/api/v2/${path}`,
      handler: async (request, reply) => {
        reply.header("cache-control", "no-store");
        try {
          if (method === "POST") needJson(request);
          return await handle(request, reply);
        } catch (error) {
          return refuse(reply, error);
        }
      },
    });

  on("GET", "status", (request, reply) =>
    send(request, reply, {
      cluster: { status: "disabled", peers: [] },
      config: { original: shownConfig(alertManager.config().text) },
      uptime: new Date(deps.startTime).toISOString(),
      versionInfo: {
        version: VERSION,
        revision: "",
        branch: "Tocsin",
        buildUser: "",
        buildDate: "",
        goVersion: "",
      },
    }),
  );

  on("GET", "receivers", (request, reply) =>
    send(
      request,
      reply,
      alertManager
        .config()
        .receivers.filter(({ name }) => receiverFilter(paramsOf(request))(name))
        .map(({ name, labels }) => ({ name, labels: { ...labels, name } })),
    ),
  );

  on("GET", "alerts", async (request, reply) => {
    const params = paramsOf(request);
    const wanted = alertFilter(params);
    const receiver = receiverFilter(params);
    const textOf = (a: ManagedAlert) =>
      a.receivers.some(receiver) && wanted(a, shownState(a, [])) ? alertText(a, []) : "";
    return sendList(request, reply, listPieces(await alertManager.alerts(), textOf));
  });

  on("POST", "alerts", async (request, reply) => {
    const { alerts, problems } = readAlerts(request.body as Buffer | undefined, now());
    const resolved = alerts.filter((a) => a.endsAt !== undefined && a.endsAt <= now()).length;
    deps.postedAlerts(alerts.length - resolved, resolved, problems.length);
    const unsaved = alerts.length > 0 ? await alertManager.accept(alerts) : undefined;
    if (unsaved !== undefined) {
      // Sent again, they are the same alerts; the bad ones would be refused again.
      reply.header("retry-after", String(RETRY_AFTER_S));
      return sendText(reply, 503, [`alerts not acknowledged: ${unsaved}`, ...problems].join("\n"));
    }
    return problems.length > 0 ? sendText(reply, 400, problems.join("\n")) : reply.send();
  });

  on("GET", "alerts/groups", async (request, reply) => {
    const params = paramsOf(request);
    const wanted = alertFilter(params);
    const receiver = receiverFilter(params);
    const muted = flag(params, "muted");
    const textOf = (group: ManagedGroup) => {
      if (!receiver(group.receiver) || (!muted && group.mutedBy.length > 0)) return "";
      // What mutes the group is not part of the filter: it looks at the alerts themselves.
      const alerts = group.alerts.filter((a) => wanted(a, shownState(a, [])));
      return alerts.length > 0 ? groupText({ ...group, alerts }, receiver) : "";
    };
    return sendList(request, reply, listPieces(await alertManager.groups(), textOf));
  });

  on("GET", "silences", (request, reply) => {
    const matchers = parseFilters(paramsOf(request));
    const found = sortSilences(silences.all(), now()).filter((s) => hasMatchers(s, matchers));
    return send(
      request,
      reply,
      found.map((s) => silenceJson(s, now())),
    );
  });

  on("POST", "silences", async (request, reply) => {
    const draft = readSilence(request.body as Buffer | undefined, silences.get, now());
    const failed = "Failed to create silence: ";
    if (draft.startsAt >= draft.endsAt) return sendText(reply, 400, `${failed}start time must be before end time`);
    if (draft.endsAt < now()) return sendText(reply, 400, `${failed}end time can't be in the past`);
    return send(request, reply, { silenceID: await silences.set(draft, now()) });
  });

  on("GET", "silence/:id", (request, reply) => {
    const silence = silences.get(silenceId(request));
    return silence === undefined ? reply.code(404).send() : send(request, reply, silenceJson(silence, now()));
  });

  on("DELETE", "silence/:id", async (request, reply) => {
    await silences.expire(silenceId(request), now()).catch((error: unknown) => {
      if (!(error instanceof SilenceRefused)) throw error;
      reply.code(404);
    });
    return reply.send();
  });

  /** By a regular expression of the name, and by matchers of the labels; the name is one of them. */
  function receiverFilter(params: Params): (receiver: string) => boolean {
    const named = receiverPattern(params);
    const matchers = matchersOf(params, "receiver_matchers", "failed to parse receiver_matchers param: ");
    if (matchers.length === 0) return named;
    const tests = matchers.map((m) => ({ name: m.name, test: compileMatcher(m) }));
    const labels = new Map(alertManager.config().receivers.map((r) => [r.name, r.labels ?? {}]));
    const labelOf = (receiver: string, label: string) =>
      label === "name" ? receiver : (labels.get(receiver)?.[label] ?? "");
    return (receiver) => named(receiver) && tests.every(({ name, test }) => test(labelOf(receiver, name)));
  }

  function refuse(reply: FastifyReply, error: unknown): FastifyReply {
    if (error instanceof BodyError) return sendCoded(reply, error.status, error.code, error.message);
    if (error instanceof WrongType) return sendCoded(reply, 415, 415, error.message);
    if (error instanceof SilenceRefused)
      return sendText(reply, error.reason === "not_found" ? 404 : 400, error.message);
    if (error instanceof FilterError) return sendText(reply, 400, error.message);
    // What a person asked for has not been stored: they must hear why.
    deps.log.error({ err: error }, "alert API call failed");
    return sendText(reply, 500, error instanceof Error ? error.message : String(error));
  }
}

class WrongType extends Error {}
class FilterError extends Error {}

function needJson(request: FastifyRequest): void {
  const type = (request.headers["content-type"] ?? "application/octet-stream").split(";")[0]?.trim() ?? "";
  if (type.toLowerCase() === "application/json") return;
  throw new WrongType(`unsupported media type ${goQuote(type)}, only [application/json] are allowed`);
}

function silenceId(request: FastifyRequest): string {
  const { id } = request.params as { id: string };
  if (UUID.test(id)) return id.toLowerCase();
  throw new BodyError(422, 601, `silenceID in path must be of type uuid: ${goQuote(id)}`);
}

function alertFilter(params: Params): (alert: ManagedAlert, shown: "active" | "suppressed") => boolean {
  const tests = parseFilters(params).map((m) => ({ name: m.name, test: compileMatcher(m) }));
  const [active, silenced, inhibited] = ["active", "silenced", "inhibited"].map((name) => flag(params, name));
  const matches = (labels: Labels) => tests.every(({ name, test }) => test(labelValue(labels, name)));
  return (a, shown) =>
    (active || shown !== "active") &&
    (silenced || a.silencedBy.length === 0) &&
    (inhibited || a.inhibitedBy.length === 0) &&
    matches(a.labels);
}

const parseFilters = (params: Params) => matchersOf(params, "filter", "");

function matchersOf(params: Params, name: string, prefix: string): Matcher[] {
  try {
    return params.getAll(name).map(parseMatcher);
  } catch (error) {
    if (error instanceof MatcherSyntaxError) throw new FilterError(`${prefix}${error.message}`);
    throw error;
  }
}

function receiverPattern(params: Params): (receiver: string) => boolean {
  const pattern = params.get("receiver");
  if (pattern === null) return () => true;
  try {
    return compileMatcherRegex(pattern);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof QueryError) throw error;
    throw new FilterError(`failed to parse receiver param: ${error.message}`);
  }
}

const YES: ReadonlySet<string> = new Set(["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"]);

/** A switch that is on unless it is turned off; what Alertmanager does not take for on is off. */
function flag(params: Params, name: string): boolean {
  const value = params.get(name) ?? "";
  return value === "" || YES.has(value.toLowerCase());
}

function send(request: FastifyRequest, reply: FastifyReply, json: unknown): FastifyReply {
  return sendPieces(request, reply, [Buffer.from(`${JSON.stringify(json)}\n`)]);
}

/** A reason as Alertmanager's handlers tell it: a JSON string. */
function sendText(reply: FastifyReply, status: number, reason: string): FastifyReply {
  const body = Buffer.from(`${JSON.stringify(reason.toWellFormed())}\n`);
  return reply.code(status).type("application/json").send(body);
}

/** A reason as what is before its handlers tells it. */
function sendCoded(reply: FastifyReply, status: number, code: number, message: string): FastifyReply {
  const body = Buffer.from(JSON.stringify({ code, message: message.toWellFormed() }));
  return reply.code(status).type("application/json").send(body);
}
