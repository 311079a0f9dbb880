import type { FastifyInstance } from "fastify";
import type { DeadLetter } from "../../actors/notify/dead-letters.ts";
import { labelsToObject } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import type { ApiDeps } from "../deps.ts";
import { invalidParameter, type Params } from "../params.ts";
import { paramsOf } from "../request.ts";
import { sendData, sendError, sendQueryError } from "../respond.ts";

/** A notification that could not be told, as the API shows it. Times are RFC 3339. */
export interface DeadLetterJson {
  readonly id: string;
  readonly receiver: string;
  readonly integration: string;
  readonly groupKey: string;
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly firing: number;
  readonly resolved: number;
  readonly alerts: readonly {
    readonly status: "firing" | "resolved";
    readonly labels: Readonly<Record<string, string>>;
  }[];
  readonly reason: string;
  readonly since: string;
  readonly last: string;
  readonly failures: number;
}

export interface RedrivenJson {
  readonly id: string;
  readonly receiver: string;
  readonly integration: string;
  /** `under way`: it goes on, look at the dead letters later. */
  readonly result: "sent" | "failed" | "under way";
  readonly reason?: string;
}

/** /api/v1/notifications/dead-letters: notifications that could not be told, and sending them again. */
export function deadLetterRoutes(app: FastifyInstance, deps: Pick<ApiDeps, "alertManager">): void {
  /** Why there can be none of the receiver: the configuration has it not, and no letter is left of one that it had. */
  const unknownReceiver = (params: Params): string | undefined => {
    const name = params.get("receiver_name") ?? "";
    const { alertManager } = deps;
    const isKnown =
      name === "" ||
      alertManager.config().receivers.some((r) => r.name === name) ||
      alertManager.deadLetters().some((l) => l.intent.receiver === name);
    return isKnown ? undefined : `there is no receiver ${JSON.stringify(name)}`;
  };

  app.get("/api/v1/notifications/dead-letters", (request, reply) => {
    const params = paramsOf(request);
    const unknown = unknownReceiver(params);
    if (unknown !== undefined) return sendError(reply, "not_found", unknown);
    const wanted = wantedBy(params);
    return sendData(request, reply, {
      deadLetters: deps.alertManager.deadLetters().filter(wanted).map(deadLetterJson),
    });
  });

  app.post("/api/v1/notifications/dead-letters/redrive", async (request, reply) => {
    try {
      const params = paramsOf(request);
      if (!["id[]", "receiver_name", "all"].some((name) => (params.get(name) ?? "") !== "")) {
        throw new QueryError("bad_data", "which ones? give id[], receiver_name or all=true, in the query or as a form");
      }
      // Somebody who writes all=false does not want all.
      const all = params.get("all") ?? "";
      if (all !== "" && all !== "true")
        throw invalidParameter("all", `it is true or left out, not ${JSON.stringify(all)}`);
      const noReceiver = unknownReceiver(params);
      if (noReceiver !== undefined) return sendError(reply, "not_found", noReceiver);
      const letters = deps.alertManager.deadLetters();
      const unknown = params.getAll("id[]").filter((id) => !letters.some((l) => l.intent.key === id));
      if (unknown.length > 0) return sendError(reply, "not_found", `there is no dead letter ${unknown.join(", ")}`);
      const results = await deps.alertManager.redrive(letters.filter(wantedBy(params)));
      return sendData(request, reply, {
        redriven: results.map(({ key, ...rest }): RedrivenJson => ({ id: key, ...rest })),
      });
    } catch (e) {
      return sendQueryError(reply, e);
    }
  });
}

function wantedBy(params: Params): (letter: DeadLetter) => boolean {
  const ids = new Set(params.getAll("id[]"));
  const receiver = params.get("receiver_name") ?? "";
  return ({ intent }) => (ids.size === 0 || ids.has(intent.key)) && (receiver === "" || intent.receiver === receiver);
}

function deadLetterJson({ intent, reason, since, last, failures }: DeadLetter): DeadLetterJson {
  const { key, receiver, integration, groupKey, firing, resolved, notification } = intent;
  return {
    id: key,
    receiver,
    integration,
    groupKey,
    groupLabels: labelsToObject(notification.groupLabels),
    firing: firing.length,
    resolved: resolved.length,
    alerts: notification.alerts.map(({ labels, endsAt }) => ({
      status: endsAt === 0 ? "firing" : "resolved",
      labels: labelsToObject(labels),
    })),
    reason,
    since: new Date(since).toISOString(),
    last: new Date(last).toISOString(),
    failures,
  };
}
