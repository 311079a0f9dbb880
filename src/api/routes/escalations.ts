import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { EscalationState } from "../../actors/escalation/escalation.core.ts";
import type { EscalationRecord } from "../../actors/escalation/escalation-log.ts";
import { type Ack, AckRefused } from "../../actors/escalation/escalations.ts";
import { labelsToObject } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import type { ApiDeps } from "../deps.ts";
import { invalidParameter, parseTime } from "../params.ts";
import { paramsOf } from "../request.ts";
import { sendData, sendError } from "../respond.ts";
import { ackPage, donePage, PAGE_HEADERS, problemPage } from "./ack-page.ts";

const STATES = ["triggered", "acknowledged", "exhausted", "resolved"];
const LIMIT = 100;
const MAX_NAME = 256;
const MAX_COMMENT = 4096;

/** /api/v1/escalations and oncall: what is being paged, who has acknowledged, who is on call; /ack: the link in a page. */
export function escalationRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { escalations } = deps.alertManager;

  app.get("/api/v1/escalations", (request, reply) => {
    const params = paramsOf(request);
    const state = params.get("escalation_state") ?? "";
    if (state !== "" && state !== "active" && !STATES.includes(state)) {
      throw invalidParameter("escalation_state", `it is active, ${STATES.join(", ")}, not ${JSON.stringify(state)}`);
    }
    const limit = Number(params.get("limit") ?? LIMIT);
    if (!Number.isInteger(limit) || limit < 0) throw invalidParameter("limit", "it is a whole number");
    const fits = ({ status }: EscalationState) =>
      state === "" || status === state || (state === "active" && status !== "resolved");
    const all = escalations.all().filter((r) => fits(r.state));
    return sendData(request, reply, { escalations: (limit === 0 ? all : all.slice(0, limit)).map(escalationJson) });
  });

  app.get<{ Params: { id: string } }>("/api/v1/escalations/:id", (request, reply) => {
    const record = escalations.get(request.params.id);
    if (record === undefined) return sendError(reply, "not_found", `there is no escalation ${request.params.id}`);
    return sendData(request, reply, escalationJson(record));
  });

  app.post<{ Params: { id: string } }>("/api/v1/escalations/:id/ack", async (request, reply) => {
    const ack = readAck(request);
    try {
      await escalations.acknowledge(request.params.id, ack, deps.now());
    } catch (e) {
      if (e instanceof AckRefused) return sendError(reply, e.kind === "unknown" ? "not_found" : "bad_data", e.message);
      throw e;
    }
    return sendData(request, reply, escalationJson(escalations.get(request.params.id) as EscalationRecord));
  });

  app.get("/api/v1/oncall", (request, reply) => {
    const params = paramsOf(request);
    const at = parseTime(params, "at", deps.now());
    const name = params.get("schedule") ?? "";
    const schedules = escalations.onCall(at).filter((s) => name === "" || s.schedule === name);
    if (name !== "" && schedules.length === 0) return sendError(reply, "not_found", `there is no schedule ${name}`);
    return sendData(request, reply, {
      at: iso(at),
      schedules: schedules.map((s) => ({
        schedule: s.schedule,
        timeZone: s.zone,
        receiver: s.receiver ?? null,
        by: s.by ?? null,
        until: s.until === undefined ? null : iso(s.until),
        next: s.next ?? null,
      })),
    });
  });

  /** The escalation that a link leads to, or what is wrong with the link, which is answered then. */
  const linked = (request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply) => {
    const { searchParams } = new URL(request.url, "http://localhost");
    const { id } = request.params;
    const by = searchParams.get("by") ?? "";
    const expires = Number(searchParams.get("expires") ?? 0);
    const problem = escalations.linkProblem(id, by, expires, searchParams.get("signature") ?? "", deps.now());
    reply.headers(PAGE_HEADERS).type("text/html; charset=utf-8");
    const record = escalations.get(id);
    if (problem !== undefined) void reply.code(403).send(problemPage(problem));
    else if (record === undefined) void reply.code(404).send(problemPage("this escalation is over, and forgotten"));
    else return { id, by, record };
    return undefined;
  };

  // Only shows it: a mail program that looks at links must not acknowledge.
  app.get<{ Params: { id: string } }>("/ack/:id", (request, reply) => {
    const found = linked(request, reply);
    return found === undefined ? reply : reply.send(ackPage(found.record, found.by));
  });

  app.post<{ Params: { id: string } }>("/ack/:id", async (request, reply) => {
    const found = linked(request, reply);
    if (found === undefined) return reply;
    try {
      const state = await escalations.acknowledge(found.id, { by: found.by, via: "link", comment: "" }, deps.now());
      return reply.send(donePage({ ...found.record, state }));
    } catch (e) {
      if (e instanceof AckRefused)
        return reply.code(409).send(problemPage("its alerts are resolved: there is nothing to acknowledge any more"));
      throw e;
    }
  });
}

/** JSON only: a form could be sent by any page that a browser is on. */
function readAck(request: FastifyRequest): Ack {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) throw new QueryError("bad_data", "the body must be application/json");
  let body: unknown;
  try {
    body = JSON.parse((request.body as Buffer | undefined)?.toString("utf8") ?? "");
  } catch (e) {
    throw new QueryError("bad_data", `the body is no JSON: ${(e as Error).message}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new QueryError("bad_data", "the body must be an object");
  const { by, comment = "", via = "api", ...others } = body as Record<string, unknown>;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw new QueryError("bad_data", `unknown field ${JSON.stringify(unknown)}`);
  if (typeof by !== "string" || by.trim() === "" || by.length > MAX_NAME) {
    throw new QueryError("bad_data", `"by" must say who acknowledges, in at most ${MAX_NAME} characters`);
  }
  if (typeof comment !== "string" || comment.length > MAX_COMMENT) {
    throw new QueryError("bad_data", `"comment" must be a text of at most ${MAX_COMMENT} characters`);
  }
  if (via !== "api" && via !== "cli" && via !== "ui") throw new QueryError("bad_data", '"via" is api, cli or ui');
  return { by: by.trim().toWellFormed(), comment: comment.toWellFormed(), via };
}

function escalationJson({ state, alerts }: EscalationRecord): unknown {
  const { acknowledgement: ack } = state;
  return {
    id: state.id,
    escalation: state.escalation,
    state: state.status,
    groupKey: state.groupKey,
    groupLabels: labelsToObject(state.groupLabels),
    startedAt: iso(state.startedAt),
    resolvedAt: timeOrNull(state.resolvedAt),
    round: state.round,
    run: state.pass,
    nextStep: state.status === "triggered" ? state.step + 1 : null,
    nextAt: timeOrNull(state.dueAt),
    paged: state.paged,
    acknowledgement:
      ack === undefined
        ? null
        : { by: ack.by, via: ack.via, at: iso(ack.at), until: timeOrNull(ack.until), comment: ack.comment },
    alerts: alerts.map((a) => ({
      fingerprint: a.fingerprint,
      labels: labelsToObject(a.labels),
      annotations: a.annotations,
      firing: state.firing.includes(a.fingerprint),
    })),
    history: state.history.map(({ at, what, detail }) => ({ time: iso(at), what, detail })),
  };
}

const iso = (ms: number) => new Date(ms).toISOString();
const timeOrNull = (ms: number) => (ms === 0 ? null : iso(ms));
